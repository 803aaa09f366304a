//! What would the design that this product replaces have done in the same backup? Its rules on virtual time, nothing run.
//!
//! The original waits in a shell hook: it writes a marker (a `ConfigMap`), then asks every 10 s whether a coordinator, a
//! `CronJob` of every minute, has set a "proceed" marker. [`play`] plays these rules, one group's backup at a time, over the
//! three ways in which Velero may process the group. Each step names the [`Rule`] it follows from.
//!
//! [`Reading`] says how much is granted that the original does not provide, beginning with the scripts themselves: it mounts
//! them into Velero's own pod, where no hook runs. Granted throughout: a Backup that takes pods and claims at all (the
//! original's own Schedules take `statefulsets` alone, which stores nothing of a volume and runs no hook).

mod markers;
mod outcome;
mod play;
mod rule;

pub use outcome::{MemberOutcome, Outcome, PreEnd, Step, StepKind};
pub use play::{COORDINATOR_EVERY_S, Layout, PRE_TIMEOUT_S, Reading, Scenario, play};
pub use rule::Rule;
