//! When somebody ends the hook: SIGTERM and SIGINT become something that the rest can wait for.

use std::io;
use std::os::unix::net::UnixStream as StdStream;
use std::time::Duration;

use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use crate::quiesce::command::any_is_waited_for;

/// The signals that withdraw a registration, as they arrive.
pub struct Signals {
    terminate: UnixStream,
    interrupt: UnixStream,
}

impl Signals {
    /// From now on these signals no longer end the process by themselves.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { terminate: wakes_on(SIGTERM)?, interrupt: wakes_on(SIGINT)? })
    }

    /// Waits for the next signal and names it.
    pub async fn next(&mut self) -> &'static str {
        let (mut one, mut other) = ([0; 1], [0; 1]);
        tokio::select! {
            read = self.terminate.read(&mut one) => woken(read, "SIGTERM").await,
            read = self.interrupt.read(&mut other) => woken(read, "SIGINT").await,
        }
    }
}

/// The ends of child processes, also of those that were given to this process because it is the container's first one.
pub struct Children {
    ends: UnixStream,
    pending: bool,
}

/// How soon it is looked again for children that could not be reaped just now, ms.
const REAP_AGAIN_MS: u64 = 100;

impl Children {
    /// From now on.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { ends: wakes_on(SIGCHLD)?, pending: false })
    }

    /// Waits until one or more have ended, and takes away what remains of them; not while this process waits for a program of its own, whose end
    /// nobody would hear of then. May be dropped and called again.
    pub async fn reap(&mut self) {
        if !self.pending {
            let read = self.ends.read(&mut [0; 64]).await;
            woken(read, "SIGCHLD").await;
            self.pending = true;
        }
        while any_is_waited_for() {
            tokio::time::sleep(Duration::from_millis(REAP_AGAIN_MS)).await;
        }
        self.pending = false;
        while let Ok(Some(_)) = rustix::process::wait(rustix::process::WaitOptions::NOHANG) {}
    }
}

/// A broken pipe is not a signal: then none can be noticed any more, and waiting for one takes for ever.
async fn woken(read: io::Result<usize>, name: &'static str) -> &'static str {
    match read {
        Ok(1..) => name,
        Ok(0) | Err(_) => std::future::pending().await,
    }
}

fn wakes_on(signal: i32) -> io::Result<UnixStream> {
    let (read, write) = StdStream::pair()?;
    pipe::register(signal, write)?;
    read.set_nonblocking(true)?;
    UnixStream::from_std(read)
}
