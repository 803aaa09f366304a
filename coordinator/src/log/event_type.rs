//! Every kind of line that the coordinator writes; `coordinator/EVENTS.md` is the same list for readers.

use super::line::Level;

macro_rules! event_types {
    ($($variant:ident = $name:literal, $level:ident, $meaning:literal;)+) => {
        /// What a line is about: its `event_type`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum EventType { $(#[doc = $meaning] $variant),+ }

        impl EventType {
            /// Every event type, in the order of the documentation.
            #[cfg(test)]
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in `event_type`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// How important its lines are.
            pub const fn level(self) -> Level {
                match self { $(Self::$variant => Level::$level),+ }
            }

            /// What it says, in one line.
            #[cfg(test)]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning),+ }
            }
        }
    };
}

event_types! {
    Startup = "startup", Info, "The process started: version and settings.";
    HttpListening = "http_listening", Info, "`/livez`, `/readyz` and `/metrics` are served at `address`.";
    VeleroWorkers = "velero_workers", Info, "How many pre hooks Velero can run at once was found out, or changed.";
    Synced = "synced", Info, "All first lists are in: decisions begin (on the leader).";
    Leading = "leading", Info, "This process leads.";
    Following = "following", Info, "This process does not lead (any more); `holder` does.";
    StandsBack = "stands_back", Warning, "An older install of this product, in the namespace `other`, serves the cluster: this one releases nothing and writes no Schedule.";
    IdentityConflict = "identity_conflict", Error, "Another living process leads under this process's identity.";
    ApiUnusable = "api_unusable", Error, "The API server refuses or does not answer; the message says what to do. Tried again.";
    ApiUsable = "api_usable", Info, "What `api_unusable` said is over.";
    KindAbsent = "kind_absent", Warning, "An optional kind is not installed or may not be read; looked for every minute.";
    KindPresent = "kind_present", Info, "An optional kind that was absent can be read now.";
    WatchRestarted = "watch_restarted", Debug, "A watch broke and goes on.";
    PodLabelled = "pod_labelled", Info, "A pod was put into a group.";
    ConcurrencyAdjusted = "concurrency_adjusted", Info, "The budget changed: `original` is `MAX_CONCURRENT_SNAPSHOTS`, `adjusted` what is in force; `why` names the evidence.";
    SignalHealth = "signal_health", Warning, "A source of throttle signals stopped working, or works again; the message says why and what to do.";
    GroupCreated = "group_created", Info, "A group's first member arrived: a round opens.";
    GroupStatus = "group_status", Info, "A group waits; `wait` says for what.";
    GroupGranted = "group_granted", Info, "A group got its share of the budget.";
    GroupReady = "group_ready", Info, "Members of a group were released.";
    BarrierDegraded = "barrier_degraded", Warning, "A barrier stalled and goes on as arrive-and-go.";
    CallUnanswered = "call_unanswered", Warning, "Called residents did not hold still in time, or there are none: the round goes on without them.";
    HoldEnded = "hold_ended", Warning, "A group was held still for as long as it may be, and is told to let go.";
    GroupReceipt = "group_receipt", Info, "A round ended; `verdict` says what is proven about its cuts.";
    GroupTooLarge = "group_too_large", Error, "A group has more members than its Lease can list.";
    MemberExpired = "member_expired", Warning, "A member's Lease stopped changing in mid-round: its hook is dead.";
    MemberGone = "member_gone", Warning, "A member's pod is gone in mid-round.";
    HooksMissed = "hooks_missed", Warning, "A group was backed up without its hooks: they were announced and none came.";
    BackupFailed = "backup_failed", Warning, "A Backup that was to cut groups was refused or failed.";
    LeaseInvalid = "lease_invalid", Error, "A Lease of this product says something impossible.";
    LeaseCollected = "lease_collected", Info, "A Lease that nobody needs any more is deleted.";
    AnnotationInvalid = "annotation_invalid", Warning, "A workload's annotation says something impossible and is ignored.";
    ScheduleCalculation = "schedule_calculation", Info, "The stagger scheduler made a plan: `groups`, `count` (EBS volumes), `schedules`, `to_write`.";
    SchedulesDoNotFit = "schedules_do_not_fit", Warning, "The plan does not fit its window; `coordinator plan` says by how much and what would help.";
    InventoryFinding = "inventory_finding", Warning, "Something about the cluster that its owner should know, such as a volume that is not backed up.";
    ScheduleCreated = "schedule_created", Info, "A Schedule was created (or would be: `dry_run`).";
    ScheduleUpdated = "schedule_updated", Info, "A Schedule was changed in place; the message names what.";
    ScheduleDeleted = "schedule_deleted", Info, "A Schedule of this product that nothing needs any more was deleted; its Backups stay.";
    SchedulePaused = "schedule_paused", Warning, "A Schedule is held up, because its earlier Backup is not over and the next run is near.";
    ScheduleResumed = "schedule_resumed", Info, "A Schedule that was held up runs again, from its next time on.";
    ScheduleConflict = "schedule_conflict", Warning, "Somebody else owns a Schedule, or fields of it, that the plan asks for: it is left as it is.";
    ScheduleFailed = "schedule_failed", Warning, "No plan could be made, or a Schedule not be written; tried again.";
    ClaimLabelled = "claim_labelled", Info, "A claim got its group's label for native snapshots, or lost one that this product had put there (or would: `dry_run`).";
    ClaimLabelFailed = "claim_label_failed", Warning, "Claims were not labelled for native snapshots, such as those of a namespace that refuses; tried again.";
    BackupMissed = "backup_missed", Warning, "A group has had no successful backup for longer than its Schedules promise.";
    EventsRefused = "events_refused", Warning, "Kubernetes Events cannot be written in a namespace; said once for each.";
    WriteFailed = "write_failed", Warning, "A write did not succeed and will be tried again.";
    Library = "library", Debug, "What a library has to say (only with `--log-level debug`).";
    Error = "error", Error, "Something else does not work.";
    Shutdown = "shutdown", Info, "The process was told to stop, and ends.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const DOCUMENT: &str = include_str!("../../EVENTS.md");

    #[test]
    fn every_event_type_is_documented_and_nothing_else_is() {
        let rows: BTreeSet<String> = EventType::ALL
            .iter()
            .map(|event| format!("| `{}` | {} | {} |", event.as_str(), event.level().as_str(), event.meaning()))
            .collect();
        let (lines, _) = DOCUMENT.split_once("\n# Kubernetes Events").expect("the next chapter");
        let documented: BTreeSet<String> =
            lines.lines().filter(|line| line.starts_with("| `")).map(str::to_owned).collect();
        assert_eq!(documented, rows);
    }

    #[test]
    fn words_are_distinct() {
        let words: BTreeSet<&str> = EventType::ALL.iter().map(|event| event.as_str()).collect();
        assert_eq!(words.len(), EventType::ALL.len());
    }
}
