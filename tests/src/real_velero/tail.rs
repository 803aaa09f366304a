//! What is new in a file that another process writes lines into?

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

/// A place in a file; the file may appear later.
#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    offset: u64,
    /// The begin of a line whose end is not written yet.
    begun: Vec<u8>,
}

impl Tail {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, offset: 0, begun: vec![] }
    }

    /// The whole lines since the last call. What cannot be read now is read at the next call.
    pub(super) fn lines(&mut self) -> Vec<String> {
        match self.read() {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!(%error, path = %self.path.display(), "cannot be read");
            }
            _ => {}
        }
        let Some(end) = self.begun.iter().rposition(|byte| *byte == b'\n') else { return vec![] };
        let rest = self.begun.split_off(end + 1);
        let whole = std::mem::replace(&mut self.begun, rest);
        String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect()
    }

    fn read(&mut self) -> std::io::Result<()> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        let read = file.read_to_end(&mut self.begun)?;
        self.offset += read as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn lines_come_whole_and_once() {
        let path = std::env::temp_dir().join(format!("testbed-tail-{}", std::process::id()));
        let mut tail = Tail::new(path.clone());
        assert!(tail.lines().is_empty(), "not there yet");
        let mut file = File::create(&path).expect("file");
        let mut write = |text: &str| file.write_all(text.as_bytes()).expect("written");
        write("one\ntw");
        assert_eq!(tail.lines(), ["one"]);
        assert!(tail.lines().is_empty());
        write("o\nthree\n");
        assert_eq!(tail.lines(), ["two", "three"]);
        std::fs::remove_file(path).expect("removed");
    }
}
