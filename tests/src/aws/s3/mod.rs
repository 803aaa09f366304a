//! The S3 stand-in: what does a test hold in its hand?
//!
//! Path-style addresses over plain HTTP; buckets and objects in memory. It does what Velero's AWS plugin needs of S3, through the plugin's SDK: whole
//! objects with checksums in headers or trailers, multipart uploads, ranges, listings by prefix and delimiter with paging, presigned
//! downloads. Every parameter and `x-amz-` header that it does not know is refused with 501 `NotImplemented`: no versions, no copies, no ACLs, no tags,
//! no encryption, no conditions. The signature is not verified; a request without one is refused.

mod answer;
mod authorization;
mod body;
mod checksum;
mod documents;
mod listing;
mod multipart;
mod on_bucket;
mod on_object;
mod operation;
mod outage;
mod refusal;
mod store;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hyper::Request;

pub use outage::Outage;

use super::loopback::{Answer, Loopback, Service};
use store::Store;

/// One request, for what a test wants to know afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Method, path and query as they came.
    pub request: String,
    /// HTTP status of the answer; 0 when there was none.
    pub status: u16,
}

/// A running stand-in. It ends when this is dropped.
#[derive(Debug)]
pub struct S3 {
    core: Arc<Core>,
    loopback: Loopback,
}

/// What the server's thread and the test share.
#[derive(Debug, Default)]
struct Core {
    store: Mutex<Store>,
    outage: Mutex<Option<Outage>>,
    records: Mutex<Vec<Record>>,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl S3 {
    /// Starts a stand-in without buckets on a free loopback port.
    ///
    /// # Panics
    /// When no loopback port or thread is to be had.
    pub fn start() -> Self {
        let core = Arc::new(Core::default());
        let loopback = Loopback::start("s3-stand-in", Arc::clone(&core))
            .unwrap_or_else(|e| panic!("the S3 stand-in cannot listen on a loopback port: {e}"));
        Self { core, loopback }
    }

    /// `http://127.0.0.1:<port>`, for `s3Url` with `s3ForcePathStyle: "true"`.
    pub fn url(&self) -> String {
        self.loopback.url()
    }

    /// Makes a bucket; one that is there stays as it is.
    pub fn create_bucket(&self, bucket: &str) {
        lock(&self.core.store).create_bucket(bucket);
    }

    /// Removes a bucket with all that is in it. `false`: there is none.
    pub fn remove_bucket(&self, bucket: &str) -> bool {
        lock(&self.core.store).remove_bucket(bucket)
    }

    /// The keys in a bucket that begin with `prefix`, in order; none when there is no such bucket.
    pub fn objects(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let store = lock(&self.core.store);
        let keys = store.bucket(bucket).into_iter().flat_map(|b| b.objects.keys());
        keys.filter(|key| key.starts_with(prefix)).cloned().collect()
    }

    /// What is stored under a key, as the client meant it: a gzip file is still one.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Bytes> {
        lock(&self.core.store).bucket(bucket)?.objects.get(key).map(|o| o.bytes.clone())
    }

    /// Stores an object behind the clients' backs.
    pub fn put(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) {
        let mut store = lock(&self.core.store);
        store.create_bucket(bucket);
        store.put(bucket, key, store::Object::of(bytes.into()));
    }

    /// From now on every request meets this; `None`: all is well again. What is stored stays.
    pub fn set_outage(&self, outage: Option<Outage>) {
        *lock(&self.core.outage) = outage;
    }

    /// Every request so far, oldest first.
    pub fn requests(&self) -> Vec<Record> {
        lock(&self.core.records).clone()
    }
}

impl Service for Core {
    async fn answer(self: Arc<Self>, request: Request<Bytes>) -> Answer {
        let asked = format!("{} {}", request.method(), request.uri());
        let answer = answer::answer(&self, &request);
        let status = answer.as_ref().map_or(0, |a| a.status().as_u16());
        lock(&self.records).push(Record { request: asked, status });
        answer
    }
}
