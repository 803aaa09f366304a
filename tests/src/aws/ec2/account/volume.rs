//! What is a volume?

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::snapshot::SnapshotId;

/// `vol-` and 17 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VolumeId(String);

impl VolumeId {
    /// The id of the n-th volume.
    pub(super) fn numbered(n: u64) -> Self {
        Self(format!("vol-0{n:016x}"))
    }

    /// Whatever a client named; it need not be there.
    pub fn named(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VolumeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// EBS volume types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VolumeType {
    /// General purpose.
    Gp2,
    /// General purpose.
    #[default]
    Gp3,
    /// Provisioned IOPS.
    Io1,
    /// Provisioned IOPS.
    Io2,
    /// Throughput-optimised disks.
    St1,
    /// Cold disks.
    Sc1,
    /// Magnetic.
    Standard,
}

impl VolumeType {
    /// EC2's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gp2 => "gp2",
            Self::Gp3 => "gp3",
            Self::Io1 => "io1",
            Self::Io2 => "io2",
            Self::St1 => "st1",
            Self::Sc1 => "sc1",
            Self::Standard => "standard",
        }
    }
}

/// The word is no volume type.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no volume type of EBS")]
pub struct NoVolumeType;

impl FromStr for VolumeType {
    type Err = NoVolumeType;

    fn from_str(text: &str) -> Result<Self, NoVolumeType> {
        let all = [Self::Gp2, Self::Gp3, Self::Io1, Self::Io2, Self::St1, Self::Sc1, Self::Standard];
        all.into_iter().find(|t| t.as_str() == text).ok_or(NoVolumeType)
    }
}

/// A volume to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewVolume {
    /// Its size in GiB.
    pub size_gib: u32,
    /// Its type.
    pub volume_type: VolumeType,
    /// E.g. `us-east-1a`.
    pub zone: String,
    /// IOPS, where the type takes them.
    pub iops: Option<u32>,
    /// MiB a second, where the type takes them.
    pub throughput: Option<u32>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// From which snapshot.
    pub snapshot: Option<SnapshotId>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Default for NewVolume {
    /// An empty gp3 volume of 1 GiB in us-east-1a.
    fn default() -> Self {
        Self {
            size_gib: 1,
            volume_type: VolumeType::Gp3,
            zone: "us-east-1a".to_owned(),
            iops: None,
            throughput: None,
            encrypted: false,
            snapshot: None,
            tags: BTreeMap::new(),
        }
    }
}

/// A volume that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its id.
    pub id: VolumeId,
    /// When it was made.
    pub created: Timestamp,
    /// What it is.
    pub what: NewVolume,
}
