//! How many volumes may be cut at once, by what EC2 really allows: signals → one assessment → a limiter. Pure, and usable alone.
//!
//! Four sources are watched, each for itself ([`signals::Signals`]): contents of snapshots (`VolumeSnapshotContent`), the EBS CSI
//! driver's counters, CloudWatch, and finished Backups. Each gives a [`signals::Reading`]: calm, throttled or unknown, with the evidence
//! and its age. [`fusion::fuse`] makes one [`fusion::Assessment`] of them, and [`limiter::Limiter`] moves the limit by it: down by half
//! when throttled, up by a step after a calm period in which it was used up, not at all when nothing is known (invariant I8).
//! [`pace::Pace`] is apart from it: what EC2 refuses for one volume holds back that volume's groups alone.

pub mod backups;
pub mod cloudwatch;
pub mod contents;
pub mod days;
pub mod driver;
pub mod evidence;
pub mod exposition;
pub mod fusion;
pub mod limiter;
pub mod pace;
pub mod settings;
pub mod signals;
pub mod snapshot_error;
