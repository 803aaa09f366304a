//! What does a Backup's log say, and what of it is counted?

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::velero::hook_calls::{HookCall, HookPhase};
use crate::velero::object_name::ObjectName;
use crate::velero::truth::{Fact, LogLevel, TruthLog};

/// The log of one Backup, and its counters. Error lines make the Backup `PartiallyFailed`; warnings only count.
#[derive(Debug)]
pub(super) struct Journal {
    backup: String,
    truth: TruthLog,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    errors: u64,
    warnings: u64,
    /// What was attempted, and whether it failed; one entry a hook, however often it ran (`hook_tracker.go`).
    hooks: BTreeMap<HookKey, bool>,
}

/// Names one hook of one pod.
pub(super) type HookKey = (ObjectName, HookPhase, String, usize);

impl Journal {
    pub(super) fn new(backup: String, truth: TruthLog) -> Self {
        Self { backup, truth, counts: Mutex::default() }
    }

    pub(super) fn info(&self, message: String) {
        self.line(LogLevel::Info, message);
    }

    pub(super) fn warning(&self, message: String) {
        self.counts().warnings += 1;
        self.line(LogLevel::Warning, message);
    }

    pub(super) fn error(&self, message: String) {
        self.counts().errors += 1;
        self.line(LogLevel::Error, message);
    }

    /// A hook was found; it counts as attempted even when an earlier one's failure keeps it from running.
    pub(super) fn hook_found(&self, key: &HookKey) {
        self.counts().hooks.entry(key.clone()).or_insert(false);
    }

    /// It failed.
    pub(super) fn hook_failed(&self, key: HookKey) {
        self.counts().hooks.insert(key, true);
    }

    pub(super) fn errors(&self) -> u64 {
        self.counts().errors
    }

    pub(super) fn warnings(&self) -> u64 {
        self.counts().warnings
    }

    /// Attempted and failed hooks.
    pub(super) fn hooks(&self) -> (usize, usize) {
        let counts = self.counts();
        (counts.hooks.len(), counts.hooks.values().filter(|failed| **failed).count())
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, level: LogLevel, message: String) {
        self.truth.record(Fact::Logged { backup: self.backup.clone(), level, message });
    }
}

/// The key of the n-th hook of a phase of a pod.
pub(super) fn hook_key(pod: &ObjectName, phase: HookPhase, call: &HookCall, index: usize) -> HookKey {
    (pod.clone(), phase, call.name.clone(), index)
}
