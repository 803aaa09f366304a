//! What would Velero do here? A simulator of its server with the real rules for hooks, blocks, order, time-outs and restarts.
//!
//! The pure part reads a Backup and a cluster and makes item blocks ([`item_blocks`], [`hook_calls`], [`selection`], [`queue`]).
//! The shell ([`Velero`]) watches `Backup` objects, execs hooks as real child processes ([`kubelet`]) and leaves the snapshot
//! objects behind that the real one leaves. All of it writes [`truth`], which knows nothing of the product.

pub mod backup;
pub mod bed;
pub mod cluster;
pub mod go_duration;
pub mod hook_calls;
pub mod inventory;
pub mod item_blocks;
pub mod kubelet;
pub mod object_name;
pub mod queue;
pub mod schedule;
pub mod selection;
mod server;
pub mod settings;
pub mod snapshots;
pub mod snapshotter;
pub mod truth;
pub mod version;

pub use server::{Velero, VeleroError};
pub use settings::{CreationTimes, CutVolume, LostHandovers, VeleroSettings, VolumeMode};
pub use version::VeleroVersion;
