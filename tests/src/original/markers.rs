//! Which markers exist, and what does the original's coordinator make of them?

use std::collections::BTreeMap;

use super::outcome::StepKind;
use super::play::Reading;
use super::rule::Rule;

/// The coordinator's `CronJob` runs this often (`* * * * *`).
pub(super) const COORDINATOR_EVERY_S: u64 = 60;

/// A labelled marker older than this is removed.
const MARKER_AGE_MAX_S: u64 = 3600;

/// The markers of one group in Velero's namespace. Keys are members, values the second of creation.
#[derive(Debug)]
pub(super) struct Markers {
    reading: Reading,
    waiting: BTreeMap<usize, u64>,
    completed: BTreeMap<usize, u64>,
    is_released: bool,
    /// The last run released and sleeps.
    is_cleaning_up: bool,
}

impl Markers {
    /// `completed_before` markers are left from an earlier backup; their members' numbers are beyond this group's, so that
    /// nothing of this backup overwrites them.
    pub(super) fn new(reading: Reading, completed_before: usize) -> Self {
        let left = (0..completed_before).map(|n| (usize::MAX - n, 0));
        Self { reading, waiting: BTreeMap::new(), completed: left.collect(), is_released: false, is_cleaning_up: false }
    }

    /// What the pre hook does first. Creating a marker that exists fails and is not noticed.
    pub(super) fn pre_started(&mut self, member: usize, now_s: u64) -> Rule {
        match self.reading {
            Reading::Literal => return Rule::QuotesStayInGroupId,
            Reading::Unquoted | Reading::Labelled => {}
        }
        self.waiting.entry(member).or_insert(now_s);
        if self.reading == Reading::Labelled { Rule::MarkerIsLabelled } else { Rule::MarkerHasNoLabels }
    }

    /// What the pre hook asks for.
    pub(super) fn is_released(&self) -> bool {
        self.is_released && self.reading != Reading::Literal
    }

    /// What the post hook does.
    pub(super) fn post_ran(&mut self, member: usize, now_s: u64) {
        if self.reading != Reading::Literal {
            self.completed.entry(member).or_insert(now_s);
            self.waiting.remove(&member);
        }
    }

    /// One run of the coordinator: it counts, perhaps releases, and removes what is old. A run that releases sleeps before it
    /// removes anything, and the next run replaces it in its sleep.
    pub(super) fn coordinator_ran(&mut self, now_s: u64) -> Vec<(StepKind, Rule)> {
        if self.reading != Reading::Labelled {
            // It finds no group at all and does nothing.
            return vec![(StepKind::Held { waiting: 0, completed: 0 }, Rule::CoordinatorCountsByLabel)];
        }
        let mut steps = Vec::new();
        if std::mem::take(&mut self.is_cleaning_up) {
            steps.push((StepKind::CleanUpLost, Rule::ReplacedBeforeCleaningUp));
        }
        let (waiting, completed) = (self.waiting.len(), self.completed.len());
        if waiting > 0 && waiting == completed {
            self.is_released = true;
            self.is_cleaning_up = true;
            steps.push((StepKind::Released, Rule::ReleaseNeedsAsManyCompletedAsWaiting));
            return steps;
        }
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
