//! Tells users in Kubernetes Events. What is told, and about which object, the core decides; here it is only queued and written.
//!
//! Events are extra: nothing waits for them, and what cannot be written is counted and let go.

mod event;
mod queue;
mod writer;

pub use queue::{Dropped, Publisher};
