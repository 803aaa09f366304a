//! What Prometheus is told, under names that begin with `snapshot_coordinator_`.

mod labels;
mod notices;
mod schedules;
mod set;

pub use schedules::PlanGauges;
pub use set::Metrics;
