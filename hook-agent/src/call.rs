//! What one call to the API server comes to: bounded in time and size, sorted by what can be done about it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use kube::core::Status;
use serde::de::DeserializeOwned;
use shared::identity::shorten;
use tokio::time::timeout;

use crate::client::{Client, SendError};
use crate::failure::Cause;

/// The longest answer that is read, bytes: twice what etcd stores (1.5 MiB). A server gone mad must not fill the memory
/// of the workload's container.
pub const ANSWER_BYTES_MAX: usize = 3 * 1024 * 1024;

/// The longest `Retry-After` that is taken literally, s: a day. More is nonsense, and no hook waits that long anyway.
const RETRY_AFTER_S_MAX: u64 = 86_400;

/// Why a call did not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No complete answer in time.
    #[error("no answer within {limit_ms} ms")]
    TimedOut {
        /// The limit, ms.
        limit_ms: u64,
    },
    /// The connection failed or was cut.
    #[error("cannot talk to the API server")]
    Unreachable {
        /// What the connection said.
        #[source]
        source: Cause,
    },
    /// The server cannot answer now: 429, 5xx, or a watch that must start anew (410).
    #[error("the API server answered {status}: {message}")]
    Busy {
        /// HTTP status.
        status: u16,
        /// What it said.
        message: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// The server understood and says no: 401, 403, 422 and the other 4xx.
    #[error("the API server answered {status}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// 404: no such object, or no such namespace or kind.
    #[error("the API server answered 404: {message}")]
    NotFound {
        /// What it said.
        message: String,
    },
    /// 409: somebody else wrote the object.
    #[error("the API server answered 409: {message}")]
    Conflict {
        /// What it said.
        message: String,
    },
    /// An answer that is no answer to this question.
    #[error("the API server's answer cannot be read: {why}")]
    Garbage {
        /// What is wrong with it.
        why: String,
    },
    /// The request cannot even be made: the token file is unusable.
    #[error("no request can be made")]
    Unusable {
        /// What is wrong.
        #[source]
        source: Cause,
    },
}

impl CallError {
    /// How long the server asked to wait before the next try.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether this is an answer at all: then the API server lives, whatever it says.
    pub fn is_contact(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::NotFound { .. } | Self::Conflict { .. })
    }
}

/// Sends one request and reads its answer as JSON, within `limit` in all.
pub async fn ask<T: DeserializeOwned>(
    client: &Client,
    request: Request<Vec<u8>>,
    limit: Duration,
) -> Result<T, CallError> {
    let answer = timeout(limit, async {
        let response = open(client, request).await?;
        read(response.into_body()).await
    });
    let body = answer.await.unwrap_or_else(|_| Err(timed_out(limit)))?;
    serde_json::from_slice(&body).map_err(|e| CallError::Garbage { why: shorten(&e.to_string()) })
}

/// Sends one request and gives the answer's body as it comes (a watch). `limit` is for the answer's head.
pub async fn stream(client: &Client, request: Request<Vec<u8>>, limit: Duration) -> Result<Incoming, CallError> {
    let head = timeout(limit, open(client, request)).await.unwrap_or_else(|_| Err(timed_out(limit)))?;
    Ok(head.into_body())
}

fn timed_out(limit: Duration) -> CallError {
    CallError::TimedOut { limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX) }
}

async fn open(client: &Client, request: Request<Vec<u8>>) -> Result<Response<Incoming>, CallError> {
    let response = client.send(request).await.map_err(|e| match e {
        SendError::Token(_) => CallError::Unusable { source: e.into() },
        SendError::Connection(source) => CallError::Unreachable { source },
    })?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let (head, body) = response.into_parts();
    let said = read(body).await.unwrap_or_default();
    Err(classify(status, &head.headers, &said))
}

async fn read(body: Incoming) -> Result<Bytes, CallError> {
    match Limited::new(body, ANSWER_BYTES_MAX).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(e) if e.is::<http_body_util::LengthLimitError>() => {
            Err(CallError::Garbage { why: format!("it is longer than {ANSWER_BYTES_MAX} bytes") })
        }
        Err(source) => Err(CallError::Unreachable { source }),
    }
}

/// Sorts an answer that is no success by what can be done about it.
fn classify(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> CallError {
    let message = message(status, body);
    let code = status.as_u16();
    match code {
        404 => CallError::NotFound { message },
        409 => CallError::Conflict { message },
        // A fake or a proxy that does not know the request will not learn it.
        501 => CallError::Refused { status: code, message },
        408 | 410 | 429 => CallError::Busy { status: code, message, retry_after: retry_after(headers) },
        _ if status.is_server_error() => CallError::Busy { status: code, message, retry_after: retry_after(headers) },
        _ if status.is_client_error() => CallError::Refused { status: code, message },
        _ => CallError::Garbage { why: format!("status {code} was not expected: {message}") },
    }
}

/// What an answer says: the message of its `Status`, else its text, else HTTP's words for the code.
fn message(status: StatusCode, body: &[u8]) -> String {
    let from_status = serde_json::from_slice::<Status>(body).ok().map(|status| status.message);
    let text = from_status.filter(|m| !m.is_empty()).or_else(|| {
        let text = String::from_utf8_lossy(body);
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    });
    text.map_or_else(
        || status.canonical_reason().unwrap_or("no message").to_owned(),
        |text| text.chars().take(MESSAGE_CHARS_MAX).collect(),
    )
}

/// How much of a server's message is shown: RBAC messages take some 200 characters.
const MESSAGE_CHARS_MAX: usize = 400;

/// `Retry-After` in seconds; its date form is not used by API servers.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(RETRY_AFTER_S_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(code: u16, retry_after: Option<&str>, body: &str) -> CallError {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(http::header::RETRY_AFTER, value.parse().unwrap());
        }
        classify(StatusCode::from_u16(code).unwrap(), &headers, body.as_bytes())
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_will_not_is_final() {
        for code in [408, 410, 429, 500, 502, 503, 504] {
            assert!(!sorted(code, None, "").is_final(100), "{code}");
        }
        for code in [400, 403, 404, 405, 415, 422, 501] {
            assert!(sorted(code, None, "").is_final(1), "{code}");
        }
        // A token may just be rotated.
        assert!(!sorted(401, None, "").is_final(1));
        assert!(sorted(401, None, "").is_final(3));
        // Without a precondition a conflict is a race inside the server.
        assert!(!sorted(409, None, "").is_final(9));
        assert!(!sorted(302, None, "").is_final(9));
    }

    #[test]
    fn retry_after_is_read_and_nonsense_in_it_ignored() {
        assert_eq!(sorted(429, Some("7"), "").retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(sorted(503, Some(" 1 "), "").retry_after(), Some(Duration::from_secs(1)));
        assert_eq!(sorted(429, Some("99999999999"), "").retry_after(), Some(Duration::from_hours(24)));
        for nonsense in ["-1", "soon", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            assert_eq!(sorted(429, Some(nonsense), "").retry_after(), None, "{nonsense}");
        }
    }

    #[test]
    fn the_message_is_the_servers_own_and_short() {
        let status = r#"{"kind":"Status","message":"leases is forbidden","code":403}"#;
        assert_eq!(sorted(403, None, status).to_string(), "the API server answered 403: leases is forbidden");
        assert_eq!(sorted(429, None, "Too many\n").to_string(), "the API server answered 429: Too many");
        assert_eq!(sorted(503, None, "").to_string(), "the API server answered 503: Service Unavailable");
        assert!(sorted(500, None, &"x".repeat(100_000)).to_string().len() < 500);
    }
}
