//! Asks the sources of throttle signals that are not watched: the EBS CSI driver's metrics, and CloudWatch. Only while this process leads.

pub mod cloudwatch;
mod fetch;
mod scrape;
mod targets;

use coordinator_core::event::Event;
use coordinator_core::throttle::signals::Signal;
use tokio::sync::watch::Receiver;

use crate::input::{Inbox, Input};

pub use scrape::Scraper;
pub use targets::{Discovery, Targets};

/// Whether this process leads; a task that asks outsiders waits until it does.
pub type Leading = Receiver<bool>;

/// Waits until this process leads; false when it never will.
async fn until_leading(leading: &mut Leading) -> bool {
    leading.wait_for(|leads| *leads).await.is_ok()
}

/// Tells the loop; false when nobody listens any more.
async fn tell(inbox: &Inbox, signal: Signal) -> bool {
    inbox.send(Input::from(Event::Signal(signal))).await.is_ok()
}
