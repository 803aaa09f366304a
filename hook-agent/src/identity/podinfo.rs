//! What the downward API's files say: one field a file, as the original system's workloads mount them at `/etc/podinfo`.

use std::path::{Path, PathBuf};

use crate::small_file::{self, FileError};

/// The longest name is 253 characters, a uid 36; what is longer is another file.
const FIELD_BYTES_MAX: u64 = 4_096;

/// The folder that a downwardAPI volume is mounted at.
pub struct PodInfo {
    dir: PathBuf,
}

impl PodInfo {
    /// The folder `dir`, which need not exist.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Where `field` would stand.
    pub fn path(&self, field: &str) -> PathBuf {
        self.dir.join(field)
    }

    /// One field's text without white space at its ends; `None` when the file is absent or empty.
    pub fn read(&self, field: &str) -> Result<Option<String>, FileError> {
        let text = small_file::read(&self.path(field), FIELD_BYTES_MAX)?;
        Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }
}
