//! How high the loads of a minute must be at least, and up to where a plan counts as even.

use super::domain_load::span;
use super::jobs::Job;
use super::open_spans::OpenSpans;
use super::settings::PlanSettings;
use super::sliding::DAY;

/// A load counts as even up to this many hundredths above its lower bound (I7's ε).
const TOLERANCE_HUNDREDTHS: u64 = 1;

/// Bounds and limits of one night, in the units of [`Job`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Targets {
    /// No plan has less in its highest minute: volumes starting, and budget taken.
    pub starting: u32,
    pub flight: u32,
    /// Up to there a minute is even.
    pub starting_even: u32,
    pub flight_even: u32,
    /// Up to there a minute keeps the budget; where that is too small for the night, the lower bound.
    pub flight_limit: u32,
    /// The same for backups at once.
    pub lane_limit: u32,
}

impl Targets {
    pub(super) fn new(jobs: &[Job], settings: &PlanSettings, spans: &OpenSpans) -> Self {
        // Weights are such that no sum over a day overflows; see `jobs`.
        let small = |bound: u64| u32::try_from(bound).unwrap_or(u32::MAX);
        let starting = small(lower_bound(jobs, spans, |job| (job.weight, 1)));
        let flight = small(lower_bound(jobs, spans, |job| (job.clipped, job.flight)));
        let lanes = small(lower_bound(jobs, spans, |job| (1, job.lane)));
        let flight_limit = flight.max(settings.budget());
        Self {
            starting,
            flight,
            starting_even: tolerated(starting),
            flight_even: tolerated(flight).min(flight_limit),
            flight_limit,
            lane_limit: lanes.max(settings.concurrent_backups()),
        }
    }
}

fn tolerated(bound: u32) -> u32 {
    let tolerated = u64::from(bound) * (100 + TOLERANCE_HUNDREDTHS) / 100;
    u32::try_from(tolerated).unwrap_or(u32::MAX)
}

/// The highest of: the heaviest job, the fixed jobs' own peak, and all of it spread evenly over every minute that can carry any.
/// `measure` says a run's height and its minutes.
pub(super) fn lower_bound(jobs: &[Job], spans: &OpenSpans, measure: impl Fn(&Job) -> (u32, usize)) -> u64 {
    let mut fixed = vec![0u64; DAY];
    let mut reachable: Vec<bool> = (0..DAY).map(|minute| spans.is_open(minute)).collect();
    // How far any run may reach past the end of an open stretch.
    let mut past = 0;
    let (mut area, mut highest) = (0u64, 0u64);
    for job in jobs {
        let (height, len) = measure(job);
        area += u64::from(height) * len as u64 * u64::from(job.runs());
        highest = highest.max(height.into());
        if let Some(at) = job.fixed {
            for minute in job.starts(at).flat_map(|start| span(start, len)) {
                fixed[minute] += u64::from(height);
                reachable[minute] = true;
            }
        } else {
            past = past.max(len.saturating_sub(job.flight.min(spans.longest())));
        }
    }
    for end in (0..DAY).filter(|minute| spans.is_open(*minute)) {
        if !spans.is_open((end + 1) % DAY) {
            span(end, past + 1).for_each(|minute| reachable[minute] = true);
        }
    }
    let minutes = reachable.iter().filter(|reachable| **reachable).count().max(1) as u64;
    highest.max(fixed.into_iter().max().unwrap_or(0)).max(area.div_ceil(minutes))
}
