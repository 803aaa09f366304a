//! How do parts become one object?

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use serde::Deserialize;

use super::checksum::{hex, md5};
use super::refusal::Refusal;
use super::store::Object;

/// Smallest part but for the last (S3 user guide, "Amazon S3 multipart upload limits").
const PART_BYTES_MIN: usize = 5 * 1024 * 1024;

/// Part numbers are 1 to this (same page).
pub(super) const PART_NUMBER_MAX: u16 = 10_000;

/// An upload that goes on.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) key: String,
    /// As in [`Object::headers`].
    pub(super) headers: Vec<(String, String)>,
    pub(super) parts: BTreeMap<u16, Bytes>,
}

/// `<CompleteMultipartUpload>` as clients send it.
#[derive(Debug, Deserialize)]
pub(super) struct Completion {
    #[serde(rename = "Part", default)]
    parts: Vec<CompletedPart>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CompletedPart {
    part_number: u16,
    #[serde(rename = "ETag")]
    etag: String,
}

/// The `ETag` of a part.
pub(super) fn part_etag(part: &[u8]) -> String {
    format!("\"{}\"", hex(&md5(part)))
}

impl Upload {
    /// Joins the parts that the client lists.
    pub(super) fn complete(&self, list: &Completion) -> Result<Object, Refusal> {
        if list.parts.is_empty() {
            return Err(Refusal::MalformedXml);
        }
        if !list.parts.is_sorted_by(|a, b| a.part_number < b.part_number) {
            return Err(Refusal::InvalidPartOrder);
        }
        let (mut bytes, mut digests) = (BytesMut::new(), Vec::new());
        for (place, named) in list.parts.iter().enumerate() {
            let part = self.parts.get(&named.part_number).ok_or(Refusal::InvalidPart)?;
            if named.etag.trim_matches('"') != part_etag(part).trim_matches('"') {
                return Err(Refusal::InvalidPart);
            }
            if part.len() < PART_BYTES_MIN && place + 1 < list.parts.len() {
                return Err(Refusal::EntityTooSmall);
            }
            bytes.extend_from_slice(part);
            digests.extend_from_slice(&md5(part));
        }
        let etag = format!("\"{}-{}\"", hex(&md5(&digests)), list.parts.len());
        let headers = self.headers.clone();
        Ok(Object { bytes: bytes.freeze(), etag, crc32: None, headers, modified: Timestamp::now() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stored: &[(u16, usize)], listed: &[u16], expected: &Result<usize, Refusal>) {
        let parts: BTreeMap<u16, Bytes> = stored.iter().map(|(n, len)| (*n, Bytes::from(vec![b'x'; *len]))).collect();
        let etag = |n: &u16| parts.get(n).map_or_else(String::new, |p| part_etag(p));
        let listed = listed.iter().map(|n| CompletedPart { part_number: *n, etag: etag(n) }).collect();
        let upload = Upload { key: "k".to_owned(), headers: Vec::new(), parts: parts.clone() };
        let joined = upload.complete(&Completion { parts: listed });
        assert_eq!(&joined.map(|o| o.bytes.len()), expected, "{stored:?}");
    }

    #[test]
    fn parts_are_joined_in_order_or_not_at_all() {
        check(&[(1, PART_BYTES_MIN), (2, 10)], &[1, 2], &Ok(PART_BYTES_MIN + 10));
        check(&[(1, 10)], &[1], &Ok(10));
        check(&[(1, PART_BYTES_MIN), (2, 10), (3, 10)], &[1, 3], &Ok(PART_BYTES_MIN + 10));
        check(&[(1, 10), (2, 10)], &[1, 2], &Err(Refusal::EntityTooSmall));
        check(&[(1, 10), (2, 10)], &[2, 1], &Err(Refusal::InvalidPartOrder));
        check(&[(1, 10)], &[1, 1], &Err(Refusal::InvalidPartOrder));
        check(&[(1, 10)], &[2], &Err(Refusal::InvalidPart));
        check(&[(1, 10)], &[], &Err(Refusal::MalformedXml));
    }
}
