//! What reaches the loop that decides: events for the core, and the shell's own news.

use coordinator_core::event::Event;
use tokio::sync::mpsc;

use crate::kind::Kind;

/// News that wait for the loop. Watches stop reading when it is full, so a burst costs time and not memory.
const WAITING_INPUTS_MAX: usize = 1_024;

/// One piece of news.
#[derive(Debug)]
pub enum Input {
    /// For the core. Boxed, because an event may hold a whole Lease and the others are a few bytes.
    Event(Box<Event>),
    /// Several for the core, of one change.
    Events(Vec<Event>),
    /// A kind's first list is in, or it is known that the kind cannot be had.
    Listed(Kind),
    /// Whether an optional kind can be read, now that it changed.
    Present(Kind, bool),
    /// How many pre hooks Velero can run at once, where that is known.
    Workers(Option<u32>),
    /// A Lease with our role label that cannot be attributed to anything; what is wrong with it.
    StrayLease(String),
}

impl From<Event> for Input {
    fn from(event: Event) -> Self {
        Self::Event(Box::new(event))
    }
}

/// Where news are handed in.
pub type Inbox = mpsc::Sender<Input>;

/// Both ends.
pub fn channel() -> (Inbox, mpsc::Receiver<Input>) {
    mpsc::channel(WAITING_INPUTS_MAX)
}
