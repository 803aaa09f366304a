//! Where do objects live? In memory, one shard a kind, under one lock; every write is one revision and one event.
//!
//! A write runs as a closure under the lock: it reads what it needs and says what becomes of the object, so that a
//! precondition and the write it guards cannot be separated. Closures are microseconds; nothing waits inside the lock.

mod object;
mod owners;
mod shard;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::mpsc;

pub use object::{Change, Event, Key, Revision, Stored, line, meta_str, partial};
pub use owners::Place;
pub use shard::{Scope, Shard};

use super::kinds::{self, KindId};
use super::status::ApiError;

/// What a write closure decides.
#[derive(Debug)]
pub enum Outcome {
    /// The object becomes this. Equal to what is stored (but for its revision) means no write.
    Put(Value),
    /// The object goes away.
    Remove,
    /// The object goes away; this is how it looks in the event that says so.
    RemoveAs(Value),
    /// Nothing changes.
    Keep,
    /// Nothing changes, but the answer is this (dry run).
    Pretend(Value),
}

/// What a write did.
#[derive(Clone, Debug)]
pub struct Written {
    /// The object after the write; its last state when it was removed.
    pub object: Arc<Stored>,
    /// `None` when nothing changed.
    pub change: Option<Change>,
}

/// What a watch starts with, and what follows.
#[derive(Debug)]
pub struct Subscription {
    /// Events between the asked-for revision and now.
    pub backlog: Vec<Arc<Event>>,
    /// Objects as of now, when the watch starts with them.
    pub initial: Vec<Arc<Stored>>,
    /// Revision of the above.
    pub revision: Revision,
    /// What happens from here on; ends when the server hangs up on this watcher.
    pub events: mpsc::Receiver<Arc<Event>>,
}

/// From where a watch starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// With the objects there are, then changes.
    Now,
    /// With the changes after this revision.
    After(Revision),
}

/// Everything under the lock. Write closures may read it.
#[derive(Debug)]
pub struct State {
    revision: Revision,
    shards: Vec<Shard>,
    owners: owners::Owners,
    history_events_max: usize,
}

impl State {
    /// An object, if there is one.
    pub fn get(&self, kind: KindId, key: &Key) -> Option<&Arc<Stored>> {
        self.shards[kind.0].objects.get(key)
    }

    /// Where the object with this uid is.
    pub fn by_uid(&self, uid: &str) -> Option<&Place> {
        self.owners.place(uid)
    }

    fn commit(&mut self, kind: KindId, key: Key, outcome: Outcome) -> Result<Written, ApiError> {
        let before = self.get(kind, &key).cloned();
        let (change, value) = match (outcome, &before) {
            (Outcome::Pretend(value), _) => return Ok(Written { object: Stored::pretended(value), change: None }),
            (Outcome::Keep, Some(now)) => return Ok(Written { object: Arc::clone(now), change: None }),
            (Outcome::Put(value), Some(now)) if same(&now.value, &value) => {
                return Ok(Written { object: Arc::clone(now), change: None });
            }
            (Outcome::Put(value), Some(_)) => (Change::Modified, value),
            (Outcome::Put(value), None) => (Change::Added, value),
            (Outcome::Remove, Some(now)) => (Change::Deleted, now.value.clone()),
            (Outcome::RemoveAs(value), Some(_)) => (Change::Deleted, value),
            (Outcome::Keep | Outcome::Remove | Outcome::RemoveAs(_), None) => {
                return Err(ApiError::not_found(kinds::kind(kind), &key.name));
            }
        };
        self.revision += 1;
        let object = Stored::new(value, self.revision);
        let shard = &mut self.shards[kind.0];
        if change == Change::Deleted {
            shard.objects.remove(&key);
        } else {
            shard.objects.insert(key.clone(), Arc::clone(&object));
        }
        let event = Event::new(change, key, Arc::clone(&object), before);
        shard.publish(&event, self.history_events_max);
        self.owners.note(kind, &event);
        Ok(Written { object, change: Some(change) })
    }
}

/// Whether a write would change nothing but bookkeeping (the real server then writes nothing and keeps the resourceVersion).
fn same(now: &Value, next: &Value) -> bool {
    alike(now, next, "metadata", |now, next| alike(now, next, "resourceVersion", |_, _| true))
        && untimed(now) == untimed(next)
}

