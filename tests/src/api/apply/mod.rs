//! What becomes of an object, and of who owns its fields, when somebody applies or updates it?
//!
//! The algorithm is that of structured-merge-diff (`merge/update.go`): ownership is a set of paths per manager; an apply merges, then drops
//! what the manager used to apply and nobody else owns; a write takes the fields it changes away from their owners, an apply without
//! force is refused instead.

mod field_set;
mod managed;
mod shape;
mod walk;

use serde_json::Value;

pub use field_set::FieldSet;
pub use managed::{Managed, Manager, Operation};
pub use shape::{Place, Relation};

use super::kinds::{Kind, Origin};
use super::status::ApiError;

/// Ownership after a write that is not an apply: the manager gets what it changed. `old` is `Null` for a new object.
pub fn track_update(kind: &Kind, manager: &Manager, old: &Value, new: &mut Value, now: &str) {
    let place = Place::root(kind.origin);
    let mut owned = Managed::kept(old, new);
    let difference = if old.is_null() {
        walk::Difference { changed: walk::fields_of(place, new), removed: FieldSet::default() }
    } else {
        walk::compare(place, old, new)
    };
    owned.yield_to(manager, &difference);
    let mut changed = writable(kind, manager, difference.changed);
    if kind.origin == Origin::BuiltIn {
        // An empty spec is a struct that nobody set anything in.
        changed.below.retain(|element, set| element != "f:spec" || !set.below.is_empty());
    }
    let set = owned.set_of(manager).union(&changed);
    owned.replace(manager, &kind.api_version(), set, now);
    owned.write(new);
}

/// The fields that a write can set at all: without status, or only status, where that is a subresource (`GetResetFields` of the strategies).
fn writable(kind: &Kind, manager: &Manager, mut set: FieldSet) -> FieldSet {
    if kind.status {
        set.below.retain(|element, _| (element == "f:status") == (manager.subresource == "status"));
    }
    set
}

/// What an apply makes of an object.
#[derive(Debug)]
pub struct Applied {
    /// The object after it, without `managedFields`.
    pub object: Value,
    managed: Managed,
    manager: Manager,
}

/// Applies a configuration to a live object (`Null` when there is none).
pub fn apply(
    kind: &Kind,
    manager: &Manager,
    live: &Value,
    config: &Value,
    force: bool,
    now: &str,
) -> Result<Applied, ApiError> {
    let place = Place::root(kind.origin);
    let mut owned = Managed::of(live);
    if !live.is_null() {
        owned.adopt(kind, live, now);
    }
    let applied = writable(kind, manager, walk::fields_of(place, config));
    let dropped = owned.set_of(manager).minus(&applied);
    owned.replace(manager, &kind.api_version(), applied, now);
    let merged = walk::merge(place, live, config);
    let object = walk::take_out(place, &merged, &dropped, &owned.everything()).unwrap_or(merged);
    let difference = walk::compare(place, live, &object);
    if !force {
        owned.check_conflicts(manager, &difference.changed)?;
    }
    owned.yield_to(manager, &difference);
    Ok(Applied { object, managed: owned, manager: manager.clone() })
}

impl Applied {
    /// Ownership to go with the object as it is finally stored: fields that the server did not take over belong to nobody.
    pub fn finish(mut self, kind: &Kind, stored: &mut Value, now: &str) {
        let there = walk::fields_of(Place::root(kind.origin), stored);
        let set = self.managed.set_of(&self.manager).common(&there);
        self.managed.replace(&self.manager, &kind.api_version(), set, now);
        self.managed.write(stored);
    }
}
