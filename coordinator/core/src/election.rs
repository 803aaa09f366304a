//! Who leads: what to do about the leader Lease, from when it was last seen to change.
//!
//! The record is client-go's (`tools/leaderelection`), so that `kubectl` and other tools read it, and so are the times.
//! Whether another holder is dead is judged by how long *this* process has not seen its record change: clocks of two
//! hosts are never compared. Two leaders at once would be harmless (every write is a compare-and-swap); one saves work.

use shared::time::WallTime;

use crate::event::Version;
use crate::time::{Mono, Now};

/// A holder that did not renew for this long is dead, s (client-go's default).
pub const LEADER_LEASE_S: u32 = 15;

/// A leader whose last renewal began this long ago stops leading, ms (client-go's default): 5 s before anybody else may
/// take the Lease, which leaves time for calls that are under way to end.
pub const RENEW_DEADLINE_MS: u64 = 10_000;

/// Renewals, and looks at another's Lease, come this often, ms (client-go's default).
pub const RETRY_PERIOD_MS: u64 = 2_000;

/// The longest duration that is believed, s. A record edited by hand to last for years must not leave the cluster without a leader.
pub(crate) const BELIEVED_LEASE_S_MAX: u32 = 60;

/// `spec.leaseTransitions` is an i32 in the API.
const TRANSITIONS_MAX: u32 = i32::MAX as u32;

/// How many own claims of unknown fate are remembered. One comes each retry period while writes get no answer.
const CLAIMS_MAX: usize = 16;

/// client-go's `LeaderElectionRecord`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `spec.holderIdentity`; nobody after a release.
    pub holder: Option<String>,
    /// `spec.leaseDurationSeconds`.
    pub duration_s: u32,
    /// `spec.acquireTime`.
    pub acquired_at: WallTime,
    /// `spec.renewTime`.
    pub renewed_at: WallTime,
    /// `spec.leaseTransitions`.
    pub transitions: u32,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// There is no Lease: create it.
    Create(Record),
    /// It is free, dead or ours: replace it if it still has this version.
    Write(Record, Version),
    /// Somebody else leads.
    Wait {
        /// Who.
        holder: String,
        /// True when that is another process under our own identity.
        twin: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    record: Record,
    version: Version,
    changed: Mono,
}

/// The times that tell one tenure of a holder from another of the same name.
type Tenure = (WallTime, u32);

/// One process's view of the election.
#[derive(Clone, Debug)]
pub struct Election {
    identity: String,
    seen: Option<Seen>,
    claims: Vec<Tenure>,
    renewed: Option<Mono>,
}

impl Election {
    /// Nothing was read yet.
    pub fn new(identity: String) -> Self {
        Self { identity, seen: None, claims: Vec::new(), renewed: None }
    }

    /// Whether this process leads.
    pub fn leads(&self, now: Mono) -> bool {
        self.renewed.is_some_and(|since| now.ms_since(since) < RENEW_DEADLINE_MS) && self.held_by_us()
    }

    /// How long this process leads without a further renewal, ms; 0 when it does not lead.
    pub fn leads_for_ms(&self, now: Mono) -> u64 {
        match self.renewed {
            Some(since) if self.leads(now) => RENEW_DEADLINE_MS - now.ms_since(since),
            _ => 0,
        }
    }

    /// What the Lease said when it was last read or written, and for how long it has not been seen to change, ms.
    pub fn seen(&self, now: Mono) -> Option<(&Record, u64)> {
        self.seen.as_ref().map(|seen| (&seen.record, now.ms_since(seen.changed)))
    }

    /// Whether the Lease must be read before [`Self::decide`]: what we wrote last is still what we know of a Lease that we hold.
    pub fn must_read(&self, now: Mono) -> bool {
        !self.leads(now)
    }

    /// Takes in what a read of the Lease gave (nothing: it does not exist).
    pub fn observe(&mut self, read: Option<(Record, Version)>, now: Mono) {
        self.seen = read.map(|(record, version)| match &self.seen {
            // Only the record counts: a label that somebody else changes is no sign of life.
            Some(seen) if seen.record == record => Seen { record, version, changed: seen.changed },
            _ => Seen { record, version, changed: now },
        });
        if !self.held_by_us() {
            self.renewed = None;
        }
    }

    /// Says what to do now. Before the returned record is sent, tell [`Self::claim`].
    pub fn decide(&self, now: Now) -> Decision {
        let ours = |acquired_at, transitions| Record {
            holder: Some(self.identity.clone()),
            duration_s: LEADER_LEASE_S,
            acquired_at,
            renewed_at: now.wall,
            transitions,
        };
        let Some(seen) = &self.seen else {
            return Decision::Create(ours(now.wall, 0));
        };
        let Seen { record, version, changed } = seen;
        if self.held_by_us() {
            return Decision::Write(ours(record.acquired_at, record.transitions), version.clone());
        }
        let lease_ms = u64::from(record.duration_s.clamp(1, BELIEVED_LEASE_S_MAX)) * 1_000;
        match record.holder.as_deref().filter(|holder| !holder.is_empty()) {
            Some(holder) if now.mono.ms_since(*changed) < lease_ms && !self.is_former_self(holder) => {
                Decision::Wait { holder: holder.to_owned(), twin: holder == self.identity }
            }
            _ => Decision::Write(
                ours(now.wall, record.transitions.saturating_add(1).min(TRANSITIONS_MAX)),
                version.clone(),
            ),
        }
    }

    /// Remembers a record that is about to be sent: when no answer comes it may have been written all the same.
    pub fn claim(&mut self, record: &Record) {
        let tenure = (record.acquired_at, record.transitions);
        if !self.claims.contains(&tenure) {
            self.claims.push(tenure);
        }
        let excess = self.claims.len().saturating_sub(CLAIMS_MAX);
        self.claims.drain(..excess);
    }

    /// Takes in that `record` was written; `sent` is when the call began, because another's patience may count from then.
    pub fn written(&mut self, record: Record, version: Version, sent: Mono) {
        self.claims = vec![(record.acquired_at, record.transitions)];
        self.seen = Some(Seen { record, version, changed: sent });
        self.renewed = Some(sent);
    }

    /// Takes in that somebody else wrote first: what we know of the Lease is old, so we do not lead before it was read again.
    /// (What was seen stays, to notice whether it changed.)
    pub fn conflicted(&mut self) {
        self.renewed = None;
    }

    /// The record that gives the Lease up, if it is ours (client-go's `ReleaseOnCancel`).
    pub fn release(&self, now: Now) -> Option<(Record, Version)> {
        let seen = self.seen.as_ref().filter(|_| self.held_by_us())?;
        let free = Record {
            holder: None,
            // The API wants it positive; 1 s is what client-go writes.
            duration_s: 1,
            acquired_at: now.wall,
            renewed_at: now.wall,
            transitions: seen.record.transitions,
        };
        Some((free, seen.version.clone()))
    }

    fn held_by_us(&self) -> bool {
        self.seen.as_ref().is_some_and(|Seen { record, .. }| {
            record.holder.as_deref() == Some(&self.identity)
                && self.claims.contains(&(record.acquired_at, record.transitions))
        })
    }

    /// A process that starts anew under the name of the holder follows a dead one: a pod's name is not given twice at a
    /// time. Only once it has claimed something itself can a foreign tenure under its name be another living process.
    fn is_former_self(&self, holder: &str) -> bool {
        holder == self.identity && self.claims.is_empty()
    }
}

#[cfg(test)]
#[path = "election_tests.rs"]
mod tests;
