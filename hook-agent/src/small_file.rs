//! Reads a small text file, and refuses a big or binary one.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// A file that is there and cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused.
    #[error("{path} cannot be read")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Longer than such a file can be.
    #[error("{path} is longer than {max_bytes} bytes: it is not what is expected there")]
    TooLong {
        /// Which file.
        path: PathBuf,
        /// The limit, bytes.
        max_bytes: u64,
    },
    /// Not UTF-8.
    #[error("{path} is not text (UTF-8)")]
    NotText {
        /// Which file.
        path: PathBuf,
    },
}

/// The whole text of `path`, or `None` when there is no such file.
pub fn read(path: &Path, max_bytes: u64) -> Result<Option<String>, FileError> {
    let unreadable = |source| FileError::Unreadable { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(e) => return Err(unreadable(e)),
    };
    let mut bytes = Vec::new();
    // One byte more than allowed tells "too long" from "just fits"; /dev/zero ends here too.
    file.take(max_bytes + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > max_bytes {
        return Err(FileError::TooLong { path: path.to_owned(), max_bytes });
    }
    String::from_utf8(bytes).map(Some).map_err(|_| FileError::NotText { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_endless_binary_and_unreadable_files_are_told_apart() {
        assert!(matches!(read(Path::new("/no/such/file"), 9), Ok(None)));
        assert!(matches!(read(Path::new("/proc/self/stat/x"), 9), Ok(None)));
        assert!(matches!(read(Path::new("/dev/zero"), 100), Err(FileError::TooLong { .. })));
        assert!(matches!(read(Path::new("/dev/null"), 0), Ok(Some(text)) if text.is_empty()));
        assert!(matches!(read(Path::new("/"), 100), Err(FileError::Unreadable { .. })));
        let path = std::env::temp_dir().join(format!("hook-agent-small-file-{}", std::process::id()));
        std::fs::write(&path, b"\xff\xfe").unwrap();
        assert!(matches!(read(&path, 2), Err(FileError::NotText { .. })));
        std::fs::write(&path, "db-0").unwrap();
        assert!(matches!(read(&path, 4), Ok(Some(text)) if text == "db-0"));
        std::fs::remove_file(&path).unwrap();
    }
}
