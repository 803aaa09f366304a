//! What Prometheus is told, under names that begin with `snapshot_coordinator_`.

mod labels;
mod notices;
mod set;

pub use set::Metrics;
