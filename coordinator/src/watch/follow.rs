//! How any kind is followed: list, watch, start over; tell what changed, and what went while nobody looked.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use kube::Resource;
use kube::api::Api;
use kube::runtime::watcher::{self, Event as Seen, watcher};
use serde::de::DeserializeOwned;

use coordinator_core::objects::name_print;

use super::known::{Gone, Known, StandsFor};
use super::troubles::Troubles;
use super::versions;
use crate::api::{ANSWER_TIMEOUT_MS, Trouble, TroubleKind};
use crate::input::{Inbox, Input};
use crate::kind::Kind;

/// The first pause after a watch broke, ms: short, because a round may be open; each further one is twice as long …
const PAUSE_MIN_MS: u64 = 100;
/// … up to this, ms.
const PAUSE_MAX_MS: u64 = 30_000;
/// What went well for this long, beyond its longest pause, is at the first pause again, ms.
const PAUSE_FORGOTTEN_AFTER_MS: u64 = 30_000;
/// An optional kind that is absent is looked for again after this, ms: it may be about to be installed with us …
const ABSENT_PAUSE_MIN_MS: u64 = 1_000;
/// … and later, each time after twice as long, up to this, ms.
const ABSENT_PAUSE_MAX_MS: u64 = 60_000;
/// A kind that could be read counts as absent only after so many refusals in a row (3 s of them): an API server that
/// just started refuses for a moment what it will allow.
const REFUSALS_BEFORE_ABSENT: u32 = 5;
/// A broken watch that gave no error for this long after it was tried again works, even if it had nothing to tell, ms:
/// a call that is not answered ends sooner.
const QUIET_IS_WELL_AFTER_MS: u64 = ANSWER_TIMEOUT_MS + 5_000;

/// What a kind's objects are to us.
pub enum Reduced<G, T> {
    /// Stands for `G`; decisions see `T`.
    Ours(G, T),
    /// None of ours: gone, if it was one before.
    NotOurs,
}

/// What is told of a kind.
pub enum Told<G, T> {
    /// New or changed.
    Is(T),
    /// Gone.
    Gone(G),
    /// Gone, of a kind whose names are not remembered: hashes of the names ([`coordinator_core::objects::name_print`]).
    Vanished(BTreeSet<u64>),
    /// The first list is in, or the kind cannot be had.
    Listed,
    /// An optional kind can be read, or cannot any more.
    Present(bool),
}

/// One kind to follow.
pub struct Source<R, F> {
    /// Which.
    pub kind: Kind,
    /// Where its objects are.
    pub api: Api<R>,
    /// Which of them.
    pub config: watcher::Config,
    /// Cuts an object down.
    pub reduce: F,
}

/// Follows a kind until nobody listens any more. `tell` turns what is told into news for the loop.
pub async fn follow<R, G, T, F>(
    source: Source<R, F>,
    tell: impl Fn(Told<G, T>) -> Option<Input>,
    inbox: Inbox,
    troubles: Arc<Troubles>,
) where
    R: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    G: StandsFor,
    T: Debug,
    F: FnMut(R) -> Reduced<G, T>,
{
    let Source { kind, api, config, reduce } = source;
    let client = api.clone().into_client();
    let mut stream = pin!(watcher(api.clone(), config.clone()));
    let mut follower = Follower {
        kind,
        known: Known::new(),
        reduce,
        pause: Pause::between(PAUSE_MIN_MS, PAUSE_MAX_MS),
        absent_pause: Pause::between(ABSENT_PAUSE_MIN_MS, ABSENT_PAUSE_MAX_MS),
        broken: false,
        refusals: 0,
        listed: false,
        present: None,
        absent_because: None,
    };
    loop {
        let next = if follower.broken {
            let quiet = Duration::from_millis(QUIET_IS_WELL_AFTER_MS);
            tokio::time::timeout(quiet, stream.next()).await.ok()
        } else {
            Some(stream.next().await)
        };
        let mut works = false;
        let (told, pause) = match next {
            None => {
                follower.works(&troubles);
                continue;
            }
            Some(None) => return,
            Some(Some(Ok(seen))) => {
                // A list that has begun, and the first of its objects, say nothing yet: it may break in its middle.
                works = !matches!(seen, Seen::Init | Seen::InitApply(_));
                (follower.take(seen, &troubles), None)
            }
            Some(Some(Err(error))) => {
                let mut trouble = trouble_of(&error);
                if trouble.kind == TroubleKind::NotFound && kind.optional() && follower.present != Some(false) {
                    trouble.said.push_str(&versions::instead_of(&client, kind).await);
                }
                let failed = follower.failed(&trouble, &troubles);
                if follower.present == Some(false) {
                    // All was forgotten. The stream would go on from the version where it was and never list again.
                    stream.set(watcher(api.clone(), config.clone()));
                }
                failed
            }
        };
        for news in told.into_iter().filter_map(&tell) {
            if inbox.send(news).await.is_err() {
                return;
            }
        }
        // Only after its news: who plans waits for this, and is to see them.
        if works {
            follower.works(&troubles);
        }
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
    }
}

struct Follower<G: StandsFor, F> {
    kind: Kind,
    known: Known<G>,
    reduce: F,
    pause: Pause,
    absent_pause: Pause,
    broken: bool,
    refusals: u32,
    listed: bool,
    present: Option<bool>,
    /// Why an absent kind cannot be had, as it was last said: it may first be refused and then not be there at all.
    absent_because: Option<Trouble>,
}

