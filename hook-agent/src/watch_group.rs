//! What the coordinator says: the one group Lease as it changes, through reconnects, errors and nonsense.

use std::time::Duration;

use futures::Stream;
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use k8s_openapi::api::coordination::v1::Lease;
use kube::core::WatchEvent;
use shared::LeaseError;
use shared::group_lease::GroupLease;
use shared::identity::{LeaseName, shorten};
use tokio::time::{Instant, timeout, timeout_at};

use crate::call::{ANSWER_BYTES_MAX, CallError};
use crate::failure::Cause;
use crate::leases::Leases;
use crate::retry::{Pauses, call_limit};
use shared::deadline::CALL_TIMEOUT_MS;

/// The server ends a watch after this, s, and the agent opens the next one, which begins with the Lease as it is: so a
/// connection that died unnoticed (a NAT entry that was dropped) is noticed within this time. Two requests a minute.
pub const WATCH_S: u32 = 30;

/// The agent gives up on a watch this much later than the server should have ended it, ms.
const WATCH_GRACE_MS: u64 = 5_000;

/// A server sends the Lease as it is right after the head of a watch. When nothing came for this long, ms, there is none.
const FIRST_EVENT_MS: u64 = 1_000;

/// A watch that ended sooner than this, ms, is not opened again at once.
const WATCH_MIN_MS: u64 = 1_000;

/// What was heard about the group.
#[derive(Debug)]
pub enum Heard {
    /// A watch is open; nothing was said yet.
    Connected,
    /// The Lease as it is now.
    Lease(Box<GroupLease>),
    /// There is no Lease (any more).
    Absent,
    /// The Lease is somebody else's, or was edited into nonsense.
    Nonsense(LeaseError),
    /// The watch failed and is opened again after a pause.
    Lost(CallError),
    /// The API server refuses the watch, again and again.
    Refused(CallError),
}

/// An endless row of what is heard about the Lease `name`, by watches of `watch_s` seconds. Polling it again after dropping a `next()` loses nothing.
pub fn group_words(leases: Leases, name: LeaseName, watch_s: u32) -> impl Stream<Item = Heard> {
    let ear = Ear { leases, name, watch_s, pauses: Pauses::new(), pause_ms: 0, refusals: 0, open: None };
    futures::stream::unfold(ear, |mut ear| async {
        let heard = ear.listen().await;
        Some((heard, ear))
    })
}

struct Ear {
    leases: Leases,
    name: LeaseName,
    watch_s: u32,
    pauses: Pauses,
    pause_ms: u64,
    refusals: u32,
    open: Option<Open>,
}

struct Open {
    lines: EventLines<Incoming>,
    since: Instant,
    first: bool,
}

impl Ear {
    async fn listen(&mut self) -> Heard {
        loop {
            let Some(open) = &mut self.open else { return self.connect().await };
            let event = if open.first {
                let event = timeout(Duration::from_millis(FIRST_EVENT_MS), open.lines.next()).await;
                open.first = false;
                let Ok(event) = event else { return Heard::Absent };
                event
            } else {
                let end = open.since + Duration::from_secs(self.watch_s.into()) + Duration::from_millis(WATCH_GRACE_MS);
                timeout_at(end, open.lines.next()).await.unwrap_or(Ok(None))
            };
            match event {
                Ok(Some(WatchEvent::Added(lease) | WatchEvent::Modified(lease))) => return said(&lease),
                Ok(Some(WatchEvent::Deleted(_))) => return Heard::Absent,
                Ok(Some(WatchEvent::Bookmark(_))) => {}
                Ok(Some(WatchEvent::Error(status))) => {
                    // 410 mostly: the server forgot where this watch stood. The next one starts anew.
                    let text = format!("the watch was ended: {} {}", status.code, shorten(&status.message));
                    self.close();
                    return Heard::Lost(CallError::Garbage { why: text });
                }
                Ok(None) => self.close(),
                Err(e) => {
                    self.close();
                    return Heard::Lost(e);
                }
            }
        }
    }

    async fn connect(&mut self) -> Heard {
        tokio::time::sleep(Duration::from_millis(std::mem::take(&mut self.pause_ms))).await;
        match self.leases.watch(&self.name, self.watch_s, call_limit(CALL_TIMEOUT_MS)).await {
            Ok(body) => {
                self.refusals = 0;
                self.open = Some(Open { lines: EventLines::new(body), since: Instant::now(), first: true });
                Heard::Connected
            }
            Err(e) => {
                self.pause_ms = self.pauses.next_ms(e.retry_after());
                self.refusals += 1;
                if e.is_final(self.refusals) {
                    return Heard::Refused(e);
                }
                if !e.is_contact() {
                    self.refusals = 0;
                }
                Heard::Lost(e)
            }
        }
    }

    /// A watch that lived its time is followed by the next at once; one that did not, after a pause.
    fn close(&mut self) {
        let lived = self.open.take().map_or(Duration::ZERO, |open| open.since.elapsed());
        if lived < Duration::from_millis(WATCH_MIN_MS) {
            self.pause_ms = self.pauses.next_ms(None);
        } else {
            self.pauses = Pauses::new();
        }
    }
}

fn said(lease: &Lease) -> Heard {
    GroupLease::decode(lease).map_or_else(Heard::Nonsense, |lease| Heard::Lease(Box::new(lease)))
}

/// A watch's body, cut into its lines.
struct EventLines<B> {
    body: B,
    buffer: Vec<u8>,
    scanned: usize,
}

impl<B> EventLines<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Cause>,
{
    fn new(body: B) -> Self {
        Self { body, buffer: Vec::new(), scanned: 0 }
    }

    /// The next event; `None` when the server ended the watch.
    async fn next(&mut self) -> Result<Option<WatchEvent<Lease>>, CallError> {
        loop {
            if let Some(at) = self.buffer[self.scanned..].iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(self.scanned + at + 1);
                let line = std::mem::replace(&mut self.buffer, rest);
                self.scanned = 0;
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return serde_json::from_slice(&line).map(Some).map_err(|e| CallError::Garbage {
                    why: format!("a watch event is not the expected JSON: {}", shorten(&e.to_string())),
                });
            }
            self.scanned = self.buffer.len();
            if self.scanned > ANSWER_BYTES_MAX {
                return Err(CallError::Garbage {
                    why: format!("a watch event is longer than {ANSWER_BYTES_MAX} bytes"),
                });
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(e)) => return Err(CallError::Unreachable { source: e.into() }),
                // A frame that is no data is trailers: nothing of interest.
                Some(Ok(frame)) => self.buffer.extend_from_slice(&frame.into_data().unwrap_or_default()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn events(body: &'static [u8]) -> Vec<String> {
        let mut lines = EventLines::new(http_body_util::Full::from(body));
        let mut seen = Vec::new();
        loop {
            match lines.next().await {
                Ok(Some(event)) => seen.push(format!("{event:?}")),
                Ok(None) => return seen,
                Err(e) => {
                    seen.push(e.to_string());
                    return seen;
                }
            }
        }
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn lines_become_events_and_garbage_an_error() {
        let lease = br#"{"type":"ADDED","object":{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{}}}

{"type":"BOOKMARK","object":{"apiVersion":"v1","kind":"Lease","metadata":{"resourceVersion":"7"}}}
half a li"#;
        assert_eq!(run(events(lease)), ["Added event", "Bookmark event"]);
        let garbage = run(events(b"<html>\n"));
        assert!(garbage[0].contains("not the expected JSON"), "{garbage:?}");
    }
}
