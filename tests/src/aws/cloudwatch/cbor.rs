//! CBOR as the stand-in reads and writes it.

use ciborium::Value;

/// A map of named values; those that are none are left out.
pub fn map<const N: usize>(entries: [(&str, Option<Value>); N]) -> Value {
    let entry = |(key, value): (&str, Option<Value>)| Some((Value::from(key), value?));
    Value::Map(entries.into_iter().filter_map(entry).collect())
}

/// A moment: tag 1, s since the epoch.
pub fn moment(seconds: i64) -> Value {
    Value::Tag(1, Box::new(Value::from(seconds)))
}

/// Its bytes.
pub fn bytes(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap_or_else(|e| unreachable!("writing into memory: {e}"));
    bytes
}

/// Reads a request's body; nothing is an empty map.
pub fn read(body: &[u8]) -> Option<Value> {
    if body.is_empty() { Some(Value::Map(Vec::new())) } else { ciborium::from_reader(body).ok() }
}

/// What stands under a key.
pub fn at<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.as_map()?.iter().find(|(k, _)| k.as_text() == Some(key)).map(|(_, value)| value)
}

/// A text under a key.
pub fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    at(value, key)?.as_text()
}

/// A moment under a key, s.
pub fn seconds(value: &Value, key: &str) -> Option<i64> {
    match at(value, key)? {
        Value::Tag(1, moment) => match moment.as_ref() {
            Value::Integer(seconds) => i64::try_from(*seconds).ok(),
            #[expect(clippy::cast_possible_truncation, reason = "the stand-in works in whole seconds")]
            Value::Float(seconds) => Some(*seconds as i64),
            _ => None,
        },
        _ => None,
    }
}
