//! Waiting for a condition, with one bound.

use std::time::{Duration, Instant};

/// Between two looks. Short beside what is waited for here (seconds), long beside a look (a request on loopback).
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// The condition did not come true.
#[derive(Debug, thiserror::Error)]
#[error("waited {} s", .0.as_secs())]
pub struct WaitError(Duration);

/// Looks until `condition` answers true; gives up after `bound`.
pub async fn until(bound: Duration, mut condition: impl AsyncFnMut() -> bool) -> Result<(), WaitError> {
    let start = Instant::now();
    while !condition().await {
        if start.elapsed() > bound {
            return Err(WaitError(bound));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}
