//! Test equipment.

pub mod api;
pub mod aws;
pub mod bench;
pub mod binaries;
pub mod conformance;
pub mod control_plane;
pub mod coordinator_bed;
pub mod coordinator_process;
pub mod demo;
pub mod isolated;
pub mod original;
pub mod original_real;
pub mod pair;
pub mod real_velero;
pub mod velero;
pub mod velero_suite;
