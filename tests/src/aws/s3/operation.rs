//! Which operation does a request ask for, and of what?

use hyper::{HeaderMap, Method};
use percent_encoding::percent_decode_str;

use super::listing::Listing;
use super::multipart::PART_NUMBER_MAX;
use super::refusal::Refusal;
use crate::aws::parameters::Parameters;

/// What the stand-in can do; names are those of the S3 API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    ListBuckets,
    OnBucket(String, OnBucket),
    OnObject(String, String, OnObject),
}

/// What it can do with a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OnBucket {
    Create,
    Delete,
    Head,
    GetLocation,
    ListV2(Box<Listing>),
    DeleteObjects,
}

/// What it can do with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OnObject {
    Put,
    Get,
    Head,
    Delete,
    CreateUpload,
    PutPart { upload: String, number: u16 },
    CompleteUpload { upload: String },
    AbortUpload { upload: String },
}

/// Query parameters that change nothing here: the operation's name, and those of a presigned URL.
fn is_neutral(name: &str) -> bool {
    name == "x-id" || name.starts_with("X-Amz-")
}

/// `x-amz-` headers that the stand-in heeds, or that change nothing here.
const HEADERS_KNOWN: [&str; 11] = [
    "x-amz-checksum-algorithm",
    "x-amz-checksum-mode",
    "x-amz-checksum-type",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-mp-object-size",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-security-token",
    "x-amz-trailer",
    "x-amz-user-agent",
];

/// Refuses headers that ask for something that would not be done.
pub(super) fn check_headers(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    let reads = method == Method::GET || method == Method::HEAD;
    let asks_for_more = |name: &str| {
        let amazon = name.starts_with("x-amz-")
            && !name.starts_with("x-amz-meta-")
            && !(name.starts_with("x-amz-checksum-"))
            && !HEADERS_KNOWN.contains(&name);
        // Conditions: whoever sets one relies on it. Ranged downloads make sure that all their parts are of one object.
        amazon || (name.starts_with("if-") && !(reads && name == "if-match"))
    };
    match headers.keys().find(|name| asks_for_more(name.as_str())) {
        Some(name) => Err(Refusal::NotImplemented(format!("header {name}"))),
        None => Ok(()),
    }
}

/// Reads method, path and query of a path-style request.
pub(super) fn parse(method: &Method, path: &str, query: &str) -> Result<Operation, Refusal> {
    let query = Parameters::of(query.as_bytes());
    let asked: Vec<&str> = query.names().filter(|name| !is_neutral(name)).collect();
    let path = path.strip_prefix('/').unwrap_or(path);
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let (bucket, key) = (decoded(bucket)?, decoded(key)?);
    if bucket.is_empty() {
        return if method == Method::GET && asked.is_empty() {
            Ok(Operation::ListBuckets)
        } else {
            Err(unknown(method, "the service", &asked))
        };
    }
    if key.is_empty() {
        return Ok(Operation::OnBucket(bucket, on_bucket(method, &query, &asked)?));
    }
    Ok(Operation::OnObject(bucket, key, on_object(method, &query, &asked)?))
}

fn on_bucket(method: &Method, query: &Parameters, asked: &[&str]) -> Result<OnBucket, Refusal> {
    const OF_LISTINGS: [&str; 7] =
        ["continuation-token", "delimiter", "encoding-type", "list-type", "max-keys", "prefix", "start-after"];
    match (method.as_str(), asked) {
        ("PUT", []) => Ok(OnBucket::Create),
        ("DELETE", []) => Ok(OnBucket::Delete),
        ("HEAD", []) => Ok(OnBucket::Head),
        ("GET", ["location"]) => Ok(OnBucket::GetLocation),
        ("POST", ["delete"]) => Ok(OnBucket::DeleteObjects),
        ("GET", names)
            if query.get("list-type") == Some("2") && names.iter().all(|name| OF_LISTINGS.contains(name)) =>
        {
            Ok(OnBucket::ListV2(Box::new(Listing::of(query)?)))
        }
        _ => Err(unknown(method, "a bucket", asked)),
    }
}

