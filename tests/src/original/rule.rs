//! Which rules make up the original's protocol, and where does each come from?

use std::fmt;

/// A rule that a step follows from. The first group is the original's own, the second is Velero's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Installation: the scripts are mounted into Velero's own pod, and Velero runs hooks in the workloads' pods.
    ScriptsAreElsewhere,
    /// Pre hook script: the group id is what stands behind `=` in the labels file, quotes included, so no marker can be named
    /// after it.
    QuotesStayInGroupId,
    /// Pre hook script: `kubectl create configmap` sets no labels.
    MarkerHasNoLabels,
    /// Charity: the marker carries the labels that the coordinator looks for.
    MarkerIsLabelled,
    /// Pre hook script: an endless loop with `sleep 10`.
    PreAsksEveryTenSeconds,
    /// Pre hook script: it waits, and quiesces nothing.
    NothingIsQuiesced,
    /// Post hook script: only it writes "completed", and it removes the pod's own "waiting".
    OnlyPostWritesCompleted,
    /// Coordinator: counts markers by the labels `app` and `group`.
    CoordinatorCountsByLabel,
    /// Coordinator: releases when somebody waits and as many have completed as wait.
    ReleaseNeedsAsManyCompletedAsWaiting,
    /// Coordinator: after a release it sleeps a minute and then removes the release and all "completed". The run of the next minute
    /// replaces it, but its shell is process 1 of its container and hears no SIGTERM: it wakes within the pod's grace period.
    CleansUpAfterAMinute,
    /// Coordinator: runs so close together that the sleeping one is killed before it wakes; the release stays.
    KilledBeforeCleaningUp,
    /// Coordinator: labelled markers older than an hour are removed.
    OldMarkersAreRemoved,
    /// Schedule: the pre hook's time-out is 10 minutes, `onError: Fail`.
    PreTimesOutAfterTenMinutes,
    /// Velero: a time-out ends no process; the loop goes on in the pod.
    TimeoutKillsNothing,
    /// Velero: a failed pre hook does not keep the volume from being cut.
    FailedPreIsCutAllTheSame,
    /// Velero: a pod whose pre hook failed with `Fail` gets no post hook.
    NoPostAfterFailedPre,
    /// Velero: any failed hook makes the Backup `PartiallyFailed`.
    FailedHookMakesPartiallyFailed,
    /// Velero: pre hooks of one block run one after another, so a hook that waits for a sibling's waits in vain.
    PreHooksAreSerial,
}

impl Rule {
    /// One clause for a reader who has never seen the scripts.
    pub fn text(self) -> &'static str {
        match self {
            Self::ScriptsAreElsewhere => "the scripts are in Velero's pod, and hooks run in the workload's",
            Self::QuotesStayInGroupId => "the group id keeps its quotes, and no marker can bear such a name",
            Self::MarkerHasNoLabels => "the hook's marker has no labels",
            Self::MarkerIsLabelled => "granted: the hook's marker has labels",
            Self::PreAsksEveryTenSeconds => "the hook asks every 10 s, without end",
            Self::NothingIsQuiesced => "the hook waits and quiesces nothing",
            Self::OnlyPostWritesCompleted => "only the post hook writes \"completed\"",
            Self::CoordinatorCountsByLabel => "the coordinator counts markers by label",
            Self::ReleaseNeedsAsManyCompletedAsWaiting => "it releases when as many have completed as wait",
            Self::CleansUpAfterAMinute => "a release is taken back after a minute",
            Self::KilledBeforeCleaningUp => "a run that released is killed before it cleans up",
            Self::OldMarkersAreRemoved => "labelled markers older than an hour are removed",
            Self::PreTimesOutAfterTenMinutes => "the pre hook times out after 10 minutes",
            Self::TimeoutKillsNothing => "a time-out ends no process",
            Self::FailedPreIsCutAllTheSame => "Velero cuts the volume all the same",
            Self::NoPostAfterFailedPre => "after a failed pre hook there is no post hook",
            Self::FailedHookMakesPartiallyFailed => "a failed hook makes the Backup PartiallyFailed",
            Self::PreHooksAreSerial => "Velero runs one pre hook after another",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
