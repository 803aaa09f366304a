//! An AWS account's volumes and snapshots: does this call cut, now?
//!
//! Pure: time is an argument, and nothing here knows of requests and answers.

pub mod limits;
pub mod snapshot;
#[cfg(test)]
mod tests;
pub mod volume;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::refusal::Refusal;
use limits::{Limits, Tokens};
use snapshot::{Snapshot, SnapshotId, elapsed};
use volume::{NewVolume, Volume, VolumeId};

/// Most tags of a resource (EC2 user guide, "Tag restrictions").
const TAGS_MAX: usize = 50;

/// Everything that the account has and has done.
#[derive(Debug)]
pub struct Account {
    volumes: BTreeMap<VolumeId, Volume>,
    snapshots: BTreeMap<SnapshotId, Snapshot>,
    limits: Limits,
    tokens: Option<Tokens>,
    last_cut: BTreeMap<VolumeId, Timestamp>,
    /// Of which volume, and until when: a snapshot that is deleted while pending counts on.
    pending: Vec<(VolumeId, Timestamp)>,
    /// What was asked for under a client's token, and what it got: the same request again is the same volume.
    once: BTreeMap<String, (NewVolume, VolumeId)>,
    volumes_made: u64,
    snapshots_made: u64,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            volumes: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            limits: Limits::none(),
            tokens: None,
            last_cut: BTreeMap::new(),
            pending: Vec::new(),
            once: BTreeMap::new(),
            volumes_made: 0,
            snapshots_made: 0,
        }
    }
}

