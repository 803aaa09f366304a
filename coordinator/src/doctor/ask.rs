//! One question to the API server: bounded, and its failure is an answer.

use coordinator_core::doctor::facts::Had;
use http::Request;
use kube::Client;
use serde_json::Value;

use crate::api::{Trouble, TroubleKind, within};

/// One answer takes no longer than this, ms: a page of 500 pods is some MB, and a person waits.
const ANSWER_MS: u64 = 20_000;

/// Asks by GET.
pub async fn get(client: &Client, path: &str) -> Result<String, Trouble> {
    request(client, Request::get(path).body(Vec::new())).await
}

/// Asks by POST of a review.
pub async fn post(client: &Client, path: &str, body: &Value) -> Result<Value, Trouble> {
    let request_of = Request::post(path).header("content-type", "application/json").body(body.to_string().into_bytes());
    let text = request(client, request_of).await?;
    serde_json::from_str(&text).map_err(|error| Trouble::of(&kube::Error::SerdeError(error)))
}

async fn request(client: &Client, request: Result<Request<Vec<u8>>, http::Error>) -> Result<String, Trouble> {
    let request = request.map_err(|error| Trouble::of(&kube::Error::HttpError(error)))?;
    within(ANSWER_MS, client.request_text(request)).await
}

/// What a failure means for the checks.
pub fn had(trouble: &Trouble) -> Had {
    match trouble.kind {
        TroubleKind::NotFound => Had::Absent,
        TroubleKind::Forbidden => Had::Forbidden,
        _ => Had::Failed(trouble.to_string()),
    }
}
