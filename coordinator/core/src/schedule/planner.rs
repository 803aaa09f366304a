//! The planner: demands, the live plan and settings in, a [`Plan`] out. The same input gives the same plan on any machine.

use super::demand::Demand;
use super::draft::{Draft, arrange};
use super::feasibility::{Outcome, outcome};
use super::fixes::fixes;
use super::keep::planned_load;
use super::live::LivePlan;
use super::minute::Minute;
use super::night::Night;
use super::plan::{Feasibility, Fix, Plan, Reason, Run, Slot};
use super::profile::profile;
use super::settings::PlanSettings;
use super::sliding::DAY;

/// Plans one night. The order of `demands` does not matter; what does not fit is planned as well as it can be, and said so.
///
/// Even load first, then the fewest moves: a live slot is left only when it is no longer possible, or when something changed and
/// its minute carries more than its part; at most four groups move for each that changed (I7).
pub fn plan(demands: &[Demand], live: &LivePlan, settings: &PlanSettings) -> Plan {
    let night = Night::new(demands, settings);
    let draft = arrange(&night, live);
    let result = outcome(&night, &draft);
    if result.shortages.is_empty() {
        return finished(&night, &draft, &result, Vec::new());
    }
    let nothing = LivePlan::default();
    let anew = arrange(&night, &nothing);
    let anew_result = outcome(&night, &anew);
    let anew_fits = !live.slots.is_empty() && anew_result.shortages.is_empty();
    if anew_fits && draft.kept.window_changed {
        // Somebody set another window: then a night that fits is worth every move.
        let reasons = reasons_anew(&draft, &anew);
        let draft = Draft { ledger: anew.ledger, reasons, kept: draft.kept };
        return finished(&night, &draft, &anew_result, Vec::new());
    }
    let mut found = fixes(demands, &night, &draft.ledger, &result.shortages);
    if anew_fits {
        found.insert(0, vec![Fix::PlanAnew { moves: moves(&draft, &anew) }]);
    }
    finished(&night, &draft, &result, found)
}

/// Why each job is where a plan from nothing puts it.
fn reasons_anew(draft: &Draft, anew: &Draft) -> Vec<Reason> {
    let one = |(n, reason): (usize, &Reason)| match (reason, draft.kept.live[n]) {
        (Reason::Fixed, _) => Reason::Fixed,
        (_, Some(_)) if draft.kept.at[n] == anew.ledger.at[n] => draft.reasons[n],
        (_, Some(_)) => Reason::WindowChanged,
        (reason, None) => *reason,
    };
    anew.reasons.iter().enumerate().map(one).collect()
}

/// How many live slots a plan from nothing would change.
fn moves(draft: &Draft, anew: &Draft) -> u32 {
    let moved = |n: &usize| draft.kept.live[*n].is_some() && draft.kept.at[*n] != anew.ledger.at[*n];
    u32::try_from((0..draft.reasons.len()).filter(moved).count()).unwrap_or(u32::MAX)
}

fn finished(night: &Night, draft: &Draft, result: &Outcome, fixes: Vec<Vec<Fix>>) -> Plan {
    let ledger = &draft.ledger;
    let slots = (0..night.jobs.len()).map(|n| (night.jobs[n].demand.key.clone(), slot(night, draft, result, n)));
    let spare = |most: u32, loads: &[u32]| most.saturating_sub(loads.iter().copied().max().unwrap_or(0));
    let feasibility = if result.shortages.is_empty() {
        Feasibility::Fits {
            budget_spare: spare(night.settings.budget(), &ledger.flight),
            concurrent_spare: spare(night.settings.concurrent_backups(), &ledger.lanes),
        }
    } else {
        Feasibility::Short { shortages: result.shortages.clone(), fixes }
    };
    Plan {
        slots: slots.collect(),
        skipped: night.skipped.clone(),
        gone: draft.kept.gone.clone(),
        load: profile(night, ledger),
        feasibility,
        findings: night.findings.clone(),
    }
}

fn slot(night: &Night, draft: &Draft, result: &Outcome, n: usize) -> Slot {
    let job = &night.jobs[n];
    let in_flight_s = job.demand.run.in_flight_s.clamp(1, super::settings::RUN_MAX_S);
    let mut runs: Vec<Run> = draft.ledger.at[n]
        .iter()
        .flat_map(|at| job.starts(*at))
        .enumerate()
        .map(|(run, start)| Run {
            due: Minute::wrapping(i64::try_from(start % DAY).unwrap_or(0)),
            queued_s: result.waits_s.get(n).map_or(0, |waits| waits[run]),
            in_flight_s,
        })
        .collect();
    runs.sort_unstable_by_key(|run| run.due);
    let live = draft.kept.live[n].map(|slot| &slot.minutes);
    let moved_from = live.filter(|live| !live.iter().copied().eq(runs.iter().map(|run| run.due))).cloned();
    Slot { runs, reason: draft.reasons[n], moved_from, planned: planned_load(night, n) }
}