fn on_object(method: &Method, query: &Parameters, asked: &[&str]) -> Result<OnObject, Refusal> {
    let upload = || query.get("uploadId").unwrap_or_default().to_owned();
    match (method.as_str(), asked) {
        ("PUT", []) => Ok(OnObject::Put),
        ("GET", []) => Ok(OnObject::Get),
        ("HEAD", []) => Ok(OnObject::Head),
        ("DELETE", []) => Ok(OnObject::Delete),
        ("POST", ["uploads"]) => Ok(OnObject::CreateUpload),
        ("POST", ["uploadId"]) => Ok(OnObject::CompleteUpload { upload: upload() }),
        ("DELETE", ["uploadId"]) => Ok(OnObject::AbortUpload { upload: upload() }),
        ("PUT", ["partNumber", "uploadId"]) => {
            let number = query.get("partNumber").and_then(|text| text.parse().ok());
            let number = number.filter(|number| (1..=PART_NUMBER_MAX).contains(number));
            let number = number.ok_or_else(|| Refusal::InvalidArgument("partNumber".to_owned()))?;
            Ok(OnObject::PutPart { upload: upload(), number })
        }
        _ => Err(unknown(method, "an object", asked)),
    }
}

fn unknown(method: &Method, of: &str, asked: &[&str]) -> Refusal {
    Refusal::NotImplemented(format!("{method} of {of} with the parameters {asked:?}"))
}

fn decoded(text: &str) -> Result<String, Refusal> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| Refusal::InvalidArgument("the path is no UTF-8".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, path: &str, query: &str, expected: &str) {
        let method: Method = method.parse().expect("a method");
        let said = match parse(&method, path, query) {
            Ok(Operation::ListBuckets) => "buckets".to_owned(),
            Ok(Operation::OnBucket(bucket, OnBucket::ListV2(listing))) => format!("{bucket} list {:?}", listing.prefix),
            Ok(Operation::OnBucket(bucket, what)) => format!("{bucket} {what:?}"),
            Ok(Operation::OnObject(bucket, key, what)) => format!("{bucket} {key} {what:?}"),
            Err(refusal) => refusal.status_and_code().1.to_owned(),
        };
        assert_eq!(said, expected, "{method} {path}?{query}");
    }

    #[test]
    fn requests_are_read_as_the_sdk_means_them() {
        check("GET", "/", "x-id=ListBuckets", "buckets");
        check("PUT", "/b", "", "b Create");
        check("HEAD", "/b/", "", "b Head");
        check("GET", "/b", "list-type=2&prefix=a%2Fb&delimiter=%2F", "b list \"a/b\"");
        check("POST", "/b", "delete", "b DeleteObjects");
        check("PUT", "/b/a%20b/c+d", "x-id=PutObject", "b a b/c+d Put");
        check("GET", "/b/k", "X-Amz-Signature=x&X-Amz-Expires=5", "b k Get");
        check("POST", "/b/k", "uploads", "b k CreateUpload");
        let part = "b k PutPart { upload: \"u\", number: 7 }";
        check("PUT", "/b/k", "partNumber=7&uploadId=u&x-id=UploadPart", part);
        check("POST", "/b/k", "uploadId=u", "b k CompleteUpload { upload: \"u\" }");
        check("DELETE", "/b/k", "uploadId=u", "b k AbortUpload { upload: \"u\" }");
    }

    #[test]
    fn what_is_not_there_is_refused() {
        check("GET", "/b", "", "NotImplemented");
        check("GET", "/b", "list-type=2&fetch-owner=true", "NotImplemented");
        check("GET", "/b", "versions", "NotImplemented");
        check("GET", "/b/k", "versionId=1", "NotImplemented");
        check("GET", "/b/k", "response-content-type=text%2Fplain", "NotImplemented");
        check("PUT", "/b/k", "tagging", "NotImplemented");
        check("PATCH", "/b/k", "", "NotImplemented");
        check("PUT", "/b/k", "partNumber=0&uploadId=u", "InvalidArgument");
        let refused = |name: &'static str| {
            check_headers(&Method::PUT, &HeaderMap::from_iter([(name.parse().unwrap(), "1".parse().unwrap())]))
        };
        for name in ["x-amz-tagging", "x-amz-server-side-encryption", "if-none-match", "if-match", "x-amz-copy-source"]
        {
            assert!(matches!(refused(name), Err(Refusal::NotImplemented(_))), "{name}");
        }
        for name in ["x-amz-meta-a", "x-amz-checksum-crc32", "x-amz-date", "authorization"] {
            assert_eq!(refused(name), Ok(()), "{name}");
        }
    }
}
