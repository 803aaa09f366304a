//! What do VolumeSnapshotContents tell? Errors, the age of one without a handle, and which snapshots are still pending.
//!
//! Each snapshot is evidence at one moment: when its error was written or changed, or when it became late. As long as it stays so the
//! level is throttled, and nothing is raised; but the limit is not lowered again and again for one call that was made before the limit
//! was lowered. (A repeated error text changes nothing in the object, so "no new error" proves nothing either.)

use std::collections::{BTreeMap, VecDeque};

use super::evidence::{Evidence, Level, Silence, Source};
use super::settings::{HANDLE_LATE_MS, RECENT_MS, STUCK_MS};
use super::signals::Reading;
use super::snapshot_error::{Reach, SnapshotError};
use crate::objects::ObjectKey;
use crate::time::Mono;

/// Snapshots that are followed at once; a night of 10,000 volumes whose snapshots all stay pending fits. What is more is not followed.
const FOLLOWED_MAX: usize = 20_000;
/// Handles that are remembered: more than the sidecar can write in [`RECENT_MS`].
const HANDLES_MAX: usize = 4_096;
/// A snapshot that has been pending for longer, ms, is broken rather than large: it no longer counts as in use.
pub const PENDING_MS_MAX: u64 = 86_400_000;

/// A VolumeSnapshotContent of the EBS CSI driver, as far as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The VolumeSnapshot that it is of.
    pub snapshot: ObjectKey,
    /// The annotation `snapshot.storage.kubernetes.io/volumesnapshot-being-created`: the driver was asked and has not answered for good.
    pub being_created: bool,
    /// `status.snapshotHandle` is there: it is cut.
    pub handle: bool,
    /// `status.readyToUse`: `Some(false)` is pending.
    pub ready: Option<bool>,
    /// `status.error.message`, shortened.
    pub error: Option<String>,
}

#[derive(Clone, Debug)]
struct Followed {
    first_seen: Mono,
    /// Since when the driver works on it.
    taken_up: Option<Mono>,
    handle: bool,
    ready: Option<bool>,
    error: Option<(SnapshotError, String)>,
    /// When the error was first seen, and when it last changed.
    error_seen: Mono,
    error_changed: Mono,
}

#[derive(Clone, Debug)]
struct Handle {
    at: Mono,
    after_ms: u64,
    snapshot: ObjectKey,
}

/// All snapshots that are not ready yet, and the handles that came lately.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    visible: bool,
    heard_at: Option<Mono>,
    followed: BTreeMap<ObjectKey, Followed>,
    handles: VecDeque<Handle>,
}

impl Contents {
    /// Whether contents can be watched. While they cannot, nothing that was known of them counts.
    pub fn set_visible(&mut self, visible: bool) {
        self.visible = visible;
        if !visible {
            self.followed.clear();
            self.handles.clear();
        }
    }

    /// Takes a content as it is now.
    pub fn put(&mut self, content: Content, now: Mono) {
        self.heard_at = Some(now);
        let Content { snapshot, being_created, handle, ready, error } = content;
        let known = self.followed.get(&snapshot);
        if handle && ready != Some(false) {
            // Nothing more will be seen of it; but if it was awaited, its handle came just now.
            if let Some(known) = self.followed.remove(&snapshot).filter(|known| !known.handle) {
                self.note_handle(snapshot, &known, now);
            }
            return;
        }
        if known.is_none() && self.followed.len() >= FOLLOWED_MAX {
            return;
        }
        let mut next = known.cloned().unwrap_or(Followed {
            first_seen: now,
            taken_up: None,
            // One that had its handle when it was first seen says nothing about how long that took.
            handle,
            ready,
            error: None,
            error_seen: now,
            error_changed: now,
        });
        if being_created || error.is_some() {
            next.taken_up = next.taken_up.or(Some(now));
        }
        let error = error.map(|text| (SnapshotError::of_text(&text), text));
        if error != next.error {
            if next.error.is_none() {
                next.error_seen = now;
            }
            next.error_changed = now;
            next.error = error;
        }
        next.ready = ready;
        if handle && !next.handle {
            next.handle = true;
            self.note_handle(snapshot.clone(), &next, now);
        }
        self.followed.insert(snapshot, next);
    }

    /// A content is gone.
    pub fn remove(&mut self, snapshot: &ObjectKey, now: Mono) {
        self.heard_at = Some(now);
        self.followed.remove(snapshot);
    }

    fn note_handle(&mut self, snapshot: ObjectKey, of: &Followed, now: Mono) {
        // A snapshot that its own volume held up says nothing about the account.
        if of.error.as_ref().is_some_and(|(error, _)| error.reach() == Reach::Volume) {
            return;
        }
        if self.handles.len() >= HANDLES_MAX {
            self.handles.pop_front();
        }
        let after_ms = now.ms_since(of.taken_up.unwrap_or(of.first_seen));
        self.handles.push_back(Handle { at: now, after_ms, snapshot });
    }

