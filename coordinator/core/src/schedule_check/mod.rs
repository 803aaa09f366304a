//! The checker: is a plan what it says? It shares the planner's types and none of its code, so that the two can disagree.
//!
//! A plan that does not fit is no violation as long as it says so, and by how much: what is checked is that its word is true.

mod figures;
mod limits;
mod runs;
mod shape;
mod velero;
pub mod violation;

use crate::schedule::demand::Demand;
use crate::schedule::live::LivePlan;
use crate::schedule::plan::{Feasibility, Plan};
use crate::schedule::settings::PlanSettings;

pub use violation::Violation;

/// Everything that is wrong with `plan` as an answer to these demands, live slots and settings; empty when it is sound.
pub fn check(demands: &[Demand], live: &LivePlan, settings: &PlanSettings, plan: &Plan) -> Vec<Violation> {
    let mut asked: Vec<&Demand> = demands.iter().collect();
    asked.sort_by(|a, b| a.key.cmp(&b.key));
    asked.dedup_by(|later, first| later.key == first.key);

    let mut wrong = shape::shape(&asked, live, settings, plan);
    let runs = runs::planned(&asked, settings, plan);
    wrong.extend(limits::always(&runs, settings, plan));
    if matches!(plan.feasibility, Feasibility::Fits { .. }) {
        wrong.extend(limits::when_it_fits(&runs, settings));
    }
    wrong.extend(figures::load(&runs, plan));
    wrong.extend(figures::feasibility(&runs, settings, plan));
    wrong
}
