//! Does a request carry a signature, and is it still good?

use std::time::Duration;

use hyper::HeaderMap;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::body::text;
use super::refusal::Refusal;
use crate::aws::parameters::Parameters;

/// Longest life of a presigned URL that S3 takes: seven days (S3 user guide, "Expiration time for presigned URLs").
const PRESIGNED_S_MAX: u64 = 7 * 24 * 3_600;

/// The signature itself is not verified; that there is one is, and the life of a presigned URL.
pub(super) fn check(headers: &HeaderMap, query: &str, now: Timestamp) -> Result<(), Refusal> {
    let query = Parameters::of(query.as_bytes());
    if query.has("X-Amz-Signature") {
        return check_presigned(&query, now);
    }
    match text(headers, "authorization") {
        Some(signed) if signed.starts_with("AWS4-") && signed.contains("/s3/aws4_request") => Ok(()),
        Some(_) => Err(Refusal::AccessDenied("The Authorization header is no AWS signature of version 4 for s3.")),
        None => Err(Refusal::AccessDenied("Access Denied")),
    }
}

fn check_presigned(query: &Parameters, now: Timestamp) -> Result<(), Refusal> {
    let expires_s = query.get("X-Amz-Expires").and_then(|text| text.parse::<u64>().ok());
    let expires_s = expires_s.filter(|s| (1..=PRESIGNED_S_MAX).contains(s));
    let signed_at = query.get("X-Amz-Date").and_then(|text| DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok());
    let signed_at = signed_at.and_then(|at| at.to_zoned(TimeZone::UTC).ok()).map(|at| at.timestamp());
    let (Some(expires_s), Some(signed_at)) = (expires_s, signed_at) else {
        return Err(Refusal::AccessDenied("X-Amz-Date or X-Amz-Expires is missing or wrong."));
    };
    if now > signed_at + Duration::from_secs(expires_s) {
        return Err(Refusal::AccessDenied("Request has expired"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(authorization: Option<&str>, query: &str, expected: bool) {
        let headers: HeaderMap =
            authorization.into_iter().map(|v| (hyper::header::AUTHORIZATION, v.parse().unwrap())).collect();
        let now = "2026-11-23T03:00:00Z".parse().expect("a time");
        assert_eq!(check(&headers, query, now).is_ok(), expected, "{authorization:?} {query}");
    }

    #[test]
    fn only_signed_requests_get_in() {
        let signed =
            "AWS4-HMAC-SHA256 Credential=k/20261123/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        check_one(Some(signed), "", true);
        check_one(Some("Basic eDp5"), "", false);
        check_one(Some(&signed.replace("/s3/", "/ec2/")), "", false);
        check_one(None, "list-type=2", false);
        check_one(None, "X-Amz-Signature=0&X-Amz-Date=20261123T025900Z&X-Amz-Expires=61", true);
        check_one(None, "X-Amz-Signature=0&X-Amz-Date=20261123T025900Z&X-Amz-Expires=59", false);
        check_one(None, "X-Amz-Signature=0&X-Amz-Expires=59", false);
        check_one(None, "X-Amz-Signature=0&X-Amz-Date=20261123T025900Z&X-Amz-Expires=604801", false);
    }
}
