//! What can be done with a bucket?

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response};

use super::answer::{Done, document, empty, set};
use super::body::payload;
use super::documents::{Buckets, Delete, DeleteResult, ListBucketResult, Location};
use super::listing::Listing;
use super::operation::OnBucket;
use super::refusal::Refusal;
use super::store::{Bucket, Store};
use crate::aws::xml;

/// Most keys of one `DeleteObjects` (S3 API reference).
const DELETED_KEYS_MAX: usize = 1_000;

/// `ListBuckets`.
pub(super) fn list_all(store: &Store) -> Response<Full<Bytes>> {
    document(xml::document("ListAllMyBucketsResult", &Buckets::of(store.names())))
}

/// Carries out an operation on the bucket.
pub(super) fn run(store: &mut Store, name: &str, what: &OnBucket, request: &Request<Bytes>) -> Done {
    if *what == OnBucket::Create {
        // In us-east-1 an owner who makes a bucket again is told 200.
        store.create_bucket(name);
        let mut created = empty(200);
        set(&mut created, "location", &format!("/{name}"));
        return Ok(created);
    }
    let bucket = store.bucket_mut(name).ok_or(Refusal::NoSuchBucket)?;
    match what {
        OnBucket::Create => Err(Refusal::MethodNotAllowed),
        OnBucket::Head => {
            let mut found = empty(200);
            set(&mut found, "x-amz-bucket-region", "us-east-1");
            Ok(found)
        }
        OnBucket::GetLocation => Ok(document(xml::document("LocationConstraint", &Location::US_EAST_1))),
        OnBucket::ListV2(listing) => Ok(list(name, bucket, listing)),
        OnBucket::DeleteObjects => delete_objects(bucket, request),
        OnBucket::Delete if !bucket.objects.is_empty() => Err(Refusal::BucketNotEmpty),
        OnBucket::Delete => {
            store.remove_bucket(name);
            Ok(empty(204))
        }
    }
}

fn list(name: &str, bucket: &Bucket, listing: &Listing) -> Response<Full<Bytes>> {
    let page = listing.page(bucket.objects.keys().map(String::as_str));
    document(xml::document("ListBucketResult", &ListBucketResult::of(name, bucket, listing, page)))
}

fn delete_objects(bucket: &mut Bucket, request: &Request<Bytes>) -> Done {
    let body = payload(request.headers(), request.body())?;
    let list: Delete = xml::parse(&body).ok_or(Refusal::MalformedXml)?;
    if list.objects.is_empty() || list.objects.len() > DELETED_KEYS_MAX {
        return Err(Refusal::MalformedXml);
    }
    for object in &list.objects {
        bucket.objects.remove(&object.key);
    }
    // What was not there counts as deleted, too.
    let deleted = if list.quiet { Vec::new() } else { list.objects };
    Ok(document(xml::document("DeleteResult", &DeleteResult { deleted })))
}
