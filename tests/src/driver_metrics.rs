//! A stand-in for the EBS CSI driver's metrics endpoint: what it counts, and how else it may answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The driver's text with so many throttles and calls, as v1.64.0 writes it: the families of throttles and errors are absent at nothing.
    Counts {
        /// Throttled attempts.
        throttles: u64,
        /// Calls that succeeded.
        calls: u64,
    },
    /// This text.
    Text(String),
    /// So many bytes, as fast as they are taken.
    Bytes(usize),
    /// An error.
    Status(u16),
    /// Headers, and then nothing more.
    Silence,
}

/// A running endpoint. It ends when this is dropped.
#[derive(Debug)]
pub struct DriverMetrics {
    answer: Arc<Mutex<Answer>>,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for DriverMetrics {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl DriverMetrics {
    /// Starts one on a free loopback port.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("it listens");
        let answer = Arc::new(Mutex::new(answer));
        let router = Router::new().route("/metrics", get(scrape)).with_state(Arc::clone(&answer));
        let task = tokio::spawn(async move {
            // It serves until it is dropped.
            let _ended = axum::serve(listener, router).await.is_ok();
        });
        Self { answer, address, task }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// Answers otherwise from now on.
    pub fn change(&self, answer: Answer) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }
}

async fn scrape(State(answer): State<Arc<Mutex<Answer>>>) -> Response {
    let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match answer {
        Answer::Counts { throttles, calls } => counts(throttles, calls).into_response(),
        Answer::Text(text) => text.into_response(),
        Answer::Bytes(count) => {
            let piece = Bytes::from(vec![b'#'; 64 * 1024]);
            let pieces = std::iter::repeat_n(Ok::<_, Infallible>(piece), count.div_ceil(64 * 1024));
            Body::from_stream(futures::stream::iter(pieces)).into_response()
        }
        Answer::Status(code) => StatusCode::from_u16(code).unwrap_or(StatusCode::IM_A_TEAPOT).into_response(),
        Answer::Silence => Body::from_stream(futures::stream::pending::<Result<Bytes, Infallible>>()).into_response(),
    }
}

fn counts(throttles: u64, calls: u64) -> String {
    let family = if throttles == 0 {
        String::new()
    } else {
        format!(
            "# HELP aws_ebs_csi_api_request_throttles_total Total number of throttled AWS SDK API requests per request type\n\
             # TYPE aws_ebs_csi_api_request_throttles_total counter\n\
             aws_ebs_csi_api_request_throttles_total{{operation_name=\"CreateSnapshot\"}} {throttles}\n"
        )
    };
    format!("{family}aws_ebs_csi_api_request_duration_seconds_count{{request=\"CreateSnapshot\"}} {calls}\n")
}
