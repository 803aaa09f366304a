//! How much is read of a file, and how that is told on the way.

use std::cell::Cell;
use std::io::{self, Read, Write as _};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The most that is read of one file, bytes: 1 GiB. 100,000 pods as kubectl prints them are about that; what is larger can be
/// given as several files.
pub const FILE_BYTES_MAX: u64 = 1 << 30;

/// Reading that takes longer than this says how far it is, and again each time, ms. A person starts to wonder after two seconds.
const PROGRESS_MS: u64 = 2_000;

/// What became known about the reader behind a parser's back.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    bytes: Rc<Cell<u64>>,
    too_large: Rc<Cell<bool>>,
}

impl Seen {
    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// Whether the limit ended it.
    pub fn too_large(&self) -> bool {
        self.too_large.get()
    }
}

/// A reader that ends with an error at [`FILE_BYTES_MAX`] and says how far it is.
pub struct Limited<R> {
    inner: R,
    name: String,
    limit: u64,
    seen: Seen,
    told: Instant,
}

impl<R: Read> Limited<R> {
    /// Around a reader that is called `name` in messages.
    pub fn new(inner: R, name: &str, limit: u64) -> Self {
        Self { inner, name: name.to_owned(), limit, seen: Seen::default(), told: Instant::now() }
    }

    /// What becomes known.
    pub fn seen(&self) -> Seen {
        self.seen.clone()
    }

    fn tell(&mut self) {
        if self.told.elapsed() >= Duration::from_millis(PROGRESS_MS) {
            self.told = Instant::now();
            // Nobody listens: nothing to be done, and the plan matters more.
            let _unheard = writeln!(io::stderr(), "reading {}: {} MB", self.name, self.seen.bytes() >> 20).is_err();
        }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let bytes = self.seen.bytes.get() + count as u64;
        self.seen.bytes.set(bytes);
        if bytes > self.limit {
            self.seen.too_large.set(true);
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.tell();
        Ok(count)
    }
}
