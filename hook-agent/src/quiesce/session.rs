//! A child that holds as long as it lives: told what to do, believed by one line, asked at the end whether it still held.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, ChildStdin};
use tokio::time::timeout;

use crate::keeper::mark::ProcessMark;
use crate::quiesce::command::{CommandError, GroupEnd, Started, Tail, start};
use crate::quiesce::plan::Session as Step;

/// A line that is longer than this is data, not the word that is waited for, bytes; its rest is skipped.
const LINE_BYTES_MAX: usize = 4_096;

/// Why a session does not hold, or cannot prove that it did.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// It cannot be started.
    #[error(transparent)]
    Start(CommandError),
    /// It did not say the word in time.
    #[error("`{program}` did not print `{wanted}` within {limit_ms} ms and was ended{said}")]
    Silent {
        /// Which.
        program: String,
        /// The line that was waited for.
        wanted: String,
        /// The limit, ms.
        limit_ms: u128,
        /// The end of its output.
        said: Tail,
    },
    /// It ended, or closed its output, before it said the word.
    #[error("`{program}` ended ({how}) before it printed `{wanted}`{said}")]
    Ended {
        /// Which.
        program: String,
        /// How.
        how: String,
        /// The line that was waited for.
        wanted: String,
        /// The end of its output.
        said: Tail,
    },
    /// It did all it was told and says at its end that something was wrong, or does not end.
    #[error("`{program}` was told to end and {how}{said}")]
    BadEnd {
        /// Which.
        program: String,
        /// How it ended.
        how: String,
        /// The end of its output.
        said: Tail,
    },
}

/// A session that holds.
pub struct Session {
    program: String,
    child: Child,
    stdin: Option<ChildStdin>,
    out: Out,
    /// Last, so that everything else is gone when it acts.
    group: GroupEnd,
}

impl Session {
    /// Starts the child, gives it its lines and waits for its word. `started` hears which process it is.
    pub async fn begin(step: &Step, limit: Duration, started: impl FnOnce(ProcessMark)) -> Result<Self, SessionError> {
        let Started { mut child, out, group } = start(&step.command, Stdio::piped()).map_err(SessionError::Start)?;
        if let Some(mark) = child.id().and_then(ProcessMark::of) {
            started(mark);
        }
        let program = step.command.first().cloned().unwrap_or_default();
        let stdin = child.stdin.take();
        let mut session = Self { program, child, stdin, out: Out::new(out), group };
        session.told(&step.before, &step.ready, limit).await?;
        Ok(session)
    }

    /// Waits until the child ends by itself, and says how. May be dropped and called again.
    pub async fn lost(&mut self) -> String {
        loop {
            tokio::select! {
                status = self.child.wait() => {
                    self.group.call_off();
                    return format!("`{}` ended by itself ({}){}", self.program, ended(status), self.out.said);
                }
                open = self.out.more(), if self.out.open => self.out.open = open,
            }
        }
    }

    /// Gives the child its last lines, waits for its last word where there is one, and for its end.
    pub async fn finish(mut self, step: &Step, limit: Duration) -> Result<(), SessionError> {
        if let Some(done) = &step.done {
            self.told(&step.after, done, limit).await?;
        } else if let Some(stdin) = &mut self.stdin {
            // Who reads nothing any more shows it by not ending.
            let _ = timeout(limit, stdin.write_all(text(&step.after).as_bytes())).await;
        }
        drop(self.stdin.take());
        let lost = timeout(limit, async {
            loop {
                tokio::select! {
                    status = self.child.wait() => return status,
                    open = self.out.more(), if self.out.open => self.out.open = open,
                }
            }
        });
        let how = match lost.await {
            Ok(status) => {
                self.group.call_off();
                if status.as_ref().is_ok_and(ExitStatus::success) {
                    return Ok(());
                }
                format!("ended with {}", ended(status))
            }
            Err(_) => format!("was still there after {} ms, and was ended", limit.as_millis()),
        };
        Err(SessionError::BadEnd { program: self.program.clone(), how, said: self.out.said.clone() })
    }

    /// Gives lines and waits for a word. Reads while it writes: a child that prints much before it reads must not lock up.
    async fn told(&mut self, lines: &[String], wanted: &str, limit: Duration) -> Result<(), SessionError> {
        let (program, text) = (self.program.clone(), text(lines));
        let Self { child, stdin, out, .. } = self;
        let dialogue = timeout(limit, async {
            let mut left = text.as_bytes();
            loop {
                if left.is_empty() && out.has(wanted) {
                    return Ok(());
                }
                tokio::select! {
                    open = out.more(), if out.open => out.open = open,
                    status = child.wait(), if !out.open => return Err(ended(status)),
                    wrote = write(stdin.as_mut(), left), if !left.is_empty() => match wrote {
                        Ok(n) => left = &left[n..],
                        // It reads no more; its end says why.
                        Err(_) => left = &[],
                    },
                }
            }
        });
        match dialogue.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(how)) => {
                Err(SessionError::Ended { program, how, wanted: wanted.to_owned(), said: self.out.said.clone() })
            }
            Err(_) => {
                let (wanted, said) = (wanted.to_owned(), self.out.said.clone());
                Err(SessionError::Silent { program, wanted, limit_ms: limit.as_millis(), said })
            }
        }
    }
}

