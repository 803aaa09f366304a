//! What a keeper hears while it works: hooks on its socket, signals, its own limit.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use crate::keeper::boot_clock::Bell;
use crate::keeper::wire::{Answer, Ask, Hold, line, next};
use crate::signals::Signals;

/// An answer fits into the socket's buffer; who does not read for so long, ms, is not there any more.
const ANSWER_MS: u64 = 1_000;

/// How many unread words may wait: two hooks a backup and a few that were killed.
const WORDS_MAX: usize = 64;

/// Why the keeper lets go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A hook asked.
    Asked,
    /// The coordinator says that all that it was held for is cut.
    Cut,
    /// It was held as long as it may be.
    Limit,
    /// A signal came.
    Signal(&'static str),
    /// The pod's resident was told to stop, and says so.
    Told(String),
    /// The pre hook ended without having got through.
    PreGone,
    /// Something that held ended by itself.
    Lost(String),
    /// Holding failed.
    Failed,
}

/// One hook's end of the line.
#[derive(Clone)]
pub struct Hook {
    id: u64,
    writer: Arc<Mutex<OwnedWriteHalf>>,
}

impl Hook {
    /// Answers. False: nobody is there any more.
    pub async fn answer(&self, answer: &Answer) -> bool {
        let bytes = line(answer);
        let write = async { self.writer.lock().await.write_all(&bytes).await };
        timeout(Duration::from_millis(ANSWER_MS), write).await.is_ok_and(|wrote| wrote.is_ok())
    }
}

/// What a hook said, or that its line is dead.
struct Heard {
    from: Hook,
    ask: Option<Ask>,
}

/// Everything that can happen to a keeper from outside.
pub struct Watch {
    heard: mpsc::Receiver<Heard>,
    signals: Signals,
    bell: Option<Bell>,
    pre: Option<Hook>,
    kept: bool,
    /// Hooks that wait for the end.
    pub askers: Vec<Hook>,
}

impl Watch {
    /// Listens from now on.
    pub fn new(listener: UnixListener, signals: Signals) -> Self {
        let (tell, heard) = mpsc::channel(WORDS_MAX);
        tokio::spawn(accept(listener, tell));
        Self { heard, signals, bell: None, pre: None, kept: false, askers: Vec::new() }
    }

    /// Waits for the first hook that wants something held. `None`: a hook wants to let go instead, or a signal came.
    pub async fn first_hold(&mut self) -> Option<Hold> {
        loop {
            let heard = tokio::select! {
                heard = self.heard.recv() => heard?,
                _ = self.signals.next() => return None,
            };
            match heard.ask {
                Some(Ask::Hold(hold)) => {
                    self.pre = Some(heard.from);
                    return Some(*hold);
                }
                Some(Ask::LetGo | Ask::Stop { .. }) => {
                    self.askers.push(heard.from);
                    return None;
                }
                Some(Ask::Keep) | None => {}
            }
        }
    }

    /// From now on the limit counts.
    pub fn set_bell(&mut self, bell: Bell) {
        self.bell = Some(bell);
    }

    /// The hook that wanted something held, while it has not got through.
    pub fn pre(&self) -> Option<&Hook> {
        self.pre.as_ref().filter(|_| !self.kept)
    }

    /// Waits until there is a reason to let go. May be dropped and called again.
    pub async fn stop(&mut self) -> Cause {
        loop {
            let bell = async {
                match &self.bell {
                    Some(bell) => bell.rung().await,
                    None => std::future::pending().await,
                }
            };
            let heard = tokio::select! {
                biased;
                signal = self.signals.next() => return Cause::Signal(signal),
                () = bell => return Cause::Limit,
                heard = self.heard.recv() => heard,
            };
            // The sender lives as long as the listener's task, which never ends.
            let Some(heard) = heard else { return std::future::pending().await };
            if let Some(cause) = self.hear(heard).await {
                return cause;
            }
        }
    }

    async fn hear(&mut self, heard: Heard) -> Option<Cause> {
        let from_pre = self.pre().is_some_and(|pre| pre.id == heard.from.id);
        match heard.ask {
            Some(Ask::LetGo) => {
                self.askers.push(heard.from);
                return Some(Cause::Asked);
            }
            Some(Ask::Stop { why }) => {
                self.askers.push(heard.from);
                return Some(Cause::Told(why));
            }
            Some(Ask::Keep) if from_pre => {
                self.kept = heard.from.answer(&Answer::Kept).await;
                return (!self.kept).then_some(Cause::PreGone);
            }
            None if from_pre => return Some(Cause::PreGone),
            Some(Ask::Hold(_)) => {
                heard.from.answer(&Answer::Busy).await;
            }
            Some(Ask::Keep) | None => {}
        }
        None
    }

    /// Collects who asks during a pause between tries.
    pub async fn pause(&mut self, pause: Duration) {
        let collect = async {
            while let Some(heard) = self.heard.recv().await {
                self.hear(heard).await;
            }
            std::future::pending::<()>().await;
        };
        let _ = timeout(pause, collect).await;
    }
}

async fn accept(listener: UnixListener, tell: mpsc::Sender<Heard>) {
    for id in 0.. {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(talk(id, stream, tell.clone()))),
            // Too many open files, say: that passes when a line ends.
            Err(_) => tokio::time::sleep(Duration::from_millis(ANSWER_MS)).await,
        }
    }
}

async fn talk(id: u64, stream: UnixStream, tell: mpsc::Sender<Heard>) {
    let (reader, writer) = stream.into_split();
    let from = Hook { id, writer: Arc::new(Mutex::new(writer)) };
    let mut reader = BufReader::new(reader);
    while let Some(ask) = next(&mut reader).await {
        // Letting go may take long; that it was heard must be known at once, or the keeper counts as dead.
        if matches!(ask, Ask::LetGo | Ask::Stop { .. }) {
            from.answer(&Answer::Working).await;
        }
        if tell.send(Heard { from: from.clone(), ask: Some(ask) }).await.is_err() {
            return;
        }
    }
    let _ = tell.send(Heard { from, ask: None }).await;
}
