//! Who owns whom? The index that garbage collection reads, kept by every write.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;
use tokio::sync::mpsc;

use super::object::{Change, Event, Key};
use crate::api::kinds::{self, KindId};

/// Where an object is in the whole store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its kind.
    pub kind: KindId,
    /// Where it is within the kind.
    pub key: Key,
}

/// Places of all objects by uid, and who names them as owner.
#[derive(Debug)]
pub(super) struct Owners {
    places: HashMap<String, Place>,
    dependents: HashMap<String, BTreeSet<Place>>,
    upset: mpsc::UnboundedSender<Place>,
}

/// The uids in an object's owner references.
fn owner_uids(object: &Value) -> impl Iterator<Item = &str> {
    object["metadata"]["ownerReferences"].as_array().into_iter().flatten().filter_map(|r| r["uid"].as_str())
}

impl Owners {
    /// An empty index, and the objects that a collector has to look at because of some write.
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Place>) {
        let (upset, rx) = mpsc::unbounded_channel();
        (Self { places: HashMap::new(), dependents: HashMap::new(), upset }, rx)
    }

    pub(super) fn place(&self, uid: &str) -> Option<&Place> {
        self.places.get(uid)
    }

    pub(super) fn dependents(&self, uid: &str) -> Vec<Place> {
        self.dependents.get(uid).into_iter().flatten().cloned().collect()
    }

    /// Takes note of an event: keeps the index, and reports whoever may have become garbage by it.
    pub(super) fn note(&mut self, kind: KindId, event: &Event) {
        let this = Place { kind, key: event.key.clone() };
        for uid in event.before.iter().flat_map(|before| owner_uids(&before.value)) {
            if let Some(set) = self.dependents.get_mut(uid) {
                set.remove(&this);
                if set.is_empty() {
                    self.dependents.remove(uid);
                }
            }
        }
        if event.change == Change::Deleted {
            self.note_deleted(event);
        } else {
            self.note_stored(this, event);
        }
    }

    fn note_deleted(&mut self, event: &Event) {
        let object = &event.object;
        self.places.remove(object.uid());
        for dependent in self.dependents(object.uid()) {
            self.report(dependent);
        }
        // An owner, or the Namespace, may be waiting for this one to go.
        let owners: Vec<Place> = owner_uids(&object.value).filter_map(|uid| self.places.get(uid).cloned()).collect();
        for owner in owners {
            self.report(owner);
        }
        if let Some(kind) = kinds::by_type("v1", "Namespace").filter(|_| !event.key.namespace.is_empty()) {
            self.report(Place { kind, key: Key::new("", &event.key.namespace) });
        }
    }

    fn note_stored(&mut self, this: Place, event: &Event) {
        let object = &event.object;
        self.places.insert(object.uid().to_owned(), this.clone());
        for uid in owner_uids(&object.value) {
            self.dependents.entry(uid.to_owned()).or_default().insert(this.clone());
        }
        // Whether its owners are there is looked at whenever it names new ones.
        let references = &object.value["metadata"]["ownerReferences"];
        let before = event.before.as_ref().map_or(&Value::Null, |before| &before.value["metadata"]["ownerReferences"]);
        if references != before || object.value["metadata"]["deletionTimestamp"].is_string() {
            self.report(this);
        }
    }

    fn report(&self, upset: Place) {
        // Nobody collects when the collector is switched off: then there is nothing to do about garbage.
        drop(self.upset.send(upset));
    }
}
