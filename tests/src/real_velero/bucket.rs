//! Where does Velero put its Backups, and what does a test read back from there?

use anyhow::Context as _;

use crate::aws::s3::S3;

/// Its name.
pub(super) const BUCKET: &str = "backups";

/// The S3 stand-in with Velero's bucket.
#[derive(Debug)]
pub struct Bucket {
    /// It, for outages and for what a test looks at itself.
    pub s3: S3,
}

impl Bucket {
    pub(super) fn start() -> Self {
        let s3 = S3::start();
        s3.create_bucket(BUCKET);
        Self { s3 }
    }

    /// A file of a Backup, such as `b.tar.gz` or `b-logs.gz`.
    ///
    /// # Errors
    /// When Velero has not stored it.
    pub fn file(&self, backup: &str, file: &str) -> anyhow::Result<Vec<u8>> {
        let key = format!("backups/{backup}/{file}");
        let found = self.s3.object(BUCKET, &key);
        let known = || format!("no {key} in the bucket; there are {:?}", self.s3.objects(BUCKET, ""));
        Ok(found.with_context(known)?.to_vec())
    }
}