    /// Snapshots that were asked for and are not ready: EC2 works on them, or will.
    pub fn pending(&self, now: Mono) -> impl Iterator<Item = &ObjectKey> {
        let is_pending = move |of: &Followed| {
            now.ms_since(of.first_seen) < PENDING_MS_MAX && (!of.handle || of.ready == Some(false))
        };
        self.followed.iter().filter(move |(_, of)| is_pending(of)).map(|(snapshot, _)| snapshot)
    }

    /// Whether a snapshot is not ready yet.
    pub fn is_pending(&self, snapshot: &ObjectKey) -> bool {
        self.followed.contains_key(snapshot)
    }

    /// What EC2 refused a snapshot for its own volume's sake, and when.
    pub fn refused(&self, snapshot: &ObjectKey) -> Option<(SnapshotError, Mono)> {
        let of = self.followed.get(snapshot)?;
        let (error, _) = of.error.as_ref().filter(|(error, _)| error.reach() == Reach::Volume)?;
        Some((*error, of.error_changed))
    }

    /// Whether time alone can change what it says.
    pub fn awaits_time(&self) -> bool {
        !self.followed.is_empty() || !self.handles.is_empty()
    }

    /// What it says now.
    pub fn reading(&mut self, now: Mono) -> Reading {
        while self.handles.front().is_some_and(|handle| now.ms_since(handle.at) > RECENT_MS) {
            self.handles.pop_front();
        }
        let (level, evidence, at) = self.judge(now);
        Reading { source: Source::Contents, level, evidence, at, heard_at: self.heard_at }
    }

    fn judge(&self, now: Mono) -> (Level, Evidence, Option<Mono>) {
        if !self.visible {
            let why = "VolumeSnapshotContents cannot be watched (not installed, or no right to)".to_owned();
            return (Level::Unknown, Evidence::Nothing(Silence::Unreadable(why)), None);
        }
        let waiting = || self.followed.iter().filter(|(_, of)| !of.handle);
        let is_stuck = |of: &Followed| now.ms_since(of.first_seen) >= STUCK_MS;
        let of_account = |of: &Followed| of.error.as_ref().is_some_and(|(error, _)| error.reach() == Reach::Account);

        let mut errors = 0;
        let mut newest_error: Option<(Mono, &ObjectKey, SnapshotError)> = None;
        let mut late = 0;
        let mut oldest_late: Option<(u64, &ObjectKey)> = None;
        let mut newest_late: Option<Mono> = None;
        let mut not_taken_up = (0, 0);
        let mut stuck = 0;
        for (snapshot, of) in waiting() {
            if is_stuck(of) {
                stuck += 1;
            } else if of_account(of) {
                errors += 1;
                if let Some((error, _)) = &of.error
                    && newest_error.is_none_or(|(at, ..)| at < of.error_changed)
                {
                    newest_error = Some((of.error_changed, snapshot, *error));
                }
            } else if of.error.is_none()
                && let Some(since) = of.taken_up
            {
                let age_ms = now.ms_since(since);
                if age_ms >= HANDLE_LATE_MS {
                    late += 1;
                    newest_late = newest_late.max(Some(since.plus_ms(HANDLE_LATE_MS)));
                    if oldest_late.is_none_or(|(longest, _)| longest < age_ms) {
                        oldest_late = Some((age_ms, snapshot));
                    }
                }
            } else if of.taken_up.is_none() && now.ms_since(of.first_seen) >= HANDLE_LATE_MS {
                not_taken_up = (not_taken_up.0 + 1, not_taken_up.1.max(now.ms_since(of.first_seen)));
            }
        }
        let late_at = newest_late;
        if let Some((at, snapshot, error)) = newest_error {
            let evidence = Evidence::ContentErrors { error, count: errors, snapshot: snapshot.clone() };
            return (Level::Throttled, evidence, Some(late_at.map_or(at, |late| late.max(at))));
        }
        if let Some((longest_ms, snapshot)) = oldest_late {
            let evidence = Evidence::ContentsWithoutHandle { count: late, longest_ms, snapshot: snapshot.clone() };
            return (Level::Throttled, evidence, late_at);
        }
        if let Some(handle) = self.handles.iter().rev().find(|handle| handle.after_ms >= HANDLE_LATE_MS) {
            let became_late = Mono(handle.at.0.saturating_sub(handle.after_ms - HANDLE_LATE_MS));
            let evidence = Evidence::HandleLate { after_ms: handle.after_ms, snapshot: handle.snapshot.clone() };
            return (Level::Throttled, evidence, Some(became_late));
        }
        if let Some(last) = self.handles.back() {
            let slowest_ms = self.handles.iter().map(|handle| handle.after_ms).max().unwrap_or(0);
            let evidence = Evidence::HandlesInTime { count: self.handles.len(), slowest_ms };
            return (Level::Calm, evidence, Some(last.at));
        }
        let evidence = match (not_taken_up, stuck) {
            ((1.., longest_ms), _) => Evidence::ContentsNotTakenUp { count: not_taken_up.0, longest_ms },
            (_, 1..) => Evidence::ContentsStuck { count: stuck },
            _ => Evidence::Nothing(Silence::Idle),
        };
        (Level::Unknown, evidence, None)
    }
}

#[cfg(test)]
#[path = "contents_tests.rs"]
mod tests;
