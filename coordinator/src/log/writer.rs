//! Who writes the lines: a thread of its own, so that a reader of our output that stalls never stalls a decision.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::event_type::EventType;
use super::line::{Fields, Format, Level, render};
use crate::clock::Clock;

/// Lines that wait for a slow reader; past them lines are dropped and counted. At 300 bytes each this is about 1 MB.
const WAITING_LINES_MAX: usize = 4_096;

/// At the end the last lines may take this long, ms; what is not read by then is lost.
const FLUSH_TIMEOUT_MS: u64 = 1_000;

static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Lines that were dropped since the start because nobody read them in time.
pub fn dropped_lines() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

enum Job {
    Line(String),
    Flush(SyncSender<()>),
}

/// Where lines go. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Log {
    level: Level,
    format: Format,
    jobs: Arc<SyncSender<Job>>,
}

impl Log {
    /// Starts the writer.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(level: Level, format: Format) -> io::Result<Self> {
        let (jobs, queue) = sync_channel(WAITING_LINES_MAX);
        thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&queue))?;
        Ok(Self { level, format, jobs: Arc::new(jobs) })
    }

    /// Whether lines of this level are written at all.
    pub fn wants(&self, level: Level) -> bool {
        level <= self.level
    }

    /// Writes one line.
    pub fn say(&self, event: EventType, message: &str, fields: &Fields) {
        if !self.wants(event.level()) {
            return;
        }
        let line = render(self.format, Clock::wall(), event, message, fields);
        if self.jobs.try_send(Job::Line(line)).is_err() {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until what was said is written, but not for long.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.jobs.try_send(Job::Flush(done)).is_ok() {
            // Without an answer in time nobody reads our output: there is nothing left to do for it.
            let _unread = wait.recv_timeout(Duration::from_millis(FLUSH_TIMEOUT_MS)).is_err();
        }
    }
}

fn write_all(queue: &Receiver<Job>) {
    while let Ok(job) = queue.recv() {
        match job {
            Job::Line(line) => {
                if io::stdout().lock().write_all(line.as_bytes()).is_err() {
                    DROPPED.fetch_add(1, Ordering::Relaxed);
                }
            }
            Job::Flush(done) => {
                let _ = (io::stdout().lock().flush(), done.try_send(()));
            }
        }
    }
}
