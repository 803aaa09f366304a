//! How is a test of this binary run?

use std::time::Duration;

use testbed::isolated;
use testbed::real_velero::{prepare, prepare_with_chain};

/// A bed is up in 10 to 20 s, a Backup takes 2 to 30 s; the rest is for a machine that is busy with others.
pub const LIMIT: Duration = Duration::from_mins(5);

/// Runs a test's body on a machine of its own. Call it from the test function itself.
pub fn isolated<F: AsyncFnOnce() -> anyhow::Result<()>>(body: F) {
    isolated::run(LIMIT, prepare, body);
}

/// The same, for a test that waits for minutes of the clock.
pub fn isolated_for<F: AsyncFnOnce() -> anyhow::Result<()>>(limit: Duration, body: F) {
    isolated::run(limit, prepare, body);
}

/// The same, with the programs of the snapshot chain.
pub fn isolated_with_chain<F: AsyncFnOnce() -> anyhow::Result<()>>(body: F) {
    isolated::run(LIMIT, prepare_with_chain, body);
}
