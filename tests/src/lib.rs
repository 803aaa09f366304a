//! Test equipment.

pub mod api;
pub mod control_plane;
pub mod velero;
