//! Whether a draft fits: what is missing where it does not, and when its runs are expected to end.

use super::draft::Draft;
use super::ledger::Ledger;
use super::night::Night;
use super::plan::{QUEUE_NEVER_S, Shortage};
use super::queue::waits_s;
use super::sliding::DAY;

/// What a draft comes to.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    /// What is missing; empty when it fits.
    pub shortages: Vec<Shortage>,
    /// For each job the wait of each of its runs, s; empty when none waits.
    pub waits_s: Vec<Vec<u32>>,
}

pub(super) fn outcome(night: &Night, draft: &Draft) -> Outcome {
    let ledger = &draft.ledger;
    let mut shortages = Vec::new();
    shortages.extend(budget(night, ledger));
    let places = night.settings.concurrent_backups();
    let peak = ledger.lanes.iter().copied().max().unwrap_or(0);
    let crowded = crowded_domains(night, ledger);
    let waits_s = if peak > places || !crowded.is_empty() { waits_s(ledger, places) } else { Vec::new() };
    if peak > places {
        let longest = waits_s.iter().flatten().copied().max().unwrap_or(0);
        let longest_queue_s = (longest != QUEUE_NEVER_S).then_some(longest);
        shortages.push(Shortage::ConcurrentBackups { peak, concurrent_backups: places, longest_queue_s });
    }
    shortages.extend(crowded);
    shortages.extend(past_window(night, ledger, &waits_s));
    Outcome { shortages, waits_s }
}

fn budget(night: &Night, ledger: &Ledger) -> Option<Shortage> {
    let budget = night.settings.budget();
    let over = || ledger.flight.iter().copied().filter(|load| *load > budget);
    let peak = over().max()?;
    let minutes_over = u32::try_from(over().count()).unwrap_or(u32::MAX);
    Some(Shortage::Budget { peak: peak.into(), budget, minutes_over })
}

fn crowded_domains(night: &Night, ledger: &Ledger) -> Vec<Shortage> {
    let mut named = vec![false; night.domains];
    let mut crowded = Vec::new();
    for job in &night.jobs {
        if std::mem::replace(&mut named[job.domain], true) {
            continue;
        }
        let overlap_min = ledger.domains[job.domain].crowded_min();
        if overlap_min > 0 {
            crowded.push(Shortage::Namespace { namespace: job.demand.key.namespace.clone(), overlap_min });
        }
    }
    crowded
}

/// Runs that end after their stretch of the window; those whose times somebody fixed are not counted.
fn past_window(night: &Night, ledger: &Ledger, waits_s: &[Vec<u32>]) -> Option<Shortage> {
    let (mut runs, mut by_min) = (0, 0);
    for (n, job) in night.jobs.iter().enumerate().filter(|(_, job)| job.fixed.is_none()) {
        for (run, start) in ledger.at[n].iter().flat_map(|at| job.starts(*at)).enumerate() {
            let queued_s = waits_s.get(n).map_or(0, |waits| waits[run]);
            let wait = usize::try_from(queued_s / 60).unwrap_or(DAY).min(DAY);
            let overrun = night.spans.overrun(start, wait + job.flight);
            runs += u32::from(overrun > 0);
            by_min = by_min.max(overrun);
        }
    }
    (runs > 0).then(|| Shortage::Window { runs, by_min: u32::try_from(by_min).unwrap_or(u32::MAX) })
}
