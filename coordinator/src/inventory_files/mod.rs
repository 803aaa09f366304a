//! The cluster's facts from files: what `kubectl get pv,pvc,sts,pods,schedules.velero.io,backups.velero.io -A -o json` (or `yaml`)
//! prints, in any number of files, with standard input as `-`.
//!
//! Objects are cut down to facts one by one while they are read: a dump of a gigabyte needs the memory of its facts.

pub mod document;
mod facts;
mod limited;
pub mod objects;
mod source;

use coordinator_core::inventory::facts::Facts;
use serde_json::Value;

pub use source::{Content, ReadError, read, read_objects};

/// Takes one object, where the inventory holds its kind.
pub fn put(object: Value, to: &mut Facts) {
    match facts::take(object, None) {
        facts::Taken::Fact(fact) => to.put(fact),
        facts::Taken::Other => {}
        facts::Taken::Unreadable(finding) => to.findings.push(finding),
    }
}
