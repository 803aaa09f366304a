//! Which watches do not work now, and which of that is worth a line: each trouble once, and again only while it lasts.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use coordinator_core::reason::Reason;
use coordinator_core::report::{Report, Subject};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::api::{Trouble, TroubleKind};
use crate::kind::Kind;
use crate::log::{EventType, Fields, Log};
use crate::metrics::Metrics;
use crate::publish::Publisher;

/// A trouble that lasts is said again this often, ms.
const SAID_AGAIN_AFTER_MS: u64 = 60_000;

/// So many failures in a row are more than a connection that broke.
const FAILURES_BEFORE_SAID: u32 = 3;

#[derive(Debug)]
struct Broken {
    trouble: Trouble,
    failures: u32,
    said: Option<Instant>,
}

impl Broken {
    /// Whether it is more than a connection that broke.
    fn lasts(&self) -> bool {
        at_once(self.trouble.kind) || self.failures >= FAILURES_BEFORE_SAID
    }
}

/// The troubles of all watches.
pub struct Troubles {
    log: Log,
    metrics: Metrics,
    publisher: Publisher,
    own_pod: Subject,
    broken: Mutex<BTreeMap<Kind, Broken>>,
    /// Tells those in [`Self::settled`] that something changed.
    changed: Notify,
}

impl Troubles {
    /// None yet. What concerns the whole cluster is told about `own_pod`.
    pub fn new(log: Log, metrics: Metrics, publisher: Publisher, own_pod: Subject) -> Self {
        Self { log, metrics, publisher, own_pod, broken: Mutex::new(BTreeMap::new()), changed: Notify::new() }
    }

    /// A watch broke, or could not be started.
    pub fn broke(&self, kind: Kind, trouble: &Trouble) {
        if kind != Kind::LeaderLease {
            self.metrics.watch_restarted(kind);
        }
        let fields = fields(kind, trouble);
        if self.note(kind, trouble) {
            let advice = trouble.advice("read", kind.resource());
            self.log.say(EventType::ApiUnusable, &format!("{}: {trouble}: {advice}", kind.resource()), &fields);
        } else {
            self.log.say(EventType::WatchRestarted, &format!("{}: {trouble}", kind.resource()), &fields);
        }
        self.changed.notify_waiters();
    }

    /// Remembers the trouble; true when it is worth an important line.
    fn note(&self, kind: Kind, trouble: &Trouble) -> bool {
        let mut broken = self.lock();
        let again = Duration::from_millis(SAID_AGAIN_AFTER_MS);
        // A server that is down breaks all watches at once: one line says it for all of them.
        let said_for_another = !of_one_kind(trouble.kind)
            && broken.iter().any(|(other, of_other)| {
                *other != kind
                    && of_other.trouble.kind == trouble.kind
                    && of_other.said.is_some_and(|said| said.elapsed() < again)
            });
        let entry = broken.entry(kind).or_insert_with(|| Broken { trouble: trouble.clone(), failures: 0, said: None });
        if entry.trouble.kind != trouble.kind {
            entry.said = None;
        }
        entry.trouble = trouble.clone();
        entry.failures = entry.failures.saturating_add(1);
        let say = entry.lasts() && !said_for_another && entry.said.is_none_or(|said| said.elapsed() >= again);
        if say {
            entry.said = Some(Instant::now());
        }
        say
    }

    /// A watch works again.
    pub fn over(&self, kind: Kind) {
        let was = self.lock().remove(&kind);
        self.changed.notify_waiters();
        if was.is_some_and(|broken| broken.said.is_some()) {
            let fields = Fields::from_iter([("resource".to_owned(), Value::from(kind.resource()))]);
            self.log.say(EventType::ApiUsable, &format!("{} can be watched again", kind.resource()), &fields);
        }
    }

    /// An optional kind cannot be had.
    pub fn absent(&self, kind: Kind, trouble: &Trouble) {
        self.lock().remove(&kind);
        self.changed.notify_waiters();
        let message = format!("{} cannot be read ({trouble}): {}", kind.resource(), kind.without_it());
        self.log.say(EventType::KindAbsent, &message, &fields(kind, trouble));
        self.metrics.readable(kind, false);
        self.tell(Reason::KindUnreadable, &message);
    }

    /// An optional kind that was absent can be had.
    pub fn present(&self, kind: Kind) {
        let fields = Fields::from_iter([("resource".to_owned(), Value::from(kind.resource()))]);
        let message = format!("{} can be read now", kind.resource());
        self.log.say(EventType::KindPresent, &message, &fields);
        self.metrics.readable(kind, true);
        self.tell(Reason::KindReadable, &message);
    }

    fn tell(&self, reason: Reason, note: &str) {
        self.publisher.offer(Report::new(self.own_pod.clone(), None, reason, note));
    }

    /// Waits until all of `kinds` are seen as they are: a watch that broke is at work again, and what it lists anew is in. That takes some
    /// seconds, or the trouble lasts.
    ///
    /// # Errors
    /// The first kind that cannot be read, where that is more than a connection that broke, and why.
    pub async fn settled(&self, kinds: &[Kind]) -> Result<(), (Kind, Trouble)> {
        loop {
            // Before the look, so that what changes after it is not missed.
            let changed = self.changed.notified();
            if let Some(settled) = self.settled_now(kinds) {
                return settled;
            }
            changed.await;
        }
    }

    fn settled_now(&self, kinds: &[Kind]) -> Option<Result<(), (Kind, Trouble)>> {
        let broken = self.lock();
        let of_kinds = || broken.iter().filter(|(kind, _)| kinds.contains(kind));
        if let Some((kind, lasting)) = of_kinds().find(|(_, broken)| broken.lasts()) {
            return Some(Err((*kind, lasting.trouble.clone())));
        }
        of_kinds().next().is_none().then_some(Ok(()))
    }

    /// What does not work now: resource and why, for `/readyz`.
    pub fn now(&self) -> Vec<String> {
        let broken = self.lock();
        broken.iter().map(|(kind, broken)| format!("{}: {}", kind.resource(), broken.trouble)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Kind, Broken>> {
        // A panic while it was held leaves a map that is still whole.
        self.broken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether such a trouble concerns single kinds rather than the API server as a whole.
fn of_one_kind(kind: TroubleKind) -> bool {
    matches!(kind, TroubleKind::Forbidden | TroubleKind::NotFound | TroubleKind::Invalid)
}

/// Whether such a trouble is said the first time: it stays until a person does something, or it took long enough to notice.
fn at_once(kind: TroubleKind) -> bool {
    match kind {
        TroubleKind::Unauthorized
        | TroubleKind::Forbidden
        | TroubleKind::NotFound
        | TroubleKind::Invalid
        | TroubleKind::Silent => true,
        TroubleKind::Conflict
        | TroubleKind::Expired
        | TroubleKind::Overloaded
        | TroubleKind::Garbage
        | TroubleKind::Unreachable => false,
    }
}

fn fields(kind: Kind, trouble: &Trouble) -> Fields {
    let mut fields = Fields::from_iter([("resource".to_owned(), Value::from(kind.resource()))]);
    if let Some(code) = trouble.code {
        fields.insert("code".to_owned(), json!(code));
    }
    fields
}
