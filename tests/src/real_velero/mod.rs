//! What does Velero do here, really? Its own server with its AWS plugin, on a real kube-apiserver, with hooks that a stand-in kubelet
//! really starts inside the pods' own root folders.
//!
//! [`RealBed`] is the cluster around it: control plane, bucket, node. [`RealVelero`] is the server; it has the simulator's interface
//! ([`crate::velero::Velero`]) and writes the same kind of truth log, from sources that know nothing of the product: the kubelet's log
//! of execs, the CSI stand-in's cuts, Velero's own log, and the phases of its Backups. Both need [`crate::isolated`]: Velero listens on
//! `*:8080`, and the kubelet's containers want a mount namespace.

mod attribution;
mod bed;
mod bucket;
mod chain;
mod cluster;
mod follow;
mod kubelet_log;
mod phases;
mod process;
mod programs;
mod restore;
mod server;
mod server_log;
mod tail;

pub use bed::{IMAGE_HOOK_AGENT, Image, NODE, RealBed};
pub use chain::{SnapshotChain, prepare_with_chain};
pub use follow::Mounts;
pub use programs::{RealPrograms, prepare};
pub use restore::restore_into;
pub use server::{RealSettings, RealVelero};
