//! The stagger scheduler's plan: which group is backed up at which minute of the day, and why then.
//!
//! Input: [`demand::Demand`]s (one a group), the [`live::LivePlan`] (what is set now) and [`settings::PlanSettings`]. Output: a
//! [`plan::Plan`]. All times are UTC minutes of the day; who knows time zones turns them into such before.

pub mod cron;
pub mod demand;
mod domain_load;
mod domains;
mod draft;
mod feasibility;
pub mod finding;
mod fixes;
mod improve;
mod jobs;
mod keep;
pub mod learning;
mod ledger;
pub mod live;
pub mod minute;
mod night;
mod open_spans;
mod place;
pub mod plan;
pub mod planner;
mod profile;
mod queue;
mod repeats;
pub mod settings;
pub mod settings_error;
mod sliding;
mod targets;
mod trial;
