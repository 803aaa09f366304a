//! Lets libraries speak through our log, so that every line has an `event_type`.

use std::fmt::{Debug, Write as _};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::Registry;

use super::event_type::EventType;
use super::line::{Fields, Level};
use super::writer::Log;

/// From now on what libraries say goes to `log`, if debug lines are wanted: whatever of it matters, we say ourselves.
pub fn listen_to_libraries(log: &Log) {
    if log.wants(Level::Debug) {
        // Only one process-wide listener can be set, and this is the only place that sets one.
        let _set = tracing::subscriber::set_global_default(Registry::default().with(Forward(log.clone()))).is_ok();
    }
}

struct Forward(Log);

impl<S: Subscriber> Layer<S> for Forward {
    fn enabled(&self, metadata: &Metadata<'_>, _context: Context<'_, S>) -> bool {
        // Traces of hyper and tower are bytes on the wire: too much for any reader.
        *metadata.level() <= tracing::Level::DEBUG
    }

    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        said.fields.insert("library".to_owned(), Value::from(event.metadata().target()));
        said.fields.insert("library_level".to_owned(), Value::from(event.metadata().level().as_str()));
        self.0.say(EventType::Library, &said.message, &said.fields);
    }
}

#[derive(Default)]
struct Said {
    message: String,
    fields: Fields,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            self.fields.insert(format!("library_{}", field.name()), Value::from(format!("{value:?}")));
        }
    }
}
