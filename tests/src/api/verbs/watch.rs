//! GET with `watch`: a collection is followed, line by line.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::{Call, Reply, list};
use crate::api::faults::Effect;
use crate::api::form::Form;
use crate::api::kinds::{self, KindId};
use crate::api::selector::Selection;
use crate::api::status::{ApiError, Violation};
use crate::api::store::{self, Change, Event, Key, Revision, Since, Store};

/// How often a watcher that allows bookmarks gets one when nothing happens; the real server sends about one a minute.
const BOOKMARK_INTERVAL_S: u64 = 60;
/// How long a watch lasts when the client names no end. The real server picks 30 to 60 minutes (`--min-request-timeout`).
const WATCH_DURATION_S: u64 = 1_800;
/// Lines are sent together up to this size: thousands of initial objects one by one would cost thousands of writes.
const CHUNK_BYTES: usize = 64 * 1024;

const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// A running watch: hands out its lines in chunks until it ends.
#[derive(Debug)]
pub struct Feed {
    store: Arc<Store>,
    kind: KindId,
    form: Form,
    selection: Selection,
    pending: VecDeque<Bytes>,
    events: Option<mpsc::Receiver<Arc<Event>>>,
    /// Everything up to here has been told, or is pending.
    revision: Revision,
    /// The line told last, for a fault that tells it again.
    last: Option<Bytes>,
    bookmarks: bool,
    next_bookmark: Instant,
    end: Instant,
}

/// Starts a watch.
pub fn start(call: &Call<'_>) -> Result<Reply, ApiError> {
    let query = &call.request.query;
    let selection = Selection::of(call.request)?;
    let asked = list::asked_revision(call)
        .map_err(|e| ApiError::new(500, "", e.message.replace("invalid resource version: ", "")))?;
    let initial_events = query.flag("sendInitialEvents");
    if initial_events && query.get("resourceVersionMatch") != Some("NotOlderThan") {
        let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        return Err(ApiError::invalid_options("ListOptions", &Violation::forbidden("resourceVersionMatch", why)));
    }
    let since = match asked {
        Some(revision) if !initial_events => Since::After(revision),
        _ => Since::Now,
    };
    let duration_s =
        query.get("timeoutSeconds").and_then(|s| s.parse().ok()).filter(|s| *s > 0).unwrap_or(WATCH_DURATION_S);
    let now = Instant::now();
    let mut feed = Feed {
        store: Arc::clone(&call.core.store),
        kind: call.request.kind,
        form: call.form,
        selection,
        pending: VecDeque::new(),
        events: None,
        revision: 0,
        last: None,
        bookmarks: query.flag("allowWatchBookmarks"),
        next_bookmark: now + Duration::from_secs(BOOKMARK_INTERVAL_S),
        end: now + Duration::from_secs(duration_s),
    };
    match call.core.store.subscribe(feed.kind, &feed.selection.scope, since) {
        Err(oldest) => {
            // The watch cache says so inside the stream, with status 200 (cacher.go, newErrWatcher).
            let error =
                ApiError::expired(format!("too old resource version: {} ({oldest})", asked.unwrap_or_default()));
            feed.pending.push_back(store::line("ERROR", error.body().to_string().as_bytes()));
        }
        Ok(subscription) => {
            feed.revision = subscription.revision.max(asked.unwrap_or_default());
            feed.events = Some(subscription.events);
            for object in subscription.initial.iter().filter(|o| feed.selection.chooses(&o.value)) {
                feed.pending.push_back(store::line("ADDED", &object.rendered(feed.form)));
            }
            if initial_events && feed.bookmarks {
                feed.pending.push_back(feed.bookmark(true));
            }
            for event in &subscription.backlog {
                feed.pending.extend(feed.tell(event));
            }
        }
    }
    Ok(Reply::Watch(Box::new(feed)))
}

/// Asks which fault strikes an event of the object with this key.
pub type Strikes<'a> = &'a (dyn Fn(&Key) -> Option<Effect> + Sync);

impl Feed {
    /// The next lines; `None` when the watch is over.
    pub async fn next(&mut self, strikes: Strikes<'_>) -> Option<Bytes> {
        while self.pending.is_empty() {
            let wake = if self.bookmarks { self.end.min(self.next_bookmark) } else { self.end };
            let events = self.events.as_mut()?;
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.take(&event, strikes),
                    None => return None,
                },
                () = sleep_until(wake) => {
                    if self.bookmarks {
                        self.catch_up(strikes);
                        self.pending.push_back(self.bookmark(false));
                    }
                    if wake == self.end {
                        self.events = None;
                    }
                    self.next_bookmark = Instant::now() + Duration::from_secs(BOOKMARK_INTERVAL_S);
                }
            }
        }
        self.drain(strikes);
        Some(self.chunk())
    }

    fn drain(&mut self, strikes: Strikes<'_>) {
        while let Some(event) = self.events.as_mut().and_then(|e| e.try_recv().ok()) {
            self.take(&event, strikes);
        }
    }

    /// Brings the feed to the store's newest revision: what was written before it is in the channel by now.
    fn catch_up(&mut self, strikes: Strikes<'_>) {
        let newest = self.store.revision();
        self.drain(strikes);
        self.revision = self.revision.max(newest);
    }

    fn take(&mut self, event: &Arc<Event>, strikes: Strikes<'_>) {
        // A watch may have been asked for from a revision that is yet to come.
        if event.revision <= self.revision {
            return;
        }
        self.revision = event.revision;
        let Some(line) = self.tell(event) else { return };
        match strikes(&event.key) {
            Some(Effect::DropEvent) => return,
            Some(Effect::EndWatch) => {
                self.events = None;
                return;
            }
            Some(Effect::ReplayEvent) => {
                self.pending.push_back(line.clone());
                self.pending.extend(self.last.clone());
            }
            _ => {}
        }
        self.last = Some(line.clone());
        self.pending.push_back(line);
    }

    fn chunk(&mut self) -> Bytes {
        if self.pending.len() == 1 {
            return self.pending.pop_front().unwrap_or_default();
        }
        let mut out = BytesMut::new();
        while let Some(line) = self.pending.front().filter(|l| out.is_empty() || out.len() + l.len() <= CHUNK_BYTES) {
            out.extend_from_slice(line);
            self.pending.pop_front();
        }
        out.freeze()
    }

    /// How an event looks from inside the selection: objects come into it and leave it.
    fn tell(&self, event: &Event) -> Option<Bytes> {
        let was = event.before.as_ref().is_some_and(|b| self.selection.chooses(&b.value));
        let is = event.change != Change::Deleted && self.selection.chooses(&event.object.value);
        match (was, is) {
            (false, true) => Some(event.line(Change::Added, self.form)),
            (true, true) => Some(event.line(Change::Modified, self.form)),
            (true, false) if event.change == Change::Deleted => Some(event.line(Change::Deleted, self.form)),
            (true, false) => Some(event.line_left(self.form)),
            (false, false) => None,
        }
    }

    fn bookmark(&self, initial_events_end: bool) -> Bytes {
        let mut metadata = json!({"resourceVersion": self.revision.to_string(), "creationTimestamp": null});
        if initial_events_end {
            metadata["annotations"] = json!({INITIAL_EVENTS_END: "true"});
        }
        let kind = kinds::kind(self.kind);
        let object = match self.form {
            Form::Full => json!({"kind": kind.kind, "apiVersion": kind.api_version(), "metadata": metadata}),
            Form::Metadata => store::partial(&metadata),
        };
        store::line("BOOKMARK", object.to_string().as_bytes())
    }
}
