//! Whether the process is alive and ready, for `/livez` and `/readyz`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::clock::Clock;
use crate::watch::Troubles;

/// The loop takes a turn at least this often, ms, with nothing to do.
pub const TURN_MS_MAX: u64 = 5_000;

/// A loop that took no turn for this long hangs, ms: four missed turns.
const HANGS_AFTER_MS: u64 = 4 * TURN_MS_MAX;

/// What the loop tells, and what is asked. Cheap to clone.
#[derive(Clone)]
pub struct Health(Arc<Inner>);

struct Inner {
    clock: Clock,
    last_turn_ms: AtomicU64,
    synced: AtomicBool,
    troubles: Arc<Troubles>,
}

impl Health {
    /// Alive, and not ready.
    pub fn new(clock: Clock, troubles: Arc<Troubles>) -> Self {
        let last_turn_ms = AtomicU64::new(clock.mono().0);
        Self(Arc::new(Inner { clock, last_turn_ms, synced: AtomicBool::new(false), troubles }))
    }

    /// The loop took a turn.
    pub fn turn(&self) {
        self.0.last_turn_ms.store(self.0.clock.mono().0, Ordering::Relaxed);
    }

    /// All first lists are in.
    pub fn synced(&self) {
        self.0.synced.store(true, Ordering::Relaxed);
    }

    /// Alive, or why not.
    pub fn live(&self) -> Result<String, String> {
        let silent_ms = self.0.clock.mono().0.saturating_sub(self.0.last_turn_ms.load(Ordering::Relaxed));
        if silent_ms < HANGS_AFTER_MS {
            Ok("ok\n".to_owned())
        } else {
            Err(format!("the deciding loop took no turn for {silent_ms} ms\n"))
        }
    }

    /// Ready, or why not. A replica that only stands by is ready too: it could take over.
    pub fn ready(&self) -> Result<String, String> {
        let troubles = self.0.troubles.now();
        let lines = troubles.iter().fold(String::new(), |all, trouble| all + trouble + "\n");
        if self.0.synced.load(Ordering::Relaxed) {
            Ok(format!("ok\n{lines}"))
        } else {
            Err(format!("waiting for the first lists of the cluster\n{lines}"))
        }
    }
}
