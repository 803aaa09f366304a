//! Test equipment.

pub mod control_plane;
pub mod velero;
