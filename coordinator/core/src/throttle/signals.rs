//! All sources together, and how one reading looks.

use super::backups::{BackupSeen, Backups};
use super::cloudwatch::{Answer, CloudWatch};
use super::contents::{Content, Contents};
use super::driver::{Counters, Driver};
use super::evidence::{Evidence, Level, Silence, Source};
use super::fusion::{Assessment, fuse};
use crate::objects::ObjectKey;
use crate::time::{Mono, Now};

/// What one source says now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Which.
    pub source: Source,
    /// Its word.
    pub level: Level,
    /// What it rests on.
    pub evidence: Evidence,
    /// The moment of that evidence, as near as it is known.
    pub at: Option<Mono>,
    /// When the source was last heard at all, whatever it said.
    pub heard_at: Option<Mono>,
}

/// Whether a source works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It is not set up.
    Off,
    /// It works, though it may have nothing to say.
    Working,
    /// It does not; the evidence says why.
    Failing,
}

impl Health {
    /// Its word in logs, metrics and Leases.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Working => "working",
            Self::Failing => "failing",
        }
    }
}

impl Reading {
    /// Whether the source works.
    pub const fn health(&self) -> Health {
        match &self.evidence {
            Evidence::Nothing(Silence::Off) => Health::Off,
            Evidence::Nothing(
                Silence::Unreadable(_) | Silence::NoSuchMetric(_) | Silence::Nonsense(_) | Silence::Old,
            ) => Health::Failing,
            _ => Health::Working,
        }
    }
}

/// Something that a source has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A content appeared or changed.
    Content(Content),
    /// A content is gone; the key is its VolumeSnapshot's.
    ContentGone(ObjectKey),
    /// A driver endpoint was scraped.
    Scraped(String, Counters),
    /// A driver endpoint could not be scraped, and why.
    ScrapeFailed(String, String),
    /// The driver endpoints that there are; why there is none.
    Targets(Vec<String>, Option<String>),
    /// CloudWatch was asked.
    CloudWatch(Answer),
    /// A Backup appeared or changed.
    Backup(BackupSeen),
    /// A Backup is gone.
    BackupGone(ObjectKey),
}

/// All sources.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    /// VolumeSnapshotContents.
    pub contents: Contents,
    /// The EBS CSI driver.
    pub driver: Driver,
    /// CloudWatch.
    pub cloudwatch: CloudWatch,
    /// Finished Backups.
    pub backups: Backups,
}

impl Signals {
    /// Takes in what a source tells.
    pub fn hear(&mut self, signal: Signal, now: Mono) {
        match signal {
            Signal::Content(content) => self.contents.put(content, now),
            Signal::ContentGone(snapshot) => self.contents.remove(&snapshot, now),
            Signal::Scraped(target, counters) => self.driver.scraped(&target, &counters, now),
            Signal::ScrapeFailed(target, why) => self.driver.failed(&target, why, now),
            Signal::Targets(targets, why) => self.driver.keep(&targets, why, now),
            Signal::CloudWatch(answer) => self.cloudwatch.answered(answer, now),
            Signal::Backup(seen) => self.backups.seen(seen, now),
            Signal::BackupGone(backup) => self.backups.gone(&backup),
        }
    }

    /// What each source says now, in the order of [`Source::ALL`].
    pub fn readings(&mut self, now: Now) -> [Reading; 4] {
        [
            self.contents.reading(now.mono),
            self.driver.reading(now.mono),
            self.cloudwatch.reading(now),
            self.backups.reading(now.mono),
        ]
    }

    /// What they say together.
    pub fn assess(&mut self, now: Now) -> Assessment {
        fuse(&self.readings(now))
    }
}
