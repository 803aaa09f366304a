//! Which documents does the stand-in send and take? Names and order of elements are those of the S3 API reference.

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::listing::{Entry, Listing, Page};
use super::store::Bucket;

/// The namespace of all of them.
const XMLNS: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// What stays as it is in a listing with `encoding-type=url`.
const URL_ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/');

/// `<ListAllMyBucketsResult>`.
#[derive(Serialize)]
pub(super) struct Buckets<'a> {
    #[serde(rename = "@xmlns")]
    xmlns: &'static str,
    #[serde(rename = "Buckets")]
    buckets: BucketSet<'a>,
}

#[derive(Serialize)]
struct BucketSet<'a> {
    #[serde(rename = "Bucket")]
    bucket: Vec<Named<'a>>,
}

#[derive(Serialize)]
struct Named<'a> {
    #[serde(rename = "Name")]
    name: &'a str,
}

impl<'a> Buckets<'a> {
    pub(super) fn of(names: impl Iterator<Item = &'a str>) -> Self {
        Self { xmlns: XMLNS, buckets: BucketSet { bucket: names.map(|name| Named { name }).collect() } }
    }
}

/// `<LocationConstraint>`: empty, as for us-east-1.
#[derive(Serialize)]
pub(super) struct Location {
    #[serde(rename = "@xmlns")]
    xmlns: &'static str,
}

impl Location {
    pub(super) const US_EAST_1: Self = Self { xmlns: XMLNS };
}

/// `<ListBucketResult>`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListBucketResult<'a> {
    #[serde(rename = "@xmlns")]
    xmlns: &'static str,
    name: &'a str,
    prefix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    delimiter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding_type: Option<&'static str>,
    max_keys: usize,
    key_count: usize,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    continuation_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_continuation_token: Option<String>,
    contents: Vec<Contents<'a>>,
    common_prefixes: Vec<CommonPrefixes>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Contents<'a> {
    key: String,
    last_modified: String,
    #[serde(rename = "ETag")]
    etag: &'a str,
    size: usize,
    storage_class: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CommonPrefixes {
    prefix: String,
}

impl<'a> ListBucketResult<'a> {
    pub(super) fn of(name: &'a str, bucket: &'a Bucket, listing: &'a Listing, page: Page<'a>) -> Self {
        let text = |text: &str| {
            if listing.encoded { utf8_percent_encode(text, URL_ENCODED).to_string() } else { text.to_owned() }
        };
        let contents = page.entries.iter().filter_map(|entry| {
            let Entry::Key(key) = entry else { return None };
            let object = bucket.objects.get(*key)?;
            Some(Contents {
                key: text(key),
                last_modified: milliseconds(object.modified),
                etag: &object.etag,
                size: object.bytes.len(),
                storage_class: "STANDARD",
            })
        });
        let prefixes = page.entries.iter().filter_map(|entry| match entry {
            Entry::Prefix(prefix) => Some(CommonPrefixes { prefix: text(prefix) }),
            Entry::Key(_) => None,
        });
        Self {
            xmlns: XMLNS,
            name,
            prefix: text(&listing.prefix),
            delimiter: Some(&listing.delimiter).filter(|d| !d.is_empty()).map(|d| text(d)),
            start_after: listing.start_after.as_deref().map(text),
            encoding_type: listing.encoded.then_some("url"),
            max_keys: listing.max_keys,
            key_count: page.entries.len(),
            is_truncated: page.next.is_some(),
            continuation_token: listing.token.as_deref(),
            contents: contents.collect(),
            common_prefixes: prefixes.collect(),
            next_continuation_token: page.next,
        }
    }
}

/// A time as in documents, e.g. `2026-11-23T03:00:00.000Z`.
fn milliseconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// `<InitiateMultipartUploadResult>`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UploadCreated<'a> {
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    pub(super) upload_id: &'a str,
}

/// `<CompleteMultipartUploadResult>`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UploadCompleted<'a> {
    pub(super) location: String,
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    #[serde(rename = "ETag")]
    pub(super) etag: &'a str,
}

/// `<Delete>`: which objects to delete.
#[derive(Deserialize)]
pub(super) struct Delete {
    #[serde(rename = "Object", default)]
    pub(super) objects: Vec<ObjectName>,
    #[serde(rename = "Quiet", default)]
    pub(super) quiet: bool,
}

/// Which object.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ObjectName {
    #[serde(rename = "Key")]
    pub(super) key: String,
}

/// `<DeleteResult>`: which are gone.
#[derive(Serialize)]
pub(super) struct DeleteResult {
    #[serde(rename = "Deleted")]
    pub(super) deleted: Vec<ObjectName>,
}
