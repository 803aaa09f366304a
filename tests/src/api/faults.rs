//! What goes wrong on purpose, for whom, and how often?

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::kinds;
use super::request::{ResourceRequest, Verb};
use super::store::Key;

/// Names a fault that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FaultId(u64);

/// What a faulty request experiences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It waits first, then goes on as usual (other faults included).
    Delay(Duration),
    /// It is refused with this HTTP status and not carried out: 401, 403, 404, 409, 410, 429, 500, 503 …
    Refuse {
        /// HTTP status.
        code: u16,
        /// Seconds for Retry-After.
        retry_after_s: Option<u32>,
    },
    /// It is not carried out; the answer has status 200 and is no JSON.
    Garbage,
    /// It is carried out, then the connection is cut before a byte of the answer.
    LoseAnswer,
    /// It is carried out; half of the answer arrives, then the connection is cut. A watch is cut in the middle of its next line.
    CutAnswer,
    /// It is not carried out and never answered, until the fault is removed; then the connection is closed.
    Silence,
    /// A list shows the objects as they were so many revisions ago, and says so in its resourceVersion.
    StaleList {
        /// Revisions of the whole server.
        behind: u64,
    },
    /// A watch event is not sent.
    DropEvent,
    /// A watch event is sent, then the one before it once more, then the event again.
    ReplayEvent,
    /// A watch ends before its next event, as a server does that closes it.
    EndWatch,
}

impl Effect {
    /// Whether it strikes the events of running watches rather than requests.
    fn is_of_events(&self) -> bool {
        matches!(self, Self::DropEvent | Self::ReplayEvent | Self::EndWatch)
    }
}

/// How often a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// The first so many matching requests or events.
    First(u64),
    /// Every n-th of them: the n-th, the 2n-th, …
    Every(u64),
    /// All, until the fault is removed.
    UntilRemoved,
}

/// Which requests are struck; what is `None` matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Verb.
    pub verb: Option<Verb>,
    /// Plural, e.g. `leases`.
    pub resource: Option<String>,
    /// Namespace.
    pub namespace: Option<String>,
    /// Name of the object; for lists and watches the name that they select by `metadata.name`; for events the object's.
    pub name: Option<String>,
    /// User as in the request log.
    pub user: Option<String>,
}

impl Target {
    /// Matches everything.
    pub fn any() -> Self {
        Self::default()
    }

    /// Matches this verb only.
    #[must_use]
    pub fn verb(mut self, verb: Verb) -> Self {
        self.verb = Some(verb);
        self
    }

    /// Matches this resource (plural) only.
    #[must_use]
    pub fn resource(mut self, plural: &str) -> Self {
        self.resource = Some(plural.to_owned());
        self
    }

    /// Matches this namespace only.
    #[must_use]
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Matches this object only.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Matches this user only.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    fn fits(&self, request: &ResourceRequest, key: &Key, user: &str) -> bool {
        self.verb.is_none_or(|v| v == request.verb)
            && self.resource.as_ref().is_none_or(|r| *r == kinds::kind(request.kind).plural)
            && self.namespace.as_ref().is_none_or(|n| *n == key.namespace)
            && self.name.as_ref().is_none_or(|n| *n == key.name)
            && self.user.as_ref().is_none_or(|u| u == user)
    }
}

/// A fault to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whom it strikes.
    pub target: Target,
    /// With what.
    pub effect: Effect,
    /// How often.
    pub times: Times,
}

impl Fault {
    /// A fault that strikes until it is removed.
    pub fn new(target: Target, effect: Effect) -> Self {
        Self { target, effect, times: Times::UntilRemoved }
    }

    /// Strikes the first so many only.
    #[must_use]
    pub fn first(mut self, n: u64) -> Self {
        self.times = Times::First(n);
        self
    }

    /// Strikes every n-th only.
    #[must_use]
    pub fn every(mut self, n: u64) -> Self {
        self.times = Times::Every(n);
        self
    }
}

#[derive(Debug)]
struct Active {
    id: FaultId,
    fault: Fault,
    seen: u64,
    struck: u64,
}

impl Active {
    fn strikes(&mut self) -> bool {
        self.seen += 1;
        let strikes = match self.fault.times {
            Times::First(n) => self.seen <= n,
            Times::Every(n) => n > 0 && self.seen.is_multiple_of(n),
            Times::UntilRemoved => true,
        };
        self.struck += u64::from(strikes);
        strikes
    }
}

