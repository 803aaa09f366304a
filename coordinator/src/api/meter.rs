//! Counts every request to the API server, and gives up on one whose answer does not begin in time.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Request, Response};
use kube::client::Body;
use tower::{BoxError, Layer, Service};

use super::request_line::RequestLine;

/// The first byte of an answer comes within this, ms, or the call failed. Lists of thousands of objects take seconds to
/// begin; a hook gives the coordinator up after 25 s of silence, so waiting longer helps nobody.
pub const ANSWER_TIMEOUT_MS: u64 = 20_000;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With this HTTP status.
    Status(u16),
    /// Without one: not connected, cut, or too late.
    None,
}

/// Who wants to know of requests.
pub trait Observer: Send + Sync + 'static {
    /// A request ended (a watch: began).
    fn answered(&self, request: &RequestLine, answer: Answer);
}

/// The API server did not begin to answer in time.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} s", ANSWER_TIMEOUT_MS / 1_000)]
pub struct NoAnswer;

/// Puts a [`Meter`] around a service.
#[derive(Clone)]
pub struct MeterLayer(Arc<dyn Observer>);

impl MeterLayer {
    /// Tells `observer`.
    pub fn new(observer: Arc<dyn Observer>) -> Self {
        Self(observer)
    }
}

impl<S> Layer<S> for MeterLayer {
    type Service = Meter<S>;

    fn layer(&self, inner: S) -> Meter<S> {
        Meter { inner, observer: Arc::clone(&self.0) }
    }
}

/// Counts and bounds.
#[derive(Clone)]
pub struct Meter<S> {
    inner: S,
    observer: Arc<dyn Observer>,
}

impl<S, B> Service<Request<Body>> for Meter<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<B>, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let line = RequestLine::of(request.method(), request.uri());
        let observer = Arc::clone(&self.observer);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let result = match tokio::time::timeout(Duration::from_millis(ANSWER_TIMEOUT_MS), answer).await {
                Ok(result) => result.map_err(Into::into),
                Err(_elapsed) => Err(NoAnswer.into()),
            };
            let ended = result.as_ref().map_or(Answer::None, |response| Answer::Status(response.status().as_u16()));
            observer.answered(&line, ended);
            result
        })
    }
}
