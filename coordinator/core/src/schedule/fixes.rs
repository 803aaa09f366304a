//! What would make a night fit that does not: a longer window, a larger budget, more backups at once. Each answer was tried.

use super::demand::Demand;
use super::jobs::Job;
use super::ledger::Ledger;
use super::minute::MINUTES_PER_DAY;
use super::night::Night;
use super::plan::{Fix, Shortage};
use super::settings::{CONCURRENT_BACKUPS_MAX, PLAN_BUDGET_MAX, PlanSettings};
use super::trial::fits_with;

/// So many values are tried for one fix, from the least that could do upwards. Each is a whole plan.
const TRIALS_MAX: usize = 4;

/// The fixes of a night that does not fit, the one that changes least about the settings first.
pub(super) fn fixes(demands: &[Demand], night: &Night, ledger: &Ledger, shortages: &[Shortage]) -> Vec<Vec<Fix>> {
    let settings = night.settings;
    let mut found = Vec::new();
    found.extend(window(demands, night, settings));
    found.extend(more_at_once(demands, night, ledger, shortages));
    // More backups at once shorten the hand-over, which may be enough for a full namespace.
    if found.is_empty() && domain_need_min(night) > MINUTES_PER_DAY.into() {
        found.push(vec![Fix::SplitNamespaces]);
    }
    found
}

fn window(demands: &[Demand], night: &Night, settings: &PlanSettings) -> Option<Vec<Fix>> {
    let hours = settings.window_min() / 60;
    let least_min = [
        sum(night, |job| u64::from(job.clipped) * job.flight as u64).div_ceil(settings.budget().into()),
        sum(night, |job| job.lane as u64).div_ceil(settings.concurrent_backups().into()),
        domain_need_min(night),
        night.jobs.iter().map(|job| job.flight as u64).max().unwrap_or(0),
    ];
    let least = u32::try_from(least_min.into_iter().max().unwrap_or(0).div_ceil(60)).unwrap_or(u32::MAX);
    let least = least.max(hours + 1);
    let mut tried: Vec<u32> = (0..).map(|n| least.saturating_add(n * n)).take(TRIALS_MAX).collect();
    tried.push(24);
    tried.retain(|tried| (hours + 1..=24).contains(tried));
    tried.dedup();
    tried.into_iter().map(|hours| vec![Fix::WindowHours(hours)]).find(|fix| fits_with(demands, settings, fix))
}

/// A larger budget, more backups at once, or both, as the shortages ask.
fn more_at_once(demands: &[Demand], night: &Night, ledger: &Ledger, shortages: &[Shortage]) -> Option<Vec<Fix>> {
    let short_of = |f: fn(&Shortage) -> bool| shortages.iter().any(f);
    let budget = short_of(|s| matches!(s, Shortage::Budget { .. }));
    let places = short_of(|s| matches!(s, Shortage::ConcurrentBackups { .. }));
    if !budget && !places {
        return None;
    }
    let open_min = u64::from(night.spans.open_min());
    // Unclipped: with a larger budget, groups that filled it no longer run alone.
    let volumes = sum(night, |job| u64::from(job.weight) * job.flight as u64).div_ceil(open_min);
    let lanes = sum(night, |job| job.lane as u64).div_ceil(open_min);
    let peak = |loads: &[u32]| u64::from(loads.iter().copied().max().unwrap_or(0));
    let between = |least: u64, most: u64, n: u64| least + most.saturating_sub(least) * n / (TRIALS_MAX as u64 - 1);
    (0..TRIALS_MAX as u64)
        .map(|n| {
            let mut fix = Vec::new();
            if budget {
                let least = volumes.max(u64::from(night.settings.budget()) + 1);
                let most = peak(&ledger.flight).max(least + least / 4);
                fix.push(Fix::Budget(bounded(between(least, most, n), PLAN_BUDGET_MAX)));
            }
            if places {
                let least = lanes.max(u64::from(night.settings.concurrent_backups()) + 1);
                let most = peak(&ledger.lanes).max(least + least / 4 + 1);
                fix.push(Fix::ConcurrentBackups(bounded(between(least, most, n), CONCURRENT_BACKUPS_MAX)));
            }
            fix
        })
        .find(|fix| fits_with(demands, night.settings, fix))
}

fn bounded(value: u64, most: u32) -> u32 {
    u32::try_from(value).unwrap_or(most).min(most)
}

fn sum(night: &Night, of: impl Fn(&Job) -> u64) -> u64 {
    night.jobs.iter().map(|job| of(job) * u64::from(job.runs())).sum()
}

/// Minutes that the fullest domain's runs take one after another.
fn domain_need_min(night: &Night) -> u64 {
    let mut needs = vec![0u64; night.domains];
    for job in &night.jobs {
        needs[job.domain] += job.taken as u64 * u64::from(job.runs());
    }
    needs.into_iter().max().unwrap_or(0)
}
