//! What does the design that this product replaces do under a real Velero? Its hooks really run, in bash and with `kubectl`.
//!
//! [`crate::original`] is the same design as a model of its rules; [`Measured::contradictions`] holds what was seen against it.
//!
//! The scripts are our own words for its protocol, call by call (`scripts/`); [`scripts::VARIABLE`] names a folder with the very
//! originals to be run in their place. What had to be adapted so that they can run at all:
//!
//! 1. Its Schedules take `includedResources: [statefulsets]`: no pod, no claim, so no hook and no cut ([`as_scheduled`]). Everything
//!    but that is asked of a Backup that takes the whole namespace.
//! 2. Its installation mounts the scripts into Velero's own pod. They are put into the workloads' images, with bash, `kubectl` and the
//!    right to write markers; but for [`Reading::AsInstalled`], which has none of it.
//! 3. [`Reading::Unquoted`] and [`Reading::Labelled`] are granted from outside, by a `cat` and a `kubectl` that come first in the
//!    workload's `PATH`: the scripts themselves stay as they are.
//! 4. Its coordinator is a `CronJob` of Kubernetes; where no controllers run, [`cron_job::CronJob`] starts it every minute, as an
//!    administrator (its account, Velero's own, is one).
//! 5. Its annotator's labels are set when the pods are made; the group's id is the annotator's.
//! 6. Tests cannot wait 10 minutes: the pre hook's time-out and the coordinator's period may be shorter. Nothing else changes.
//!
//! [`Reading::AsInstalled`]: crate::original::Reading::AsInstalled
//! [`Reading::Unquoted`]: crate::original::Reading::Unquoted
//! [`Reading::Labelled`]: crate::original::Reading::Labelled

mod backup;
mod bed;
mod cron_job;
mod measured;
pub mod scripts;

pub use backup::as_scheduled;
pub use bed::OriginalBed;
pub use measured::{Measured, MeasuredMember};