impl<G: StandsFor, F> Follower<G, F> {
    fn take<R, T>(&mut self, seen: Seen<R>, troubles: &Troubles) -> Vec<Told<G, T>>
    where
        R: Resource,
        T: Debug,
        F: FnMut(R) -> Reduced<G, T>,
    {
        match seen {
            Seen::Init => {
                self.known.begin_list();
                Vec::new()
            }
            Seen::InitApply(object) | Seen::Apply(object) => self.put(object),
            Seen::Delete(object) => self.deleted(object),
            Seen::InitDone => {
                if self.present == Some(false) {
                    troubles.present(self.kind);
                }
                let mut told = all_gone(self.known.end_list());
                told.extend(self.now_present(true));
                told.extend(self.now_listed());
                told
            }
        }
    }

    fn works(&mut self, troubles: &Troubles) {
        self.refusals = 0;
        if self.broken {
            self.broken = false;
            troubles.over(self.kind);
        }
    }

    fn put<R, T>(&mut self, object: R) -> Vec<Told<G, T>>
    where
        R: Resource,
        T: Debug,
        F: FnMut(R) -> Reduced<G, T>,
    {
        let name = name_of(&object);
        match (self.reduce)(object) {
            Reduced::NotOurs => all_gone(self.known.remove(name)),
            Reduced::Ours(stands_for, value) => {
                let news = self.known.put(name, &stands_for, &value);
                let is = news.changed.then_some(Told::Is(value));
                news.gone.map(Told::Gone).into_iter().chain(is).collect()
            }
        }
    }

    /// What it stood for is remembered, or else it is what the object itself says at its end.
    fn deleted<R, T>(&mut self, object: R) -> Vec<Told<G, T>>
    where
        R: Resource,
        F: FnMut(R) -> Reduced<G, T>,
    {
        match self.known.remove(name_of(&object)) {
            None => Vec::new(),
            Some(Gone::Was(stood_for)) => vec![Told::Gone(stood_for)],
            Some(Gone::Called(name)) => vec![match (self.reduce)(object) {
                Reduced::Ours(stands_for, _) => Told::Gone(stands_for),
                Reduced::NotOurs => Told::Vanished(BTreeSet::from([name])),
            }],
        }
    }

    fn failed<T>(&mut self, trouble: &Trouble, troubles: &Troubles) -> (Vec<Told<G, T>>, Option<Duration>) {
        let refused = matches!(trouble.kind, TroubleKind::NotFound | TroubleKind::Forbidden);
        self.refusals = if refused { self.refusals.saturating_add(1) } else { 0 };
        let absent = refused && (self.present != Some(true) || self.refusals >= REFUSALS_BEFORE_ABSENT);
        if !(self.kind.optional() && absent) {
            self.broken = true;
            troubles.broke(self.kind, trouble);
            return (Vec::new(), Some(self.pause.next()));
        }
        if self.present != Some(false) || self.absent_because.as_ref() != Some(trouble) {
            troubles.absent(self.kind, trouble);
            self.absent_because = Some(trouble.clone());
        }
        let mut told = all_gone(self.known.forget_all());
        told.extend(self.now_present(false));
        told.extend(self.now_listed());
        (told, Some(self.absent_pause.next()))
    }

    fn now_listed<T>(&mut self) -> Option<Told<G, T>> {
        let first = !self.listed;
        self.listed = true;
        first.then_some(Told::Listed)
    }

    fn now_present<T>(&mut self, present: bool) -> Option<Told<G, T>> {
        let changed = self.kind.optional() && self.present != Some(present);
        self.present = Some(present);
        changed.then_some(Told::Present(present))
    }
}

fn all_gone<G, T>(all: impl IntoIterator<Item = Gone<G>>) -> Vec<Told<G, T>> {
    let (mut told, mut vanished) = (Vec::new(), BTreeSet::new());
    for gone in all {
        match gone {
            Gone::Was(stood_for) => told.push(Told::Gone(stood_for)),
            Gone::Called(name) => {
                vanished.insert(name);
            }
        }
    }
    told.extend((!vanished.is_empty()).then_some(Told::Vanished(vanished)));
    told
}

fn name_of(object: &impl Resource) -> u64 {
    let meta = object.meta();
    name_print(meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
}

fn trouble_of(error: &watcher::Error) -> Trouble {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => Trouble::of(error),
        watcher::Error::WatchError(status) => Trouble::of(&kube::Error::Api(status.clone())),
        watcher::Error::NoResourceVersion => {
            Trouble { kind: TroubleKind::Garbage, code: None, said: "a list without resourceVersion".to_owned() }
        }
    }
}

/// How long to wait after a failure: ever longer, and from the start again after a time without one.
struct Pause {
    min_ms: u64,
    max_ms: u64,
    next_ms: u64,
    last: Option<Instant>,
}

impl Pause {
    fn between(min_ms: u64, max_ms: u64) -> Self {
        Self { min_ms, max_ms, next_ms: min_ms, last: None }
    }

    fn next(&mut self) -> Duration {
        let forgotten = Duration::from_millis(self.max_ms + PAUSE_FORGOTTEN_AFTER_MS);
        if self.last.is_none_or(|last| last.elapsed() > forgotten) {
            self.next_ms = self.min_ms;
        }
        let pause = Duration::from_millis(self.next_ms);
        self.next_ms = (self.next_ms * 2).min(self.max_ms);
        self.last = Some(Instant::now());
        pause
    }
}
