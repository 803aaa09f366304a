//! What really happened? A log written by the test bed alone, and what follows from it; nothing here asks the product.

mod fact;
mod log;
mod timeline;
mod verdict;

pub use fact::{CutWay, Entry, ExecId, Fact, LogLevel, Moment, ProcessExit, Reported};
pub use log::{TruthLog, TruthTimeout};
pub use timeline::{CutSeen, HookRun, Quiesce, Step, StepKind, Timeline};
pub use verdict::{Consistency, TruthReason, TruthVerdict, truth_verdict};
