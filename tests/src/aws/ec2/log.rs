//! What did EC2 see and do? The truth that receipts are held against.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use super::account::snapshot::SnapshotId;
use super::account::volume::VolumeId;
use super::refusal::Refusal;

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was carried out and answered.
    Done,
    /// A snapshot was cut and the answer went out, perhaps late.
    Cut(SnapshotId),
    /// A snapshot was cut, and the answer was lost on purpose.
    CutUnanswered(SnapshotId),
    /// It was refused; nothing changed.
    Refused(Refusal),
}

/// One call, in the order of decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// When it had arrived.
    pub arrived: Timestamp,
    /// When it was decided upon: the moment of the cut, if it cut.
    pub decided: Timestamp,
    /// `CreateSnapshot`, …; empty when it named none.
    pub action: String,
    /// The volume that it named, if one.
    pub volume: Option<VolumeId>,
    /// Of which attempt of the client, as its SDK says in `amz-sdk-request`: e.g. `attempt=1; max=50`.
    pub attempt: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// Tags that it asked for.
    pub tags: BTreeMap<String, String>,
}

/// One cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// When, by this server's clock: from then on no write is in the snapshot.
    pub at: Timestamp,
    /// Of which volume.
    pub volume: VolumeId,
    /// Which snapshot.
    pub snapshot: SnapshotId,
    /// Its tags as they were then, e.g. `velero.io/backup`.
    pub tags: BTreeMap<String, String>,
}

/// All of it, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// How many calls have arrived, those included that are not decided upon yet.
    pub arrived: usize,
    /// Every call.
    pub calls: Vec<Call>,
    /// Every cut.
    pub cuts: Vec<Cut>,
}

impl Log {
    /// Adds a call, and the cut that it made.
    pub(super) fn add(&mut self, call: Call) {
        if let (Outcome::Cut(snapshot) | Outcome::CutUnanswered(snapshot), Some(volume)) = (&call.outcome, &call.volume)
        {
            self.cuts.push(Cut {
                at: call.decided,
                volume: volume.clone(),
                snapshot: snapshot.clone(),
                tags: call.tags.clone(),
            });
        }
        self.calls.push(call);
    }

    /// The calls of an action.
    pub fn of(&self, action: &str) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(move |call| call.action == action)
    }

    /// How many calls were refused with this code.
    pub fn refused(&self, code: &str) -> usize {
        let refused = |call: &&Call| matches!(&call.outcome, Outcome::Refused(why) if why.code() == code);
        self.calls.iter().filter(refused).count()
    }

    /// The cuts of a volume.
    pub fn cuts_of(&self, volume: &VolumeId) -> impl Iterator<Item = &Cut> {
        self.cuts.iter().filter(move |cut| cut.volume == *volume)
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for call in &self.calls {
            let volume = call.volume.as_ref().map_or("-", VolumeId::as_str);
            writeln!(f, "{} {} {volume} {:?}", call.decided, call.action, call.outcome)?;
        }
        Ok(())
    }
}
