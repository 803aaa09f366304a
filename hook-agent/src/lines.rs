//! How the agent talks: one line at a time on stdout, each naming namespace, pod and group, because Velero's log does not.

use std::fmt::Display;
use std::io::Write;

use shared::identity::GroupId;

use crate::clock::Clock;
use crate::identity::Who;
use shared::deadline::PROGRESS_LINE_MS;

/// Writes lines that all begin alike.
#[derive(Clone, Debug)]
pub struct Lines {
    prefix: String,
}

impl Lines {
    /// Lines of `command`, before it is known which pod this is.
    pub fn of(command: &str) -> Self {
        Self { prefix: format!("hook-agent {command}") }
    }

    /// The same, about a pod.
    #[must_use]
    pub fn about(&self, who: &Who) -> Self {
        let Who { namespace, pod } = who;
        Self { prefix: format!("{}: {namespace}/{pod}", self.prefix) }
    }

    /// The same, about a pod's group.
    #[must_use]
    pub fn in_group(&self, group: &GroupId) -> Self {
        Self { prefix: format!("{} ({group})", self.prefix) }
    }

    /// Writes one line at once. Nobody may be listening any more (Velero gave up, the exec stream was cut): that is no
    /// reason to stop, so failures are ignored; `println!` would panic.
    pub fn say(&self, text: impl Display) {
        let line = format!("{}: {text}\n", self.prefix);
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }
}

/// Says when the next progress line is due: an exec stream without output gets cut by proxies.
#[derive(Debug)]
pub struct Progress {
    next_ms: u64,
}

impl Progress {
    /// Due at once.
    pub fn new() -> Self {
        Self { next_ms: 0 }
    }

    /// When the next line is due, ms after the start.
    pub fn next_ms(&self) -> u64 {
        self.next_ms
    }

    /// Whether a line is due; if so the next one is due [`PROGRESS_LINE_MS`] later.
    pub fn due(&mut self, clock: &Clock) -> bool {
        let now_ms = clock.elapsed_ms();
        let due = now_ms >= self.next_ms;
        if due {
            self.said(now_ms);
        }
        due
    }

    /// A line was written at `now_ms`.
    pub fn said(&mut self, now_ms: u64) {
        self.next_ms = now_ms + PROGRESS_LINE_MS;
    }
}

/// An error with its causes in one line; a cause that the text before it already contains is left out.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text.replace('\n', " ")
}

/// A length of time for people: tenths below ten seconds, then whole seconds.
pub fn seconds(ms: u64) -> String {
    if ms < 10_000 { format!("{}.{}s", ms / 1_000, ms % 1_000 / 100) } else { format!("{}s", ms / 1_000) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_short() {
        for (ms, text) in [(0, "0.0s"), (123, "0.1s"), (9_999, "9.9s"), (10_000, "10s"), (540_900, "540s")] {
            assert_eq!(seconds(ms), text);
        }
    }

    #[test]
    fn causes_are_said_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] Middle);
        #[derive(Debug, thiserror::Error)]
        #[error("middle: deep\nwell")]
        struct Middle(#[source] std::fmt::Error);
        let text = chain(&Outer(Middle(std::fmt::Error)));
        assert!(text.starts_with("outer: middle: deep well"), "{text}");
        assert!(!text.contains('\n'));
    }
}