#[derive(Debug, Default)]
struct Table {
    last: u64,
    active: Vec<Active>,
}

/// The faults of a server.
#[derive(Debug, Default)]
pub struct Faults {
    table: Mutex<Table>,
    /// Lets the usual case, no faults, go without the lock.
    count: AtomicUsize,
    changed: Notify,
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a fault.
    pub fn add(&self, fault: Fault) -> FaultId {
        let mut table = self.lock();
        table.last += 1;
        let id = FaultId(table.last);
        table.active.push(Active { id, fault, seen: 0, struck: 0 });
        self.count.store(table.active.len(), Ordering::Release);
        id
    }

    /// Removes a fault; tells how often it struck, or `None` when it is not there.
    pub fn remove(&self, id: FaultId) -> Option<u64> {
        let mut table = self.lock();
        let struck = table.active.iter().find(|a| a.id == id).map(|a| a.struck);
        table.active.retain(|a| a.id != id);
        self.count.store(table.active.len(), Ordering::Release);
        self.changed.notify_waiters();
        struck
    }

    /// How often a fault has struck so far.
    pub fn struck(&self, id: FaultId) -> Option<u64> {
        self.lock().active.iter().find(|a| a.id == id).map(|a| a.struck)
    }

    /// Removes all faults.
    pub fn clear(&self) {
        self.lock().active.clear();
        self.count.store(0, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// What strikes a request: all delays, then the first other effect.
    pub(super) fn on_request(
        &self,
        request: &ResourceRequest,
        key: &Key,
        user: &str,
    ) -> (Duration, Option<(FaultId, Effect)>) {
        let mut delay = Duration::ZERO;
        if self.count.load(Ordering::Acquire) == 0 {
            return (delay, None);
        }
        let mut table = self.lock();
        for active in table
            .active
            .iter_mut()
            .filter(|a| !a.fault.effect.is_of_events() && a.fault.target.fits(request, key, user))
        {
            let list_only = matches!(active.fault.effect, Effect::StaleList { .. });
            if (list_only && request.verb != Verb::List) || !active.strikes() {
                continue;
            }
            match &active.fault.effect {
                Effect::Delay(more) => delay += *more,
                other => return (delay, Some((active.id, other.clone()))),
            }
        }
        (delay, None)
    }

    /// What strikes an event of a running watch.
    pub(super) fn on_event(&self, request: &ResourceRequest, key: &Key, user: &str) -> Option<Effect> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut table = self.lock();
        let fits = table
            .active
            .iter_mut()
            .filter(|a| a.fault.effect.is_of_events() && a.fault.target.fits(request, key, user));
        fits.into_iter().find_map(|a| a.strikes().then(|| a.fault.effect.clone()))
    }

    /// Waits until a fault is gone.
    pub(super) async fn gone(&self, id: FaultId) {
        loop {
            let changed = self.changed.notified();
            if self.struck(id).is_none() {
                return;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::request::{Route, parse};

    fn strikes(faults: &Faults, method: &str, path: &str) -> Option<Effect> {
        let Route::Resource(request) = parse(method, path, "", |_| true) else { panic!("{path} is no resource") };
        faults.on_request(&request, &request.key(), "u").1.map(|(_, effect)| effect)
    }

    #[test]
    fn faults_strike_whom_and_as_often_as_they_say() {
        let faults = Faults::default();
        let first =
            faults.add(Fault::new(Target::any().verb(Verb::Get).resource("pods").name("a"), Effect::Garbage).first(2));
        for (path, expected) in [
            ("/api/v1/namespaces/n/pods/b", None),
            ("/api/v1/namespaces/n/pods/a", Some(Effect::Garbage)),
            ("/api/v1/namespaces/n/secrets/a", None),
            ("/api/v1/namespaces/n/pods/a", Some(Effect::Garbage)),
            ("/api/v1/namespaces/n/pods/a", None),
        ] {
            assert_eq!(strikes(&faults, "GET", path), expected, "{path}");
        }
        assert_eq!(faults.remove(first), Some(2));
        faults.add(Fault::new(Target::any().user("u"), Effect::LoseAnswer).every(2));
        let struck: Vec<bool> = (0..4).map(|_| strikes(&faults, "GET", "/api/v1/pods").is_some()).collect();
        assert_eq!(struck, [false, true, false, true]);
        faults.clear();
        assert_eq!(strikes(&faults, "GET", "/api/v1/pods"), None);
    }
}
