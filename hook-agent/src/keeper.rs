//! The process that `pre` leaves behind: it holds what was quiesced and lets go at post, at its own limit, or on a signal.
//!
//! Who writes what: the keeper alone writes the record beside its socket, and takes it away when everything is let go. Whoever
//! finds a record without a living keeper (post, the next pre, the keeper's guard) lets go in its place, under the lock of
//! that place. The member Lease belongs to the hooks: pre writes `quiesced`, post writes `done`; only when the keeper lets go
//! by itself, so that no hook is there to say it, it adds when and why.

pub mod alarm;
pub mod ask;
pub mod boot_clock;
pub mod cut;
pub mod ending;
pub mod guard;
pub mod hold;
pub mod mark;
pub mod outcome;
pub mod place;
pub mod record;
pub mod report;
pub mod run;
pub mod spawn;
pub mod undo;
pub mod watch;
pub mod wire;
