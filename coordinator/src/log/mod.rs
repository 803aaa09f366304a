//! What the coordinator tells people: one line an event, as JSON that the original's Filebeat pipeline keeps, or as text.
//!
//! That pipeline decodes a line into `velero.*` and drops what has no `velero.event_type`; so `event_type` stands at the
//! top of every line, beside `timestamp`, `level` and `message`, and never nested.

mod event_type;
mod libraries;
mod line;
mod notices;
mod repeats;
mod writer;

pub use event_type::EventType;
pub use libraries::listen_to_libraries;
pub use line::{Fields, Format, Level};
pub use notices::tell;
pub use repeats::Repeats;
pub use writer::{Log, dropped_lines};
