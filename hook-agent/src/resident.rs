//! `hook-agent sidecar`: the pod's resident, in a container of its own with the same claims mounted.
//!
//! It stands by in the pod's member Lease, so that a round of lead mode can call it: it then holds the pod still, before any hook comes.
//!
//! It outlives the workload's container. When a keeper there is killed or stuck, the resident thaws in its place; when the pod is told to stop, it has
//! everything let go. Keeper and resident find each other through the state folder, which both containers see (`/dev/shm` is the pod's own).

pub mod ask;
mod duty;
mod find;
mod lead;
mod obey;
pub mod oversee;
pub mod readiness;
mod registration;
pub mod run;
mod standby;
pub mod wire;
