//! How who plans gets to see the cluster as the watches see it: it asks, and the engine's loop hands over what it holds, shared and not copied.

use std::sync::Arc;

use coordinator_core::inventory::facts::Facts;
use tokio::sync::{mpsc, oneshot};

use crate::kind::Kind;
use crate::plan::cluster::ClusterError;
use crate::watch::Troubles;

/// What the watches see of what is backed up.
const KINDS: [Kind; 4] = [Kind::Volumes, Kind::Claims, Kind::StatefulSets, Kind::Pods];

/// One plans at a time.
const ASKED_AT_ONCE_MAX: usize = 1;

/// The side that asks.
pub struct Watched {
    asks: mpsc::Sender<oneshot::Sender<Facts>>,
    troubles: Arc<Troubles>,
}

/// The side that is asked.
#[derive(Debug)]
pub struct Asked(mpsc::Receiver<oneshot::Sender<Facts>>);

/// Both sides; `troubles` are those of the watches.
pub fn channel(troubles: Arc<Troubles>) -> (Watched, Asked) {
    let (asks, asked) = mpsc::channel(ASKED_AT_ONCE_MAX);
    (Watched { asks, troubles }, Asked(asked))
}

impl Watched {
    /// What there is to back up, once all first lists are in and no kind is being listed anew: a claim that is seen before its pod would be
    /// planned without it. Nothing when the process ends.
    ///
    /// # Errors
    /// When a kind cannot be read now: what was seen of it before may be long out of date.
    pub async fn facts(&self) -> Result<Option<Facts>, ClusterError> {
        if let Err((kind, trouble)) = self.troubles.settled(&KINDS).await {
            return Err(ClusterError::Api { resource: kind.resource(), trouble });
        }
        let (give, given) = oneshot::channel();
        if self.asks.send(give).await.is_err() {
            return Ok(None);
        }
        Ok(given.await.ok())
    }
}

impl Asked {
    /// Waits until somebody asks; where to put the answer. Nobody does any more when the process ends.
    pub async fn next(&mut self) -> oneshot::Sender<Facts> {
        match self.0.recv().await {
            Some(give) => give,
            None => std::future::pending().await,
        }
    }
}
