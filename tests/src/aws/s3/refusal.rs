//! Why is a request refused, and how does S3 say so?

use bytes::Bytes;
use serde::Serialize;

use crate::aws::xml;

/// Why; codes, statuses and messages are those of the S3 API reference, "Error responses".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    AccessDenied(&'static str),
    BadDigest,
    BucketNotEmpty,
    IncompleteBody,
    InvalidArgument(String),
    InvalidPart,
    InvalidPartOrder,
    EntityTooSmall,
    InvalidRange,
    MalformedXml,
    MethodNotAllowed,
    NoSuchBucket,
    NoSuchKey,
    NoSuchUpload,
    PreconditionFailed,
    ServiceUnavailable,
    /// Names what the stand-in does not do.
    NotImplemented(String),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Error<'a> {
    code: &'static str,
    message: String,
    resource: &'a str,
    request_id: &'a str,
}

impl Refusal {
    /// HTTP status and S3's code.
    pub(super) fn status_and_code(&self) -> (u16, &'static str) {
        match self {
            Self::AccessDenied(_) => (403, "AccessDenied"),
            Self::BadDigest => (400, "BadDigest"),
            Self::BucketNotEmpty => (409, "BucketNotEmpty"),
            Self::IncompleteBody => (400, "IncompleteBody"),
            Self::InvalidArgument(_) => (400, "InvalidArgument"),
            Self::InvalidPart => (400, "InvalidPart"),
            Self::InvalidPartOrder => (400, "InvalidPartOrder"),
            Self::EntityTooSmall => (400, "EntityTooSmall"),
            Self::InvalidRange => (416, "InvalidRange"),
            Self::MalformedXml => (400, "MalformedXML"),
            Self::MethodNotAllowed => (405, "MethodNotAllowed"),
            Self::NoSuchBucket => (404, "NoSuchBucket"),
            Self::NoSuchKey => (404, "NoSuchKey"),
            Self::NoSuchUpload => (404, "NoSuchUpload"),
            Self::PreconditionFailed => (412, "PreconditionFailed"),
            Self::ServiceUnavailable => (503, "ServiceUnavailable"),
            Self::NotImplemented(_) => (501, "NotImplemented"),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::AccessDenied(why) => (*why).to_owned(),
            Self::BadDigest => "The checksum that you specified did not match what was received.".to_owned(),
            Self::BucketNotEmpty => "The bucket you tried to delete is not empty".to_owned(),
            Self::IncompleteBody => {
                "The body does not have the length or the framing that its headers state".to_owned()
            }
            Self::InvalidArgument(which) => format!("Invalid Argument: {which}"),
            Self::InvalidPart => "One or more of the specified parts could not be found.".to_owned(),
            Self::InvalidPartOrder => "The list of parts was not in ascending order.".to_owned(),
            Self::EntityTooSmall => "Your proposed upload is smaller than the minimum allowed size".to_owned(),
            Self::InvalidRange => "The requested range is not satisfiable".to_owned(),
            Self::MalformedXml => "The XML you provided was not well-formed".to_owned(),
            Self::MethodNotAllowed => "The specified method is not allowed against this resource.".to_owned(),
            Self::NoSuchBucket => "The specified bucket does not exist".to_owned(),
            Self::NoSuchKey => "The specified key does not exist.".to_owned(),
            Self::NoSuchUpload => "The specified upload does not exist.".to_owned(),
            Self::PreconditionFailed => "At least one of the pre-conditions you specified did not hold".to_owned(),
            Self::ServiceUnavailable => "Please reduce your request rate.".to_owned(),
            Self::NotImplemented(what) => format!("The stand-in does not do this: {what}"),
        }
    }

    /// The body: `<Error>` with code, message, the request's path and its id.
    pub(super) fn body(&self, resource: &str, request_id: &str) -> Bytes {
        let (_, code) = self.status_and_code();
        xml::document("Error", &Error { code, message: self.message(), resource, request_id })
    }
}
