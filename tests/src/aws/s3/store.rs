//! Which buckets and objects are there?

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::checksum::{self, hex, md5};
use super::multipart::Upload;

/// Everything that is stored.
#[derive(Debug, Default)]
pub(super) struct Store {
    buckets: BTreeMap<String, Bucket>,
    uploads_made: u64,
}

/// One bucket.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// By key.
    pub(super) objects: BTreeMap<String, Arc<Object>>,
    /// Multipart uploads that are neither completed nor aborted, by id.
    pub(super) uploads: BTreeMap<String, Upload>,
}

/// One object.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) bytes: Bytes,
    /// With its quotes.
    pub(super) etag: String,
    /// Base64; what came in parts has none here, as an upload that asked for none.
    pub(super) crc32: Option<String>,
    /// `content-type`, `content-encoding` and `x-amz-meta-*`, given back as they came.
    pub(super) headers: Vec<(String, String)>,
    pub(super) modified: Timestamp,
}

impl Object {
    /// One that came as a whole, now.
    pub(super) fn of(bytes: Bytes) -> Self {
        let etag = format!("\"{}\"", hex(&md5(&bytes)));
        let crc32 = Some(checksum::crc32(&bytes));
        Self { bytes, etag, crc32, headers: Vec::new(), modified: Timestamp::now() }
    }
}

impl Store {
    /// All names, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.buckets.keys().map(String::as_str)
    }

    /// Makes a bucket unless it is there.
    pub(super) fn create_bucket(&mut self, name: &str) {
        self.buckets.entry(name.to_owned()).or_default();
    }

    /// Removes a bucket with its content. `false`: there is none.
    pub(super) fn remove_bucket(&mut self, name: &str) -> bool {
        self.buckets.remove(name).is_some()
    }

    /// A bucket.
    pub(super) fn bucket(&self, name: &str) -> Option<&Bucket> {
        self.buckets.get(name)
    }

    /// A bucket, to change.
    pub(super) fn bucket_mut(&mut self, name: &str) -> Option<&mut Bucket> {
        self.buckets.get_mut(name)
    }

    /// Stores an object; nothing happens when there is no such bucket.
    pub(super) fn put(&mut self, bucket: &str, key: &str, object: Object) {
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            bucket.objects.insert(key.to_owned(), Arc::new(object));
        }
    }

    /// An upload id that was never given before.
    pub(super) fn new_upload_id(&mut self) -> String {
        self.uploads_made += 1;
        format!("upload-{}", self.uploads_made)
    }
}
