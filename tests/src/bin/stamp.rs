//! `stamp FILE` adds the time, ns since 1970, to the file as a line. It stands in for a workload's own freeze and thaw programs in `make bench`:
//! with nothing in it but the standard library it starts as fast as a program can, so that what is measured is not its own start.

use std::env;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

fn main() -> io::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
    let file = env::args_os().nth(1).ok_or_else(|| io::Error::other("usage: stamp FILE"))?;
    writeln!(OpenOptions::new().create(true).append(true).open(file)?, "{}", now.as_nanos())
}