/// A snapshot to cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSnapshot {
    /// Of which volume.
    pub volume: VolumeId,
    /// What it is said to be.
    pub description: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Account {
    /// Sets the limits; a request bucket that differs begins full.
    pub fn set_limits(&mut self, limits: Limits, now: Timestamp) {
        if limits.requests != self.limits.requests {
            self.tokens = limits.requests.map(|bucket| Tokens::full(bucket, now));
        }
        self.limits = limits;
    }

    /// Makes a volume.
    pub fn add_volume(&mut self, what: NewVolume, now: Timestamp) -> &Volume {
        self.volumes_made += 1;
        let id = VolumeId::numbered(self.volumes_made);
        let volume = Volume { id: id.clone(), created: now, what };
        self.volumes.entry(id).insert_entry(volume).into_mut()
    }

    /// Makes a volume of a given id; one of that id is replaced.
    pub fn lay_volume(&mut self, id: VolumeId, what: NewVolume, now: Timestamp) {
        self.volumes.insert(id.clone(), Volume { id, created: now, what });
    }

    /// Makes a volume as a client asks for it, once for each token.
    pub fn create_volume_once(&mut self, token: &str, what: NewVolume, now: Timestamp) -> Result<&Volume, Refusal> {
        let made = self.once.get(token).cloned();
        match made {
            Some((before, id)) if before == what => self.volume(&id),
            Some(_) => Err(Refusal::IdempotentParameterMismatch),
            None => {
                let id = self.create_volume(what.clone(), now)?.id.clone();
                self.once.insert(token.to_owned(), (what, id.clone()));
                self.volume(&id)
            }
        }
    }

    /// Makes a volume as a client asks for it.
    pub fn create_volume(&mut self, mut what: NewVolume, now: Timestamp) -> Result<&Volume, Refusal> {
        check_tags(&what.tags)?;
        if let Some(id) = &what.snapshot {
            let source = self.snapshot(id)?;
            if source.is_pending(now) {
                return Err(Refusal::SnapshotPending);
            }
            if what.size_gib == 0 {
                what.size_gib = source.size_gib;
            }
            if what.size_gib < source.size_gib {
                return Err(Refusal::InvalidParameterValue(format!(
                    "The size of a volume cannot be smaller than its snapshot, {} GiB",
                    source.size_gib
                )));
            }
            what.encrypted |= source.encrypted;
        } else if what.size_gib == 0 {
            return Err(Refusal::MissingParameter("size/snapshot"));
        }
        Ok(self.add_volume(what, now))
    }

    /// Cuts, or says why not. Whether it may and that it did are one step.
    ///
    /// Which limit is named when several are met is this file's choice; AWS documents no order.
    pub fn create_snapshot(
        &mut self,
        new: NewSnapshot,
        pending_for: Duration,
        now: Timestamp,
    ) -> Result<&Snapshot, Refusal> {
        if let (Some(tokens), Some(bucket)) = (&mut self.tokens, self.limits.requests)
            && !tokens.take(bucket, now)
        {
            return Err(Refusal::RequestLimitExceeded);
        }
        check_tags(&new.tags)?;
        self.check_snapshot_limits(&new.volume, now)?;
        let volume = self.volume(&new.volume)?;
        let (size_gib, encrypted) = (volume.what.size_gib, volume.what.encrypted);
        let complete = now + pending_for;
        self.last_cut.insert(new.volume.clone(), now);
        self.pending.push((new.volume.clone(), complete));
        self.snapshots_made += 1;
        let id = SnapshotId::numbered(self.snapshots_made);
        let NewSnapshot { volume, description, tags } = new;
        let snapshot = Snapshot { id: id.clone(), volume, cut: now, complete, size_gib, encrypted, description, tags };
        Ok(self.snapshots.entry(id).insert_entry(snapshot).into_mut())
    }

    fn check_snapshot_limits(&mut self, volume: &VolumeId, now: Timestamp) -> Result<(), Refusal> {
        let volume_type = self.volume(volume)?.what.volume_type;
        if let (Some(gap), Some(last)) = (self.limits.per_volume_gap, self.last_cut.get(volume))
            && elapsed(*last, now) < gap
        {
            return Err(Refusal::SnapshotCreationPerVolumeRateExceeded);
        }
        self.pending.retain(|(_, until)| now < *until);
        let of_volume = self.pending.iter().filter(|(of, _)| of == volume).count();
        if self.limits.pending_per_volume.is_some_and(|max| of_volume >= max.of(volume_type) as usize) {
            return Err(Refusal::ConcurrentSnapshotLimitExceeded);
        }
        if self.limits.pending_per_account.is_some_and(|max| self.pending.len() >= max as usize) {
            return Err(Refusal::PendingSnapshotLimitExceeded);
        }
        if self.limits.snapshots.is_some_and(|max| self.snapshots.len() >= max as usize) {
            return Err(Refusal::SnapshotLimitExceeded);
        }
        Ok(())
    }

    /// Deletes a snapshot; one that is pending goes on counting against the limits.
    pub fn delete_snapshot(&mut self, id: &SnapshotId) -> Result<(), Refusal> {
        let gone = self.snapshots.remove(id);
        gone.map(drop).ok_or_else(|| Refusal::NoSuchSnapshot(id.to_string()))
    }

    /// Deletes a volume; its snapshots stay.
    pub fn delete_volume(&mut self, id: &VolumeId) -> Result<(), Refusal> {
        self.volumes.remove(id).map(drop).ok_or_else(|| Refusal::NoSuchVolume(id.clone()))
    }

    /// Sets tags on volumes and snapshots: all of them or none.
    pub fn create_tags(&mut self, resources: &[String], tags: &BTreeMap<String, String>) -> Result<(), Refusal> {
        for id in resources {
            let mut all = self.tags(id).ok_or_else(|| no_such(id))?.clone();
            all.extend(tags.clone());
            check_tags(&all)?;
        }
        for id in resources {
            if let Some(own) = self.tags_mut(id) {
                own.extend(tags.clone());
            }
        }
        Ok(())
    }

    /// A volume.
    pub fn volume(&self, id: &VolumeId) -> Result<&Volume, Refusal> {
        self.volumes.get(id).ok_or_else(|| Refusal::NoSuchVolume(id.clone()))
    }

    /// A snapshot.
    pub fn snapshot(&self, id: &SnapshotId) -> Result<&Snapshot, Refusal> {
        self.snapshots.get(id).ok_or_else(|| Refusal::NoSuchSnapshot(id.to_string()))
    }

    /// All volumes, in order of their ids.
    pub fn volumes(&self) -> impl Iterator<Item = &Volume> {
        self.volumes.values()
    }

    /// All snapshots, in order of their ids.
    pub fn snapshots(&self) -> impl Iterator<Item = &Snapshot> {
        self.snapshots.values()
    }

    fn tags(&self, id: &str) -> Option<&BTreeMap<String, String>> {
        let volume = self.volumes.get(&VolumeId::named(id)).map(|volume| &volume.what.tags);
        volume.or_else(|| self.snapshots.get(&SnapshotId::named(id)).map(|snapshot| &snapshot.tags))
    }

    fn tags_mut(&mut self, id: &str) -> Option<&mut BTreeMap<String, String>> {
        let volume = self.volumes.get_mut(&VolumeId::named(id)).map(|volume| &mut volume.what.tags);
        volume.or_else(|| self.snapshots.get_mut(&SnapshotId::named(id)).map(|snapshot| &mut snapshot.tags))
    }
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Refusal> {
    if tags.keys().any(|key| key.starts_with("aws:")) {
        return Err(Refusal::InvalidParameterValue(
            "Tag keys starting with 'aws:' are reserved for internal use".to_owned(),
        ));
    }
    if tags.len() > TAGS_MAX { Err(Refusal::TagLimitExceeded) } else { Ok(()) }
}

fn no_such(id: &str) -> Refusal {
    if id.starts_with("snap-") {
        Refusal::NoSuchSnapshot(id.to_owned())
    } else if id.starts_with("vol-") {
        Refusal::NoSuchVolume(VolumeId::named(id))
    } else {
        Refusal::NoSuchResource(id.to_owned())
    }
}
