//! Lets go of one step by what was written down about it, without having begun it oneself.

use std::time::Duration;

use crate::keeper::mark::ProcessMark;
use crate::quiesce::command::{self, CommandError};
use crate::quiesce::freeze::{FreezeError, Target};
use crate::quiesce::plan::Step;

/// Why a step may still hold.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// The user's program failed.
    #[error("letting go failed")]
    Command(#[source] CommandError),
    /// The file system stays frozen.
    #[error("letting go failed")]
    Freeze(#[source] FreezeError),
}

/// Lets go. True: it held until now, for all that can be told. `opened` are file systems that were opened before they froze.
pub async fn undo(step: &Step, child: Option<ProcessMark>, opened: &[Target]) -> Result<bool, UndoError> {
    // A program that is still freezing must not finish after the thaw. Of a session this is the end.
    if let Some(child) = child {
        child.kill_group();
    }
    match step {
        Step::Sync(_) => Ok(true),
        // It may have ended long ago.
        Step::Session(_) => Ok(false),
        Step::Exec(exec) if exec.thaw.is_empty() => Ok(true),
        Step::Exec(exec) => command::run(&exec.thaw, Duration::from_millis(exec.timeout_ms), |_| ())
            .await
            .map(|()| true)
            .map_err(UndoError::Command),
        Step::Fsfreeze(paths) => {
            let mut unbroken = true;
            let mut devices = Vec::new();
            let mut failed = None;
            for path in paths.iter().rev() {
                let mut thaw = |target: &Target| {
                    let device = target.device()?;
                    // The second mount of one device was thawed with the first.
                    let first = !devices.contains(&device);
                    devices.push(device);
                    Ok(target.thaw()? || !first)
                };
                let thawed = match opened.iter().find(|target| target.path() == path) {
                    Some(target) => thaw(target),
                    None => Target::open(path).and_then(|target| thaw(&target)),
                };
                match thawed {
                    Ok(was_frozen) => unbroken &= was_frozen,
                    Err(e) => failed = Some(e),
                }
            }
            failed.map_or(Ok(unbroken), |e| Err(UndoError::Freeze(e)))
        }
    }
}
