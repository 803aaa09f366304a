//! Whether an answer holds what a case wants of it.

use anyhow::{Result, bail};
use serde_json::Value;

/// In `wanted`: this key must be absent (or null) in the answer.
pub const ABSENT: &str = "<absent>";

/// In `wanted`: this key must be there, with anything but null and the empty string.
pub const PRESENT: &str = "<present>";

/// Every key of a wanted object is in `found` with a value that holds the wanted one; lists have the same length; the
/// rest is equal. [`ABSENT`] and [`PRESENT`] stand for what they say. The error names the first place that differs.
pub fn subset(found: &Value, wanted: &Value) -> Result<()> {
    match difference(found, wanted, "") {
        None => Ok(()),
        Some(difference) => bail!("{difference}, in {found}"),
    }
}

fn difference(found: &Value, wanted: &Value, place: &str) -> Option<String> {
    match (found, wanted) {
        (Value::Null, Value::String(marker)) if marker == ABSENT => None,
        (Value::Null, Value::String(marker)) if marker == PRESENT => Some(format!("{place} is absent")),
        (Value::String(text), Value::String(marker)) if marker == PRESENT => {
            text.is_empty().then(|| format!("{place} is empty"))
        }
        (_, Value::String(marker)) if marker == PRESENT => None,
        (_, Value::String(marker)) if marker == ABSENT => Some(format!("{place} is there")),
        (Value::Object(found), Value::Object(wanted)) => wanted.iter().find_map(|(key, wanted)| {
            difference(found.get(key).unwrap_or(&Value::Null), wanted, &format!("{place}/{key}"))
        }),
        (Value::Array(found), Value::Array(wanted)) if found.len() == wanted.len() => (found.iter().zip(wanted))
            .enumerate()
            .find_map(|(index, (found, wanted))| difference(found, wanted, &format!("{place}/{index}"))),
        _ if found == wanted => None,
        _ => Some(format!("{} is {found}, wanted {wanted}", if place.is_empty() { "it" } else { place })),
    }
}

/// Both equal, or an error that says what differs.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, wanted: T) -> Result<()> {
    if found != wanted {
        bail!("{what} is {found:?}, wanted {wanted:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(found: &Value, wanted: &Value, difference: Option<&str>) {
        match (subset(found, wanted), difference) {
            (Ok(()), None) => {}
            (Err(error), Some(part)) => assert!(error.to_string().contains(part), "{error}"),
            (outcome, _) => panic!("{outcome:?}, wanted {difference:?}"),
        }
    }

    #[test]
    fn what_is_wanted_must_be_there_and_more_may() {
        let found = json!({"a": {"b": [1, {"c": "x", "d": 2}]}, "e": ""});
        check(&found, &json!({"a": {"b": [1, {"c": "x"}]}}), None);
        check(&found, &json!({"a": {"b": [1]}}), Some("/a/b is"));
        check(&found, &json!({"a": {"b": [1, {"c": "y"}]}}), Some("/a/b/1/c is \"x\", wanted \"y\""));
        check(&found, &json!({"z": ABSENT, "a": PRESENT}), None);
        check(&found, &json!({"z": PRESENT}), Some("/z is absent"));
        check(&found, &json!({"e": PRESENT}), Some("/e is empty"));
        check(&found, &json!({"a": ABSENT}), Some("/a is there"));
        check(&found, &json!({"z": null}), None);
    }
}
