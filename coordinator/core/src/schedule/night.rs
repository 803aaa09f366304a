//! Everything about one night that does not change while it is planned.

use std::collections::BTreeSet;

use shared::identity::GroupKey;

use super::demand::{Demand, When};
use super::domain_load::span;
use super::finding::Finding;
use super::jobs::{Job, jobs};
use super::open_spans::OpenSpans;
use super::settings::PlanSettings;
use super::sliding::DAY;
use super::targets::Targets;

/// The jobs of one night and the limits that they are placed in.
#[derive(Clone, Debug)]
pub(super) struct Night<'a> {
    pub settings: &'a PlanSettings,
    /// See [`PlanSettings::window_mark`].
    pub window_mark: u32,
    pub jobs: Vec<Job<'a>>,
    /// How many domains the jobs name.
    pub domains: usize,
    pub spans: OpenSpans,
    pub targets: Targets,
    /// For each minute its turn when all are alike: each as far as can be from those before it, so that few groups spread over the window.
    pub spread: Vec<u16>,
    /// The minutes of the day from the window's start on.
    pub window_order: Vec<usize>,
    pub skipped: BTreeSet<GroupKey>,
    pub findings: Vec<Finding>,
}

impl<'a> Night<'a> {
    /// The order of `demands` does not matter.
    pub(super) fn new(demands: &'a [Demand], settings: &'a PlanSettings) -> Self {
        let mut findings = Vec::new();
        let mut sorted: Vec<&Demand> = demands.iter().collect();
        // Stable, and usually sorted already. Of duplicates the first stays.
        sorted.sort_by(|a, b| a.key.cmp(&b.key));
        sorted.dedup_by(|later, first| {
            let duplicate = later.key == first.key;
            if duplicate {
                findings.push(Finding::DuplicateGroup { group: first.key.clone() });
            }
            duplicate
        });
        let skip = |demand: &&Demand| demand.when == When::Skip;
        let skipped = sorted.iter().copied().filter(skip).map(|demand| demand.key.clone()).collect();
        sorted.retain(|demand| !skip(demand));

        let spans = OpenSpans::new(settings);
        let (jobs, domains) = jobs(&sorted, settings, &spans, &mut findings);
        let targets = Targets::new(&jobs, settings, &spans);
        findings.extend(overfull(&jobs, domains, &spans));
        findings.sort();
        findings.dedup();
        let window_order: Vec<usize> = span(settings.window_start().index(), DAY).collect();
        let spread = spread(&window_order, &spans);
        let window_mark = settings.window_mark();
        Self { settings, window_mark, jobs, domains, spans, targets, spread, window_order, skipped, findings }
    }
}

/// Open minutes in the order of their bits read backwards (0, 1/2, 1/4, 3/4, …); closed ones last.
fn spread(window_order: &[usize], spans: &OpenSpans) -> Vec<u16> {
    let open: Vec<usize> = window_order.iter().copied().filter(|minute| spans.is_open(*minute)).collect();
    // 11 bits tell 1,440 minutes apart; scaled to all of them, a window of any length is halved in its middle.
    let bits_of = |n: usize| u16::try_from(n * (1 << 11) / open.len()).unwrap_or(u16::MAX);
    let mut turns: Vec<(u16, usize)> =
        open.iter().enumerate().map(|(n, minute)| (bits_of(n).reverse_bits(), *minute)).collect();
    turns.sort_unstable();
    let mut spread = vec![u16::MAX; DAY];
    for (turn, (_, minute)) in (0..).zip(turns) {
        spread[minute] = turn;
    }
    spread
}

/// Domains whose runs, one after another, take longer than the window is open.
fn overfull(jobs: &[Job], domains: usize, spans: &OpenSpans) -> Vec<Finding> {
    let mut needs = vec![0u64; domains];
    for job in jobs {
        needs[job.domain] += job.taken as u64 * u64::from(job.runs());
    }
    let window_min = spans.open_min();
    let mut named = vec![false; domains];
    jobs.iter()
        .filter(|job| needs[job.domain] > u64::from(window_min) && !std::mem::replace(&mut named[job.domain], true))
        .map(|job| Finding::NamespaceOverfull {
            namespace: job.demand.key.namespace.clone(),
            needs_min: needs[job.domain],
            window_min,
        })
        .collect()
}