/// Whether two maps agree, apart from one field, which `judge` compares. `managedFields` are left to [`untimed`].
fn alike(a: &Value, b: &Value, field: &str, judge: impl Fn(&Value, &Value) -> bool) -> bool {
    let (Value::Object(a), Value::Object(b)) = (a, b) else { return a == b };
    let counted = |(k, v): &(&String, &Value)| *k != field && *k != "managedFields" && !v.is_null();
    let null = Value::Null;
    a.iter().filter(counted).eq(b.iter().filter(counted))
        && judge(a.get(field).unwrap_or(&null), b.get(field).unwrap_or(&null))
}

/// The entries of `managedFields` without their times.
fn untimed(object: &Value) -> Vec<Vec<(&String, &Value)>> {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    entries.map(|e| e.as_object().into_iter().flatten().filter(|(k, _)| *k != "time").collect()).collect()
}

/// The counter of a fresh server. Nothing is kept from before it, so that a resourceVersion that is surely too old exists from the start, as it
/// does on a real server that has been running for a while.
const FIRST_REVISION: Revision = 1_000;

/// The store; shared by all connections.
#[derive(Debug)]
pub struct Store {
    state: Mutex<State>,
}

impl Store {
    /// An empty store that keeps at most so many events of each kind.
    pub fn new(history_events_max: usize) -> (Self, mpsc::UnboundedReceiver<Place>) {
        let (owners, upsets) = owners::Owners::new();
        let shards = kinds::all().map(|_| Shard::starting_at(FIRST_REVISION)).collect();
        let state = State { revision: FIRST_REVISION, shards, owners, history_events_max };
        (Self { state: Mutex::new(state) }, upsets)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panicking test thread must not turn every later request into a panic: the state is written in one step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads one object.
    pub fn get(&self, kind: KindId, key: &Key) -> Option<Arc<Stored>> {
        self.lock().get(kind, key).cloned()
    }

    /// The newest revision.
    pub fn revision(&self) -> Revision {
        self.lock().revision
    }

    /// Which objects name this uid as an owner.
    pub fn dependents(&self, uid: &str) -> Vec<Place> {
        self.lock().owners.dependents(uid)
    }

    /// Runs a write closure under the lock and carries out what it decides.
    pub fn write(
        &self,
        kind: KindId,
        key: &Key,
        decide: impl FnOnce(&State, Option<&Arc<Stored>>) -> Result<Outcome, ApiError>,
    ) -> Result<Written, ApiError> {
        let mut state = self.lock();
        let outcome = decide(&state, state.get(kind, key))?;
        state.commit(kind, key.clone(), outcome)
    }

    /// Objects in a scope, and the revision they are of.
    pub fn list(&self, kind: KindId, scope: &Scope) -> (Vec<Arc<Stored>>, Revision) {
        let state = self.lock();
        (state.shards[kind.0].list(scope), state.revision)
    }

    /// Objects in a scope as they were at a revision; `None` when the history does not reach back to it.
    pub fn list_at(&self, kind: KindId, scope: &Scope, revision: Revision) -> Option<Vec<Arc<Stored>>> {
        self.lock().shards[kind.0].list_at(revision, scope)
    }

    /// Starts a watch. `Err` holds the oldest revision that could have been asked for.
    pub fn subscribe(&self, kind: KindId, scope: &Scope, since: Since) -> Result<Subscription, Revision> {
        let mut state = self.lock();
        let revision = state.revision;
        let shard = &mut state.shards[kind.0];
        let (initial, backlog) = match since {
            Since::Now => (shard.list(scope), Vec::new()),
            Since::After(after) => (Vec::new(), shard.since(after, scope).ok_or(shard.forgotten)?),
        };
        Ok(Subscription { backlog, initial, revision, events: shard.listen(scope.clone()) })
    }

    /// Forgets all history, as a compaction does: watches from older revisions get 410.
    pub fn compact(&self) {
        let mut state = self.lock();
        let now = state.revision;
        state.shards.iter_mut().for_each(|s| s.forget(now));
    }

    /// Ends every watch of a kind (of all kinds for `None`); clients reconnect.
    pub fn hang_up(&self, kind: Option<KindId>) {
        let mut state = self.lock();
        let chosen = state.shards.iter_mut().enumerate().filter(|(i, _)| kind.is_none_or(|k| k.0 == *i));
        chosen.for_each(|(_, s)| s.hang_up());
    }
}
