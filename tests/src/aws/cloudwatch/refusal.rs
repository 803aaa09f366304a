//! What the stand-in refuses, and with which words.

use bytes::Bytes;
use ciborium::Value;
use hyper::Request;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::Settings;
use super::cbor::map;

/// AWS takes signatures that are this old, s.
const SIGNATURE_S_MAX: i64 = 300;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The caller's role lacks the action.
    AccessDenied,
    /// The session's credentials have run out.
    Expired,
    /// Too many calls.
    Throttled,
    /// The service is ill.
    Internal,
    /// No signature, or one for another service or Region.
    NotSigned,
    /// A signature from too far in the past or the future.
    Skewed,
    /// The body is no CBOR.
    Unreadable,
    /// A parameter is not there.
    MissingParameter(String),
    /// There is no such operation here.
    UnknownOperation,
}

impl Refusal {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::AccessDenied | Self::Expired | Self::NotSigned | Self::Skewed => 403,
            Self::Internal => 500,
            Self::Throttled | Self::Unreadable | Self::MissingParameter(_) => 400,
            Self::UnknownOperation => 404,
        }
    }

    /// The error's code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AccessDenied => "AccessDenied",
            Self::Expired => "ExpiredToken",
            Self::Throttled => "Throttling",
            Self::Internal => "InternalServiceFault",
            Self::NotSigned => "MissingAuthenticationToken",
            Self::Skewed => "SignatureDoesNotMatch",
            Self::Unreadable => "SerializationException",
            Self::MissingParameter(_) => "MissingParameter",
            Self::UnknownOperation => "UnknownOperationException",
        }
    }

    /// The body.
    pub fn body(&self) -> Value {
        let message = match self {
            Self::AccessDenied => {
                "User: arn:aws:sts::111122223333:assumed-role/r/s is not authorized to perform this action".to_owned()
            }
            Self::Expired => "The security token included in the request is expired".to_owned(),
            Self::Throttled => "Rate exceeded".to_owned(),
            Self::Internal => "The request processing has failed because of an unknown error".to_owned(),
            Self::NotSigned => "Request is missing Authentication Token".to_owned(),
            Self::Skewed => "Signature expired".to_owned(),
            Self::Unreadable => "the body is no CBOR map".to_owned(),
            Self::MissingParameter(what) => format!("The parameter {what} is required"),
            Self::UnknownOperation => "the stand-in knows ListMetrics and GetMetricData".to_owned(),
        };
        map([("__type", Some(Value::from(self.code()))), ("message", Some(Value::from(message)))])
    }
}

/// What of a request is refused before it is read.
pub fn of_request(request: &Request<Bytes>, settings: &Settings, operation: &str) -> Option<Refusal> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if header("smithy-protocol") != "rpc-v2-cbor" || request.method() != "POST" {
        return Some(Refusal::UnknownOperation);
    }
    let signed = header("authorization");
    if !signed.starts_with("AWS4-") || !signed.contains("/us-east-1/monitoring/aws4_request") {
        return Some(Refusal::NotSigned);
    }
    let signed_at = DateTime::strptime("%Y%m%dT%H%M%SZ", header("x-amz-date")).ok();
    let signed_at = signed_at.and_then(|at| at.to_zoned(TimeZone::UTC).ok()).map(|at| at.timestamp().as_second());
    let now_s = jiff::Timestamp::now().as_second() + settings.ahead_s;
    if signed_at.is_none_or(|at| (now_s - at).abs() > SIGNATURE_S_MAX) {
        return Some(Refusal::Skewed);
    }
    let is_meant = settings.refused.is_empty() || settings.refused.iter().any(|refused| refused == operation);
    settings.refusal.clone().filter(|_| is_meant)
}
