//! What is done where a program of others cannot be had?

use testbed::control_plane::shared::{is_ci, say};

/// Says it in one line; with `CI=true` it is a failure.
///
/// # Panics
/// With `CI=true`.
pub fn skipped(what: &str, why: &str) {
    assert!(!is_ci(), "{what}: {why} (CI=true: it must not be skipped)");
    say(&format!("SKIPPED: {what}: {why}"));
}
