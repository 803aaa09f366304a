//! Which markers exist, and what does the original's coordinator make of them?

use std::collections::BTreeMap;

use super::outcome::StepKind;
use super::play::Reading;
use super::rule::Rule;

/// A labelled marker older than this is removed.
const MARKER_AGE_MAX_S: u64 = 3600;

/// A run that released sleeps this long before it removes what it counted.
const SLEEP_S: u64 = 60;

/// From a run's begin to the end of its sleep: its few calls take about a second.
const CLEANS_UP_AFTER_S: u64 = SLEEP_S + 1;

/// A run that is replaced is told to end, which a shell that is its container's first process does not hear (the kernel drops
/// signals that process 1 has no handler for), and is killed so much later (`terminationGracePeriodSeconds` of every pod).
const GRACE_S: u64 = 30;

/// The markers of one group in Velero's namespace. Keys are members, values the second of creation.
#[derive(Debug)]
pub(super) struct Markers {
    reading: Reading,
    waiting: BTreeMap<usize, u64>,
    completed: BTreeMap<usize, u64>,
    is_released: bool,
    coordinator_every_s: u64,
    /// When runs that released would remove what they counted.
    cleans_up_at_s: Vec<u64>,
}

impl Markers {
    /// `completed_before` markers are left from an earlier backup; their members' numbers are beyond this group's, so that
    /// nothing of this backup overwrites them.
    pub(super) fn new(reading: Reading, completed_before: usize, coordinator_every_s: u64) -> Self {
        let left = (0..completed_before).map(|n| (usize::MAX - n, 0));
        Self {
            reading,
            waiting: BTreeMap::new(),
            completed: left.collect(),
            is_released: false,
            coordinator_every_s,
            cleans_up_at_s: vec![],
        }
    }

    /// What the pre hook does first. Creating a marker that exists fails and is not noticed.
    pub(super) fn pre_started(&mut self, member: usize, now_s: u64) -> Rule {
        match self.reading {
            Reading::AsInstalled | Reading::Literal => return Rule::QuotesStayInGroupId,
            Reading::Unquoted | Reading::Labelled => {}
        }
        self.waiting.entry(member).or_insert(now_s);
        if self.reading == Reading::Labelled { Rule::MarkerIsLabelled } else { Rule::MarkerHasNoLabels }
    }

    /// What the pre hook asks for.
    pub(super) fn is_released(&self) -> bool {
        self.is_released && matches!(self.reading, Reading::Unquoted | Reading::Labelled)
    }

    /// What the post hook does.
    pub(super) fn post_ran(&mut self, member: usize, now_s: u64) {
        if matches!(self.reading, Reading::Unquoted | Reading::Labelled) {
            self.completed.entry(member).or_insert(now_s);
            self.waiting.remove(&member);
        }
    }

    /// What runs that released do when they wake: all "completed" go, and the release with them. Or they are killed before.
    pub(super) fn runs_woke(&mut self, now_s: u64) -> Option<(StepKind, Rule)> {
        let due = self.cleans_up_at_s.iter().position(|at_s| *at_s <= now_s)?;
        self.cleans_up_at_s.remove(due);
        if CLEANS_UP_AFTER_S > self.coordinator_every_s + GRACE_S {
            return Some((StepKind::CleanUpLost, Rule::KilledBeforeCleaningUp));
        }
        self.completed.clear();
        self.is_released = false;
        Some((StepKind::CleanedUp, Rule::CleansUpAfterAMinute))
    }

    /// One run of the coordinator: it counts, perhaps releases, and removes what is old. A run that releases sleeps before it
    /// removes anything.
    pub(super) fn coordinator_ran(&mut self, now_s: u64) -> Vec<(StepKind, Rule)> {
        if self.reading != Reading::Labelled {
            // It finds no group at all and does nothing.
            return vec![(StepKind::Held { waiting: 0, completed: 0 }, Rule::CoordinatorCountsByLabel)];
        }
        let (waiting, completed) = (self.waiting.len(), self.completed.len());
        if waiting > 0 && waiting == completed {
            self.is_released = true;
            self.cleans_up_at_s.push(now_s + CLEANS_UP_AFTER_S);
            return vec![(StepKind::Released, Rule::ReleaseNeedsAsManyCompletedAsWaiting)];
        }
        let mut steps = Vec::new();
        steps.push((StepKind::Held { waiting, completed }, Rule::ReleaseNeedsAsManyCompletedAsWaiting));
        for markers in [&mut self.waiting, &mut self.completed] {
            markers.retain(|_, born| now_s - *born <= MARKER_AGE_MAX_S);
        }
        let removed = waiting + completed - self.waiting.len() - self.completed.len();
        if removed > 0 {
            steps.push((StepKind::OldRemoved(removed), Rule::OldMarkersAreRemoved));
        }
        steps
    }
}
