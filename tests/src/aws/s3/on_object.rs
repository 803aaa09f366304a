//! What can be done with an object?

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HeaderMap, RANGE};
use hyper::{Method, Request, Response};

use super::answer::{Done, document, empty, set, with_status};
use super::body::{payload, text};
use super::checksum::{self, CRC32};
use super::documents::{UploadCompleted, UploadCreated};
use super::multipart::{Upload, part_etag};
use super::operation::OnObject;
use super::refusal::Refusal;
use super::store::{Bucket, Object, Store};
use crate::aws::xml;

/// Carries out an operation on the object.
pub(super) fn run(store: &mut Store, name: &str, key: &str, what: &OnObject, request: &Request<Bytes>) -> Done {
    let id = (*what == OnObject::CreateUpload).then(|| store.new_upload_id());
    let bucket = store.bucket_mut(name).ok_or(Refusal::NoSuchBucket)?;
    match what {
        OnObject::Put => put(bucket, key, request),
        OnObject::Get | OnObject::Head => get(bucket, key, request),
        OnObject::Delete => {
            // Deleting what is not there succeeds.
            bucket.objects.remove(key);
            Ok(empty(204))
        }
        OnObject::CreateUpload => {
            let id = id.unwrap_or_default();
            let upload = Upload { key: key.to_owned(), headers: kept(request.headers()), parts: BTreeMap::new() };
            bucket.uploads.insert(id.clone(), upload);
            let created = UploadCreated { bucket: name, key, upload_id: &id };
            Ok(document(xml::document("InitiateMultipartUploadResult", &created)))
        }
        OnObject::PutPart { upload, number } => {
            let bytes = payload(request.headers(), request.body())?;
            let mut answer = empty(200);
            set(&mut answer, "etag", &part_etag(&bytes));
            set(&mut answer, CRC32, &checksum::crc32(&bytes));
            of_key(bucket, upload, key)?.parts.insert(*number, bytes);
            Ok(answer)
        }
        OnObject::CompleteUpload { upload } => complete(bucket, name, key, upload, request),
        OnObject::AbortUpload { upload } => {
            of_key(bucket, upload, key)?;
            bucket.uploads.remove(upload);
            Ok(empty(204))
        }
    }
}

fn of_key<'a>(bucket: &'a mut Bucket, upload: &str, key: &str) -> Result<&'a mut Upload, Refusal> {
    bucket.uploads.get_mut(upload).filter(|upload| upload.key == key).ok_or(Refusal::NoSuchUpload)
}

fn put(bucket: &mut Bucket, key: &str, request: &Request<Bytes>) -> Done {
    let bytes = payload(request.headers(), request.body())?;
    let object = Object { headers: kept(request.headers()), ..Object::of(bytes) };
    let mut answer = empty(200);
    set(&mut answer, "etag", &object.etag);
    if let Some(crc32) = &object.crc32 {
        set(&mut answer, CRC32, crc32);
        set(&mut answer, "x-amz-checksum-type", "FULL_OBJECT");
    }
    bucket.objects.insert(key.to_owned(), Arc::new(object));
    Ok(answer)
}

/// Which of a request's headers come back with the object.
fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut kept = Vec::new();
    for (name, value) in headers {
        let (name, Ok(value)) = (name.as_str(), value.to_str()) else { continue };
        if name == "content-encoding" {
            // `aws-chunked` is of the transfer, not of the object.
            let own: Vec<&str> = value.split(',').map(str::trim).filter(|c| *c != "aws-chunked").collect();
            if !own.is_empty() {
                kept.push((name.to_owned(), own.join(",")));
            }
        } else if name == "content-type" || name.starts_with("x-amz-meta-") {
            kept.push((name.to_owned(), value.to_owned()));
        }
    }
    kept
}

fn complete(bucket: &mut Bucket, name: &str, key: &str, upload: &str, request: &Request<Bytes>) -> Done {
    let list = xml::parse(request.body()).ok_or(Refusal::MalformedXml)?;
    let object = of_key(bucket, upload, key)?.complete(&list)?;
    // A checksum of all parts' checksums ends with their number; one without is of the object.
    if let Some(whole) = text(request.headers(), CRC32).filter(|value| !value.contains('-')) {
        checksum::check(CRC32, whole, &object.bytes)?;
    }
    bucket.uploads.remove(upload);
    let location = format!("/{name}/{key}");
    let completed = UploadCompleted { location, bucket: name, key, etag: &object.etag };
    let answer = document(xml::document("CompleteMultipartUploadResult", &completed));
    bucket.objects.insert(key.to_owned(), Arc::new(object));
    Ok(answer)
}

fn get(bucket: &Bucket, key: &str, request: &Request<Bytes>) -> Done {
    let object = bucket.objects.get(key).ok_or(Refusal::NoSuchKey)?;
    let bare = |etag: &str| etag.trim_matches('"').to_owned();
    if text(request.headers(), "if-match").is_some_and(|wanted| wanted != "*" && bare(wanted) != bare(&object.etag)) {
        return Err(Refusal::PreconditionFailed);
    }
    let size = object.bytes.len();
    let range = request.headers().get(RANGE).map(|value| value.to_str().unwrap_or_default());
    let range = range.map(|range| satisfied(range, size)).transpose()?.flatten();
    let part = range.clone().map_or_else(|| object.bytes.clone(), |r| object.bytes.slice(r));
    let length = part.len();
    let body = if request.method() == Method::HEAD { Bytes::new() } else { part };
    let mut answer = Response::new(Full::new(body));
    for (name, value) in &object.headers {
        set(&mut answer, name, value);
    }
    set(&mut answer, "accept-ranges", "bytes");
    set(&mut answer, "content-length", &length.to_string());
    set(&mut answer, "etag", &object.etag);
    set(&mut answer, "last-modified", &object.modified.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    if let Some(range) = range {
        set(&mut answer, "content-range", &format!("bytes {}-{}/{size}", range.start, range.end - 1));
        return Ok(with_status(answer, 206));
    }
    if let (Some("ENABLED"), Some(crc32)) = (text(request.headers(), "x-amz-checksum-mode"), &object.crc32) {
        set(&mut answer, CRC32, crc32);
        set(&mut answer, "x-amz-checksum-type", "FULL_OBJECT");
    }
    Ok(answer)
}

/// The bytes that a `Range` header asks for; `None`: it is to be passed over (RFC 9110, 14.2), so the whole object is sent.
fn satisfied(range: &str, size: usize) -> Result<Option<Range<usize>>, Refusal> {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Ok(None);
    };
    let found = match (first.parse::<usize>().ok(), last.parse::<usize>().ok()) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Some(first), None) if last.is_empty() => first..size,
        (None, Some(length)) if first.is_empty() => size.saturating_sub(length)..size,
        _ => return Ok(None),
    };
    if found.start < found.end { Ok(Some(found)) } else { Err(Refusal::InvalidRange) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(range: &str, expected: &Result<Option<Range<usize>>, Refusal>) {
        assert_eq!(&satisfied(range, 10), expected, "{range}");
    }

    #[test]
    fn ranges_are_cut_to_the_object() {
        check("bytes=0-3", &Ok(Some(0..4)));
        check("bytes=8-100", &Ok(Some(8..10)));
        check("bytes=4-", &Ok(Some(4..10)));
        check("bytes=-3", &Ok(Some(7..10)));
        check("bytes=10-", &Err(Refusal::InvalidRange));
        check("bytes=-0", &Err(Refusal::InvalidRange));
        check("bytes=3-1", &Ok(None));
        check("bytes=0-1,3-4", &Ok(None));
        check("lines=0-1", &Ok(None));
    }
}
