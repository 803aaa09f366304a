//! What would the design that this product replaces have done in the same backup? Its rules on virtual time, nothing run.
//!
//! The original waits in a shell hook: it writes a marker (a `ConfigMap`), then asks every 10 s whether a coordinator, a
//! `CronJob` of every minute, has set a "proceed" marker. [`play`] plays these rules, one group's backup at a time, over the
//! three ways in which Velero may process the group. Each step names the [`Rule`] it follows from.
//!
//! Granted throughout, though the original does not provide it: the scripts and `kubectl` are in the workload's image (they
//! are mounted into Velero's own pod, where no hook runs), and its service account may write markers. [`Reading`] says how
//! much more is granted.

mod markers;
mod outcome;
mod play;
mod rule;

pub use outcome::{MemberOutcome, Outcome, PreEnd, Step, StepKind};
pub use play::{Layout, Reading, Scenario, play};
pub use rule::Rule;
