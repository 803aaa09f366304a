//! Is each log line what the published schema and the list of events say?

use std::collections::BTreeSet;

use serde_json::Value;

const SCHEMA: &str = include_str!("../../../coordinator/log-line.schema.json");
const EVENTS: &str = include_str!("../../../coordinator/EVENTS.md");

/// The names in the first table of EVENTS.md.
fn documented() -> BTreeSet<&'static str> {
    let (lines, _) = EVENTS.split_once("\n# Kubernetes Events").expect("the next chapter");
    lines.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect()
}

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("the schema is JSON")
}

/// What of `value` is not as `schema` says: the keywords of JSON Schema that this schema uses, by their definition (2020-12). A validator
/// from outside changes features of `serde_json`, and with them what half of the product's crates are compiled to.
fn violations(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (keyword, of) in schema.as_object().expect("a schema is an object") {
        let fits = match keyword.as_str() {
            "$schema" | "$id" | "title" | "description" => true,
            "type" => match of.as_str().expect("one type") {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_i64() || value.is_u64(),
                other => panic!("type {other}: teach this test what it means"),
            },
            "enum" => of.as_array().expect("a list").contains(value),
            // Of numbers, texts, objects and arrays only: of anything else these say nothing.
            "minimum" => value.as_f64().is_none_or(|number| number >= of.as_f64().expect("a number")),
            "pattern" => {
                let pattern = regex_lite::Regex::new(of.as_str().expect("a pattern")).expect("a pattern");
                value.as_str().is_none_or(|text| pattern.is_match(text))
            }
            "required" => {
                let names = of.as_array().expect("a list").iter().filter_map(Value::as_str);
                let missing: Vec<&str> = names.filter(|name| value.is_object() && value.get(name).is_none()).collect();
                wrong.extend(missing.iter().map(|name| format!("{at}: no {name}")));
                true
            }
            "properties" => {
                for (name, schema) in of.as_object().expect("a map") {
                    wrong.extend(value.get(name).map(|value| violations(schema, value, name)).unwrap_or_default());
                }
                true
            }
            "items" => {
                wrong.extend(value.as_array().into_iter().flatten().flat_map(|item| violations(of, item, at)));
                true
            }
            other => panic!("keyword {other}: teach this test what it means"),
        };
        if !fits {
            wrong.push(format!("{at}: {value} is not as {keyword} {of} wants it"));
        }
    }
    wrong
}

pub fn check(lines: &[Value]) {
    let (schema, documented) = (schema(), documented());
    assert!(lines.len() > 10, "{lines:#?}");
    for line in lines {
        let wrong = violations(&schema, line, "line");
        assert!(wrong.is_empty(), "{wrong:#?}\n{line}");
        let event_type = line["event_type"].as_str().expect("the schema wants it");
        assert!(documented.contains(event_type), "{event_type} is not in coordinator/EVENTS.md");
    }
}

#[test]
fn the_schema_refuses_what_is_no_line() {
    let schema = schema();
    let valid = |line: &Value| violations(&schema, line, "line").is_empty();
    let good = serde_json::json!({"timestamp": "2026-11-23T01:02:03.456789Z", "level": "INFO",
        "event_type": "group_receipt", "message": "m", "verdict": "unknown", "held_ms_max": 12, "code": 403});
    assert!(valid(&good));
    for (field, value) in [
        ("timestamp", serde_json::json!("yesterday")),
        ("level", serde_json::json!("info")),
        ("event_type", serde_json::json!("Group Receipt")),
        ("message", serde_json::json!(1)),
        ("verdict", serde_json::json!("fine")),
        ("held_ms_max", serde_json::json!("12ms")),
        ("code", serde_json::json!("403")),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        assert!(!valid(&bad), "{field}: {bad}");
    }
    for field in ["timestamp", "level", "event_type", "message"] {
        let mut bad = good.clone();
        bad.as_object_mut().expect("an object").remove(field);
        assert!(!valid(&bad), "without {field}");
    }
}
