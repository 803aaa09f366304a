//! What does the store keep of one kind: its objects, its recent events, who listens.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::object::{Event, Key, Revision, Stored};

/// Events a watcher may be behind before it is cut off. A real server does the same (its buffers are 10 to 1000 events); ours is generous,
/// because a test that writes 10,000 objects in one go is no reason to lose a reflector on the same two cores.
pub const WATCHER_BACKLOG_EVENTS: usize = 16_384;

/// Which objects of a kind somebody watches, as far as it can be told without looking at them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only this namespace.
    pub namespace: Option<String>,
    /// Only this name.
    pub name: Option<String>,
}

impl Scope {
    /// Whether an object with this key is in the scope.
    pub fn covers(&self, key: &Key) -> bool {
        self.namespace.as_ref().is_none_or(|n| *n == key.namespace) && self.name.as_ref().is_none_or(|n| *n == key.name)
    }
}

#[derive(Debug)]
struct Watcher {
    scope: Scope,
    tx: mpsc::Sender<Arc<Event>>,
}

/// One kind's part of the store.
#[derive(Debug, Default)]
pub struct Shard {
    pub(super) objects: BTreeMap<Key, Arc<Stored>>,
    history: VecDeque<Arc<Event>>,
    /// Events up to and including this revision are forgotten.
    pub(super) forgotten: Revision,
    watchers: Vec<Watcher>,
}

impl Shard {
    /// An empty shard that remembers nothing of before a revision.
    pub(super) fn starting_at(revision: Revision) -> Self {
        Self { forgotten: revision, ..Self::default() }
    }

    /// Keeps the event, within the bound, and tells everyone whose scope covers it.
    pub(super) fn publish(&mut self, event: &Arc<Event>, history_events_max: usize) {
        self.history.push_back(Arc::clone(event));
        while self.history.len() > history_events_max {
            if let Some(old) = self.history.pop_front() {
                self.forgotten = old.revision;
            }
        }
        self.watchers.retain(|w| {
            if w.scope.covers(&event.key) { w.tx.try_send(Arc::clone(event)).is_ok() } else { !w.tx.is_closed() }
        });
    }

    /// Forgets all events so far, as a compaction does.
    pub(super) fn forget(&mut self, now: Revision) {
        self.history.clear();
        self.forgotten = now;
    }

    /// Ends every watch.
    pub(super) fn hang_up(&mut self) {
        self.watchers.clear();
    }

    pub(super) fn listen(&mut self, scope: Scope) -> mpsc::Receiver<Arc<Event>> {
        let (tx, rx) = mpsc::channel(WATCHER_BACKLOG_EVENTS);
        self.watchers.push(Watcher { scope, tx });
        rx
    }

    /// Kept events after a revision, oldest first; `None` when some of them are forgotten.
    pub(super) fn since(&self, after: Revision, scope: &Scope) -> Option<Vec<Arc<Event>>> {
        if after < self.forgotten {
            return None;
        }
        let from = self.history.partition_point(|e| e.revision <= after);
        Some(self.history.range(from..).filter(|e| scope.covers(&e.key)).cloned().collect())
    }

    /// Objects in the scope, in key order.
    pub(super) fn list(&self, scope: &Scope) -> Vec<Arc<Stored>> {
        match (&scope.namespace, &scope.name) {
            (Some(namespace), Some(name)) => {
                self.objects.get(&Key::new(namespace, name)).cloned().into_iter().collect()
            }
            (Some(namespace), None) => {
                let inside =
                    self.objects.range(Key::new(namespace, "")..).take_while(|(k, _)| k.namespace == *namespace);
                inside.map(|(_, o)| Arc::clone(o)).collect()
            }
            (None, _) => self.objects.iter().filter(|(k, _)| scope.covers(k)).map(|(_, o)| Arc::clone(o)).collect(),
        }
    }

    /// Objects in the scope as they were at a revision; `None` when that is forgotten.
    pub(super) fn list_at(&self, revision: Revision, scope: &Scope) -> Option<Vec<Arc<Stored>>> {
        let undo = self.since(revision, scope)?;
        if undo.is_empty() {
            return Some(self.list(scope));
        }
        let mut objects: BTreeMap<Key, Arc<Stored>> =
            self.list(scope).into_iter().map(|o| (Key::of(&o.value), o)).collect();
        for event in undo.iter().rev() {
            match &event.before {
                Some(before) => objects.insert(event.key.clone(), Arc::clone(before)),
                None => objects.remove(&event.key),
            };
        }
        Some(objects.into_values().collect())
    }
}
