//! Every reason for which users are told something in a Kubernetes Event; `coordinator/EVENTS.md` is the same list for readers.

/// How an Event is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Importance {
    /// As it should be.
    Normal,
    /// Worth a look.
    Warning,
}

impl Importance {
    /// The word in the Event's `type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

macro_rules! reasons {
    ($($variant:ident, $importance:ident, $action:literal, $on:literal, $meaning:literal;)+) => {
        /// Why users are told something: the Event's `reason`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Reason { $(#[doc = $meaning] $variant),+ }

        impl Reason {
            /// Every reason, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in the Event's `reason`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }

            /// The Event's `type`.
            pub const fn importance(self) -> Importance {
                match self { $(Self::$variant => Importance::$importance),+ }
            }

            /// The Event's `action`: what the coordinator was doing.
            pub const fn action(self) -> &'static str {
                match self { $(Self::$variant => $action),+ }
            }

            /// Which objects it is told about.
            pub const fn on(self) -> &'static str {
                match self { $(Self::$variant => $on),+ }
            }

            /// What it says, in one line.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning),+ }
            }
        }
    };
}

reasons! {
    SnapshotGroupConsistent, Normal, "Judge", "Backup, workload", "Every member was held still over the whole span of the group's cuts.";
    SnapshotMemberConsistent, Normal, "Judge", "Backup, workload", "Each volume was cut while its own pod was held still, but not all pods at once.";
    SnapshotCrashConsistent, Warning, "Judge", "Backup, workload", "A volume was cut while its pod was not held still.";
    SnapshotConsistencyUnknown, Warning, "Judge", "Backup, workload", "What the cuts are worth cannot be proven; the note says why.";
    SnapshotFailed, Warning, "Judge", "Backup, workload", "The round ended, nobody was held still, and no cut was seen.";
    SnapshotOverBudget, Warning, "Admit", "Backup, workload", "Members went on at their deadlines without a share of the budget.";
    SnapshotUnreachable, Warning, "Admit", "Backup, workload", "Members went on because neither API server nor coordinator answered them.";
    SnapshotBarrierDegraded, Warning, "Release", "workload", "A barrier stalled; members go on as they arrive.";
    SnapshotMemberLost, Warning, "Release", "workload", "A member's pod or hook died while its volumes were to be cut.";
    SnapshotGroupTooLarge, Warning, "Release", "workload", "The group has more members than its Lease can list.";
    SnapshotLeaseInvalid, Warning, "Release", "workload", "The group's Lease is somebody else's, or says something impossible: nobody is released.";
    SnapshotModeInvalid, Warning, "Release", "workload", "The mode annotation says something impossible and is ignored.";
    SnapshotPolicyInvalid, Warning, "Release", "workload", "An annotation about holding the group still says something impossible and is ignored.";
    SnapshotCallUnanswered, Warning, "Release", "workload", "Residents that were called did not hold their pods still in time; the round went on without them.";
    SnapshotHoldEnded, Warning, "Release", "workload", "The group was held still for as long as it may be, and let go before all of it was cut.";
    SnapshotLabelRefused, Warning, "Label", "workload", "The API server refuses to label a pod: it is in no group.";
    SnapshotHooksMissed, Warning, "Watch", "Backup, workload", "The group was backed up without its hooks: they were announced and none came.";
    SnapshotBackupFailed, Warning, "Watch", "Backup, workload", "A Backup that was to cut the group was refused or failed: nothing can be restored from it.";
    SnapshotConcurrencyLowered, Warning, "Adjust", "limiter Lease", "Fewer volumes are cut at once, because EC2 throttles or the setting was lowered; the note names the evidence.";
    SnapshotConcurrencyRaised, Normal, "Adjust", "limiter Lease", "More volumes are cut at once: it has been calm while the limit was used up, or the setting was raised.";
    SnapshotScheduleConflict, Warning, "Schedule", "Schedule", "Somebody else owns the Schedule, or fields of it, that the plan asks for: it is left as it is.";
    SnapshotSchedulePaused, Warning, "Schedule", "Schedule", "It is held up, because its earlier Backup is not over and the next run is near.";
    SnapshotScheduleResumed, Normal, "Schedule", "Schedule", "It runs again, from its next time on: its earlier Backup is over.";
    SnapshotBackupMissed, Warning, "Schedule", "Schedule", "Its group has had no successful backup for longer than expected.";
    SnapshotAnnotationIgnored, Warning, "Schedule", "StatefulSet, pod or claim", "One of its annotations cannot be read: it is backed up by the defaults; the note says what the annotation must be.";
    KindUnreadable, Warning, "Watch", "coordinator's pod", "An optional kind is not installed or may not be read; the note says what is missing without it.";
    KindReadable, Normal, "Watch", "coordinator's pod", "An optional kind that was unreadable can be read now.";
}

impl Reason {
    /// Whether each is news of its own, whose note must not be folded into the one before.
    pub const fn stands_alone(self) -> bool {
        matches!(self, Self::SnapshotConcurrencyLowered | Self::SnapshotConcurrencyRaised)
    }

    /// Whether it is met again and again as long as its cause lasts, and then told once in a while only.
    pub const fn lasts(self) -> bool {
        matches!(self, Self::SnapshotLabelRefused | Self::SnapshotLeaseInvalid | Self::SnapshotAnnotationIgnored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const DOCUMENT: &str = include_str!("../../EVENTS.md");

    #[test]
    fn every_reason_is_documented_and_nothing_else_is() {
        let (_, tables) = DOCUMENT.split_once("\n# Kubernetes Events").expect("a chapter on Kubernetes Events");
        let documented: Vec<&str> = tables.lines().filter(|line| line.starts_with("| `")).collect();
        let row =
            |r: &Reason| format!("| `{}` | {} | {} | {} |", r.as_str(), r.importance().as_str(), r.on(), r.meaning());
        let rows: Vec<String> = Reason::ALL.iter().map(row).collect();
        assert_eq!(documented, rows);
    }

    #[test]
    fn words_are_what_the_api_takes() {
        // kubernetes pkg/apis/core/validation/events.go: at most 128 characters; UpperCamelCase is the custom.
        let camel = |word: &str| {
            word.len() <= 128
                && word.starts_with(|c: char| c.is_ascii_uppercase())
                && word.chars().all(|c| c.is_ascii_alphanumeric())
        };
        assert!(Reason::ALL.iter().all(|reason| camel(reason.as_str()) && camel(reason.action())));
        let words: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(words.len(), Reason::ALL.len());
    }
}
