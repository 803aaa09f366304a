//! What each minute of a finished plan carries, beside what no plan could be below.

use super::domain_load::span;
use super::ledger::Ledger;
use super::night::Night;
use super::plan::{LoadProfile, Peak};
use super::sliding::DAY;
use super::targets::lower_bound;

/// The loads as they are: a group that is heavier than the budget counts in full.
pub(super) fn profile(night: &Night, ledger: &Ledger) -> LoadProfile {
    let mut starting = vec![0u64; DAY];
    let mut in_flight = vec![0u64; DAY];
    for (n, job) in night.jobs.iter().enumerate() {
        let volumes = u64::from(job.demand.volumes);
        for start in ledger.at[n].iter().flat_map(|at| job.starts(*at)) {
            starting[start] += volumes;
            span(start, job.flight).for_each(|minute| in_flight[minute] += volumes);
        }
    }
    let peak = |loads: &[u64], lower_bound| Peak { volumes: loads.iter().copied().max().unwrap_or(0), lower_bound };
    LoadProfile {
        starting_peak: peak(&starting, lower_bound(&night.jobs, &night.spans, |job| (job.demand.volumes, 1))),
        in_flight_peak: peak(
            &in_flight,
            lower_bound(&night.jobs, &night.spans, |job| (job.demand.volumes, job.flight)),
        ),
        starting,
        in_flight,
        running: ledger.lanes.clone(),
    }
}
