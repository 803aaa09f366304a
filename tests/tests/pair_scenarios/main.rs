//! Coordinator and hook-agents together: do receipts and states agree with what really happened?

mod budget;
mod faults;
mod hooks;
mod layouts;
mod native;
mod nonsense;
mod on_real;
mod pods;
mod quiesce;
mod restarts;
mod wall_clock;
