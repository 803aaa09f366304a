//! Reading the API server once: for commands that look, print and end.

use std::time::Duration;

use tokio::time::timeout;

use super::{Answer, Observer, RequestLine, Trouble};

/// Objects a page: what kubectl asks for.
pub const PAGE_OBJECTS: u32 = 500;

/// One look needs no metrics.
pub struct Uncounted;

impl Observer for Uncounted {
    fn answered(&self, _request: &RequestLine, _answer: Answer) {}
}

/// A call, and its end after `limit_ms` at the latest.
///
/// # Errors
/// What came instead of an answer.
pub async fn within<T>(limit_ms: u64, call: impl Future<Output = kube::Result<T>>) -> Result<T, Trouble> {
    match timeout(Duration::from_millis(limit_ms), call).await {
        Ok(result) => result.map_err(|error| Trouble::of(&error)),
        Err(_elapsed) => Err(Trouble::timeout(limit_ms)),
    }
}
