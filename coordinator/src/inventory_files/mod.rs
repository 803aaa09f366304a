//! The cluster's facts from files: what `kubectl get pv,pvc,sts,pods,schedules.velero.io,backups.velero.io -A -o json` (or `yaml`)
//! prints, in any number of files, with standard input as `-`.
//!
//! Objects are cut down to facts one by one while they are read: a dump of a gigabyte needs the memory of its facts.

pub mod document;
mod facts;
mod limited;
mod source;

pub use source::{ReadError, read};
