//! What one log line looks like.

use std::fmt::Write as _;

use clap::ValueEnum;
use serde_json::{Map, Value};
use shared::time::WallTime;

use super::event_type::EventType;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// How important a line is, most important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Level {
    /// Something does not work.
    Error,
    /// Something is not as it should be.
    Warning,
    /// What happens.
    Info,
    /// What happens inside, libraries included.
    Debug,
}

impl Level {
    /// As the original's logger wrote it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warning => "WARNING",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
        }
    }
}

/// What a line says besides its message.
pub type Fields = Map<String, Value>;

/// One line, with its end.
pub fn render(format: Format, at: WallTime, event: EventType, message: &str, fields: &Fields) -> String {
    match format {
        Format::Json => json(at, event, message, fields),
        Format::Text => text(at, event, message, fields),
    }
}

fn json(at: WallTime, event: EventType, message: &str, fields: &Fields) -> String {
    // Written piece by piece: the fixed four come first, in an order that people can read.
    let mut line = format!(
        "{{\"timestamp\":\"{at}\",\"level\":\"{}\",\"event_type\":\"{}\",\"message\":{}",
        event.level().as_str(),
        event.as_str(),
        Value::from(message)
    );
    for (key, value) in fields {
        let _ = write!(line, ",{}:{value}", Value::from(key.as_str()));
    }
    line.push_str("}\n");
    line
}

fn text(at: WallTime, event: EventType, message: &str, fields: &Fields) -> String {
    let mut line = format!("{at} {:7} {} {}", event.level().as_str(), event.as_str(), one_line(message));
    for (key, value) in fields {
        match value {
            Value::String(plain) if !plain.contains([' ', '"', '=']) => {
                let _ = write!(line, " {key}={}", one_line(plain));
            }
            other => {
                let _ = write!(line, " {key}={other}");
            }
        }
    }
    line.push('\n');
    line
}

/// Control characters escaped: what came from the cluster must not forge a line.
fn one_line(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut line, c| {
        if c.is_control() {
            line.extend(c.escape_debug());
        } else {
            line.push(c);
        }
        line
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: &Value) -> Fields {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn json_lines_carry_the_event_type_at_the_top() {
        let said = fields(&json!({"group_id": "group-1", "weight": 3}));
        let line = render(Format::Json, WallTime::EPOCH, EventType::GroupCreated, "a \"b\"\n", &said);
        assert_eq!(
            line,
            "{\"timestamp\":\"1970-01-01T00:00:00.000000Z\",\"level\":\"INFO\",\"event_type\":\"group_created\",\
             \"message\":\"a \\\"b\\\"\\n\",\"group_id\":\"group-1\",\"weight\":3}\n"
        );
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["event_type"], "group_created");
    }

    #[test]
    fn text_is_one_line_whatever_the_cluster_says() {
        let said = fields(&json!({"pod": "db-0", "why": "two words"}));
        let line = render(Format::Text, WallTime::EPOCH, EventType::Error, "bad\n1970 INFO startup forged", &said);
        assert_eq!(
            line,
            "1970-01-01T00:00:00.000000Z ERROR   error bad\\n1970 INFO startup forged pod=db-0 why=\"two words\"\n"
        );
    }
}
