//! Who owns whom? The index that garbage collection reads, kept by every write.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::Value;
use tokio::sync::mpsc;

use super::object::{Change, Event, Key};
use crate::api::kinds::KindId;

/// An object that the garbage collector has to look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Upset {
    /// Its kind.
    pub kind: KindId,
    /// Where it is.
    pub key: Key,
}

/// Uids of all objects, and who names them as owner.
#[derive(Debug)]
pub(super) struct Owners {
    uids: HashSet<String>,
    dependents: HashMap<String, BTreeSet<Upset>>,
    upsets: mpsc::UnboundedSender<Upset>,
}

/// The uids in an object's owner references.
fn owner_uids(object: &Value) -> impl Iterator<Item = &str> {
    object["metadata"]["ownerReferences"].as_array().into_iter().flatten().filter_map(|r| r["uid"].as_str())
}

impl Owners {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Upset>) {
        let (upsets, rx) = mpsc::unbounded_channel();
        (Self { uids: HashSet::new(), dependents: HashMap::new(), upsets }, rx)
    }

    pub(super) fn exists(&self, uid: &str) -> bool {
        self.uids.contains(uid)
    }

    /// Takes note of an event: keeps the index, and reports whoever may have become garbage by it.
    pub(super) fn note(&mut self, kind: KindId, event: &Event) {
        let this = Upset { kind, key: event.key.clone() };
        if let Some(before) = &event.before {
            for uid in owner_uids(&before.value) {
                if let Some(set) = self.dependents.get_mut(uid) {
                    set.remove(&this);
                    if set.is_empty() {
                        self.dependents.remove(uid);
                    }
                }
            }
        }
        let object = &event.object;
        if event.change == Change::Deleted {
            self.uids.remove(object.uid());
            for dependent in self.dependents.get(object.uid()).into_iter().flatten() {
                self.report(dependent.clone());
            }
        } else {
            self.uids.insert(object.uid().to_owned());
            let mut owned = false;
            for uid in owner_uids(&object.value) {
                owned |= !self.uids.contains(uid);
                self.dependents.entry(uid.to_owned()).or_default().insert(this.clone());
            }
            if owned || object.value["metadata"]["deletionTimestamp"].is_string() {
                self.report(this);
            }
        }
    }

    fn report(&self, upset: Upset) {
        // Nobody collects when the collector is switched off: then there is nothing to do about garbage.
        drop(self.upsets.send(upset));
    }
}
