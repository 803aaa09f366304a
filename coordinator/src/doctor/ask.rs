//! One question to the API server: bounded, and its failure is an answer.

use coordinator_core::doctor::facts::Had;
use http::Request;
use kube::Client;
use serde_json::Value;

use crate::api::{Trouble, TroubleKind, within};

/// One answer takes no longer than this, ms: a page of 500 pods is some MB, and a person waits.
pub const ANSWER_MS: u64 = 20_000;

/// Whether anybody answers, by the question that everybody may ask. Any answer is one; what each kind says is for later.
///
/// # Errors
/// No connection, or no answer within `limit_ms`.
pub async fn answers(client: &Client, limit_ms: u64) -> Result<(), Trouble> {
    match request(client, Request::get("/version").body(Vec::new()), limit_ms).await {
        Err(trouble) if matches!(trouble.kind, TroubleKind::Silent | TroubleKind::Unreachable) => Err(trouble),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Asks by GET.
pub async fn get(client: &Client, path: &str) -> Result<String, Trouble> {
    request(client, Request::get(path).body(Vec::new()), ANSWER_MS).await
}

/// Asks by POST of a review.
pub async fn post(client: &Client, path: &str, body: &Value) -> Result<Value, Trouble> {
    let request_of = Request::post(path).header("content-type", "application/json").body(body.to_string().into_bytes());
    let text = request(client, request_of, ANSWER_MS).await?;
    serde_json::from_str(&text).map_err(|error| Trouble::of(&kube::Error::SerdeError(error)))
}

async fn request(
    client: &Client,
    request: Result<Request<Vec<u8>>, http::Error>,
    limit_ms: u64,
) -> Result<String, Trouble> {
    let request = request.map_err(|error| Trouble::of(&kube::Error::HttpError(error)))?;
    within(limit_ms, client.request_text(request)).await
}

/// What a failure means for the checks.
pub fn had(trouble: &Trouble) -> Had {
    match trouble.kind {
        TroubleKind::NotFound => Had::Absent,
        TroubleKind::Forbidden => Had::Forbidden,
        _ => Had::Failed(trouble.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::silent;
    use http::Response;
    use kube::client::Body;
    use std::convert::Infallible;

    #[tokio::test]
    async fn any_answer_is_one_and_silence_is_none() {
        let trouble = answers(&silent(), 50).await.unwrap_err();
        assert_eq!(trouble.kind, TroubleKind::Silent);
        for code in [200, 403, 500] {
            let says = tower::service_fn(move |_request: Request<Body>| async move {
                Ok::<_, Infallible>(Response::builder().status(code).body(Body::empty()).unwrap())
            });
            assert_eq!(answers(&Client::new(says, "velero"), ANSWER_MS).await, Ok(()), "{code}");
        }
    }
}
