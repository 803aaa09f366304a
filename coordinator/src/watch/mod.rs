//! What is watched, and how each object is cut down to what decisions use the moment it arrives.

pub mod backups;
pub mod claims;
mod cut_join;
mod follow;
mod hooks;
mod known;
pub mod leases;
pub mod meta;
pub mod pods;
mod selector;
mod snapshot_contents;
mod snapshots;
mod spawn;
pub mod stateful_sets;
mod troubles;
mod velero_server;
mod versions;
pub mod volumes;

pub use spawn::{Scope, spawn_all};
pub use troubles::Troubles;
