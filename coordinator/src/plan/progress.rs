//! What is said on standard error about work that takes a while.

use coordinator_core::inventory::facts::{FactKind, Facts};

/// From so many objects on it is said what was read: with fewer, the plan is there before one can read it.
const LARGE_OBJECTS: usize = 50_000;

/// Says what was read of a large cluster.
pub fn tell_large(facts: &Facts) {
    if facts.len() >= LARGE_OBJECTS {
        let counts = FactKind::ALL.map(|kind| format!("{} {}", facts.count(kind), kind.kubectl()));
        eprintln!("read {}; planning", counts.join(", "));
    }
}
