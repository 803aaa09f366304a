//! The status page: what the coordinator shows of itself to people who look at it over HTTP. It changes nothing.
//!
//! `seen` is taken from the engine's state when somebody looks, `planned` is left by the scheduler, `leader` by the election. `view` puts them
//! together for one moment, and `html` and `json` write that down. All three are pure functions.

#[cfg(test)]
mod fixtures;
mod groups;
mod html;
mod json;
mod night;
mod onlook;
mod planned;
mod query;
mod seen;
mod timeline;
mod view;
mod warnings;

pub use html::{FAVICON, STYLE, page, refusal};
pub use json::render as json;
pub use onlook::{Onlooker, Shown, channel};
pub use planned::{Planned, SchedulerWord, held_up};
pub use query::{BadQuery, Form, Query};
pub use seen::{LeaderSeen, Seen};
pub use view::{Parts, StatusView};