async fn write(stdin: Option<&mut ChildStdin>, bytes: &[u8]) -> std::io::Result<usize> {
    match stdin {
        Some(stdin) => stdin.write(bytes).await,
        None => Err(std::io::ErrorKind::BrokenPipe.into()),
    }
}

fn text(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

fn ended(status: std::io::Result<ExitStatus>) -> String {
    status.map_or_else(|e| e.to_string(), |status| status.to_string())
}

/// What the child prints, line by line.
struct Out {
    pipe: Receiver,
    open: bool,
    line: Vec<u8>,
    lines: Vec<String>,
    said: Tail,
}

impl Out {
    fn new(pipe: Receiver) -> Self {
        Self { pipe, open: true, line: Vec::new(), lines: Vec::new(), said: Tail::default() }
    }

    /// Reads what comes next; false when nothing will come any more. Loses nothing when dropped.
    async fn more(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let Ok(n @ 1..) = self.pipe.read(&mut buffer).await else { return false };
        self.said.add(&buffer[..n]);
        for byte in &buffer[..n] {
            match byte {
                b'\n' => self.lines.push(String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim().to_owned()),
                _ if self.line.len() < LINE_BYTES_MAX => self.line.push(*byte),
                _ => {}
            }
        }
        // Only the wanted word matters, and it is looked for after every read.
        true
    }

    /// Whether the word was printed as a line of its own since the last question.
    fn has(&mut self, wanted: &str) -> bool {
        let found = self.lines.iter().any(|line| line == wanted);
        self.lines.clear();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_mins(1);

    fn step(script: &str, before: &[&str], after: &[&str], done: Option<&str>) -> Step {
        let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        Step {
            command: owned(&["/bin/sh", "-c", script]),
            before: owned(before),
            ready: "ready".to_owned(),
            after: owned(after),
            done: done.map(str::to_owned),
            timeout_ms: 10_000,
        }
    }

    /// A shell is a session as good as any: it runs the lines that it gets.
    fn shell(before: &[&str], after: &[&str], done: Option<&str>) -> Step {
        step("exec sh", before, after, done)
    }

    fn on_runtime(work: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
    }

    #[test]
    fn it_holds_from_the_first_word_to_the_last() {
        on_runtime(async {
            let step = shell(&["echo not ready", "held=yes", "echo ready"], &["echo $held"], Some("yes"));
            let mut mark = None;
            let session = Session::begin(&step, LIMIT, |process| mark = Some(process)).await.unwrap();
            assert!(mark.is_some_and(ProcessMark::lives));
            session.finish(&step, LIMIT).await.unwrap();
            let silent_end = shell(&["echo ready"], &["exit 0"], None);
            Session::begin(&silent_end, LIMIT, |_| ()).await.unwrap().finish(&silent_end, LIMIT).await.unwrap();
        });
    }

    #[test]
    fn what_goes_wrong_is_told_apart() {
        on_runtime(async {
            let failed =
                async |step: &Step, limit| Session::begin(step, limit, |_| ()).await.err().unwrap().to_string();
            let said = failed(&shell(&["echo no such role >&2; exit 2"], &[], None), LIMIT).await;
            assert!(said.contains("exit status: 2") && said.contains("no such role"), "{said}");
            let said = failed(&shell(&["echo almost ready"], &[], None), Duration::from_millis(500)).await;
            assert!(said.contains("did not print `ready`") && said.contains("almost ready"), "{said}");
            let lost = shell(&["echo ready"], &["echo gone"], Some("still here"));
            let said =
                Session::begin(&lost, LIMIT, |_| ()).await.unwrap().finish(&lost, Duration::from_millis(500)).await;
            assert!(said.unwrap_err().to_string().contains("did not print `still here`"));
            let bad = shell(&["echo ready"], &["exit 3"], None);
            let said = Session::begin(&bad, LIMIT, |_| ()).await.unwrap().finish(&bad, LIMIT).await.unwrap_err();
            assert!(said.to_string().contains("told to end and ended with exit status: 3"), "{said}");
        });
    }

    #[test]
    fn a_session_that_ends_by_itself_is_noticed() {
        on_runtime(async {
            let step = shell(&["echo ready", "exit 7"], &[], None);
            // The word and the end may come in one read: then it never held.
            if let Ok(mut session) = Session::begin(&step, LIMIT, |_| ()).await {
                assert!(session.lost().await.contains("exit status: 7"));
            }
        });
    }

    #[test]
    fn much_output_before_it_reads_does_not_lock_up() {
        on_runtime(async {
            let long = "#".repeat(100_000);
            let step = step("head -c 1000000 /dev/zero; echo; exec sh", &[&long, "echo ready"], &[], None);
            Session::begin(&step, LIMIT, |_| ()).await.unwrap().finish(&step, LIMIT).await.unwrap();
        });
    }

    #[test]
    fn a_session_that_is_dropped_is_ended() {
        on_runtime(async {
            let step = shell(&["echo ready"], &[], None);
            let mut mark = None;
            let session = Session::begin(&step, LIMIT, |process| mark = Some(process)).await.unwrap();
            let mark = mark.unwrap();
            drop(session);
            let end = std::time::Instant::now() + Duration::from_secs(30);
            while mark.lives() {
                assert!(std::time::Instant::now() < end, "it lives on");
                tokio::task::yield_now().await;
            }
        });
    }
}
