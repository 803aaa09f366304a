//! Does a request carry a signature for EC2?

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

use super::refusal::Refusal;

/// That there is one is all that is looked at.
pub(super) fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    let signed = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    match signed {
        Some(text) if text.starts_with("AWS4-") && text.contains("/ec2/aws4_request") => Ok(()),
        _ => Err(Refusal::MissingAuthenticationToken),
    }
}
