//! One bounded GET: an endpoint may answer with HTML, with 100 MB, with nothing, or never.

use std::time::Duration;

use http::Uri;
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use crate::error_chain::chain;

/// From connecting to the last byte, ms: the driver answers within tens of ms.
const ANSWER_MS_MAX: u64 = 5_000;
/// The driver's metrics are about 200 KB; the histograms of a large cluster some times that.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A client for plain HTTP.
#[derive(Clone)]
pub struct Fetcher(Client<HttpConnector, Empty<Bytes>>);

impl Fetcher {
    /// One that keeps no more than an idle connection a host.
    pub fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1).build_http())
    }

    /// Gets a text; errs with why not, in words.
    pub async fn get(&self, uri: Uri) -> Result<String, String> {
        let host = uri.authority().map(ToString::to_string).unwrap_or_default();
        let get = async {
            let response = self.0.get(uri).await.map_err(|error| format!("cannot be reached: {}", chain(&error)))?;
            match response.status().as_u16() {
                200 => {}
                429 => return Err("answers HTTP 429: it is asked too often (another scraper?)".to_owned()),
                code @ (401 | 403) => {
                    return Err(format!("answers HTTP {code}: a proxy guards it; name the driver's own metrics port"));
                }
                code => return Err(format!("answers HTTP {code}: is the path /metrics?")),
            }
            let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    format!("answers with more than {} MiB: is this a metrics port?", BODY_BYTES_MAX / 1024 / 1024)
                } else {
                    format!("breaks off: {error}")
                }
            })?;
            String::from_utf8(body.to_bytes().into()).map_err(|_| "answers with something that is no text".to_owned())
        };
        let answer = timeout(Duration::from_millis(ANSWER_MS_MAX), get).await;
        let answer =
            answer.unwrap_or_else(|_elapsed| Err(format!("gives no answer within {} s", ANSWER_MS_MAX / 1_000)));
        answer.map_err(|why| format!("{host} {why}"))
    }
}
