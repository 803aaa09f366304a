//! The CloudWatch stand-in: what does a test hold in its hand?
//!
//! It speaks what today's SDKs speak: RPC v2 in CBOR (`POST /service/GraniteServiceVersion20100801/operation/<Operation>`), for `ListMetrics` and
//! `GetMetricData`, with pages. Metrics, the length of a page, the clock and refusals change at run time through [`CloudWatch::change`]; [`CloudWatch::calls`]
//! is what was called. As in AWS a metric that does not exist has no values, which is no error.

mod answer;
mod cbor;
mod refusal;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response};

pub use refusal::Refusal;

use super::loopback::{Answer, Loopback, Service};

/// A metric with the values of some periods.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its dimensions.
    pub dimensions: Vec<(String, String)>,
    /// Starts of minutes, s since the epoch, and the sum in each.
    pub points: Vec<(i64, f64)>,
}

impl Metric {
    /// `AWS/EC2/API RequestLimitExceeded` of CreateSnapshot, with these sums in the last whole minutes, the newest first.
    pub fn throttled(sums: &[f64]) -> Self {
        let now_s = jiff::Timestamp::now().as_second();
        let minute = now_s - now_s.rem_euclid(60);
        let points = (1..).zip(sums).map(|(ago, sum)| (minute - 60 * ago, *sum)).collect();
        let text = str::to_owned;
        Self {
            namespace: text("AWS/EC2/API"),
            name: text("RequestLimitExceeded"),
            dimensions: vec![(text("Action"), text("CreateSnapshot"))],
            points,
        }
    }

    /// The same of another action.
    #[must_use]
    pub fn of_action(mut self, action: &str) -> Self {
        self.dimensions = vec![("Action".to_owned(), action.to_owned())];
        self
    }
}

/// What a test can set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// All that is stored.
    pub metrics: Vec<Metric>,
    /// Metrics, or values, a page.
    pub page: usize,
    /// How far this service's clock is ahead of the test's, s.
    pub ahead_s: i64,
    /// What every call is refused with.
    pub refusal: Option<Refusal>,
    /// Of these operations only; of all when empty.
    pub refused: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { metrics: Vec::new(), page: 500, ahead_s: 0, refusal: None, refused: Vec::new() }
    }
}

/// A running stand-in. It ends when this is dropped.
#[derive(Debug)]
pub struct CloudWatch {
    core: Arc<Core>,
    loopback: Loopback,
}

#[derive(Debug, Default)]
struct Core {
    settings: Mutex<Settings>,
    calls: Mutex<Vec<String>>,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl CloudWatch {
    /// Starts one that stores these.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start(metrics: Vec<Metric>) -> Self {
        let core = Arc::new(Core::default());
        lock(&core.settings).metrics = metrics;
        let loopback =
            Loopback::start("cloudwatch", Arc::clone(&core)).unwrap_or_else(|e| panic!("CloudWatch stand-in: {e}"));
        Self { core, loopback }
    }

    /// Where, for `AWS_ENDPOINT_URL_CLOUDWATCH`.
    pub fn url(&self) -> String {
        self.loopback.url()
    }

    /// Changes what is set.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut lock(&self.core.settings));
    }

    /// The operations that were called, in order.
    pub fn calls(&self) -> Vec<String> {
        lock(&self.core.calls).clone()
    }
}

impl Service for Core {
    async fn answer(self: Arc<Self>, request: Request<Bytes>) -> Answer {
        let settings = lock(&self.settings).clone();
        let path = request.uri().path().to_owned();
        let operation = path.strip_prefix("/service/GraniteServiceVersion20100801/operation/").unwrap_or_default();
        lock(&self.calls).push(operation.to_owned());
        let answered = match refusal::of_request(&request, &settings, operation) {
            Some(refusal) => Err(refusal),
            None => answer::to(operation, request.body(), &settings),
        };
        let (status, body, code) = match answered {
            Ok(body) => (200, body, None),
            Err(refusal) => (refusal.status(), refusal.body(), Some(refusal.code())),
        };
        let now = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(settings.ahead_s);
        let mut response = Response::builder()
            .status(status)
            .header("smithy-protocol", "rpc-v2-cbor")
            .header("content-type", "application/cbor")
            .header("date", now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
            .header("x-amzn-requestid", "00000000-0000-0000-0000-000000000000");
        if let Some(code) = code {
            // As services do that spoke the query protocol before.
            response = response.header("x-amzn-query-error", format!("{code};Sender"));
        }
        let bytes = Full::from(cbor::bytes(&body));
        Ok(response.body(bytes).unwrap_or_else(|e| unreachable!("headers of plain letters: {e}")))
    }
}
