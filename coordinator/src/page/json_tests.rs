//! The document's shape: programs rely on it, so it is written down here as a whole.

use super::*;
use crate::page::fixtures::{key, leader, parts, planned, ran, seen};
use crate::page::planned::SchedulerWord;
use crate::page::query::Form;
use serde_json::Value;

/// Every field that is there, by path; a list stands for its first entry.
fn paths(value: &Value, path: &str, all: &mut Vec<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(name, value)| paths(value, &format!("{path}.{name}"), all));
        }
        Value::Array(items) if !items.is_empty() => paths(&items[0], &format!("{path}[]"), all),
        _ => all.push(path.trim_start_matches('.').to_owned()),
    }
}

#[test]
fn its_shape_stays() {
    let seen = seen(vec![ran("prod", "db", Verdict::CrashConsistent, -500)]);
    let (leader, word) = (leader(), planned(&[(key("prod", "db"), 5)]));
    let query = Query::parse("", Form::Json).unwrap();
    let view = StatusView::new(parts(&seen, &leader, &word), &query);
    let document: Value = serde_json::from_str(&render(&view, &query)).unwrap();
    assert_eq!(document["apiVersion"], "snapshot-group.velero.io/coordinator-status-v1");
    assert_eq!(document["kind"], "SnapshotCoordinatorStatus");
    assert_eq!(document["night"]["runs"]["crash-consistent"], 1);
    assert_eq!(document["groups"]["items"][0]["grade"], "bad");
    assert_eq!(document["totals"]["lastVerdicts"]["crash-consistent"], 1);
    let mut found = Vec::new();
    paths(&document, "", &mut found);
    found.sort();
    let expected: Vec<&str> = include_str!("json_shape.txt").lines().collect();
    assert_eq!(found, expected);
}

/// Who writes a program against it finds every field on the page.
#[test]
fn every_field_is_on_the_page() {
    let page = include_str!("../../../docs/status-page.md");
    let section = page.split("## For programs").nth(1).unwrap().split("\n## ").next().unwrap();
    let words: std::collections::BTreeSet<&str> = section.split('`').skip(1).step_by(2).collect();
    let fields = include_str!("json_shape.txt").split(['.', '\n']).map(|field| field.trim_end_matches("[]"));
    let missing: Vec<&str> = fields.filter(|field| !field.is_empty() && !words.contains(field)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_process_that_knows_nothing_yet_says_so() {
    let (leader, word) =
        (crate::page::seen::LeaderSeen::default(), SchedulerWord { mode: "off", ..SchedulerWord::default() });
    let nothing = seen(vec![]);
    let parts = crate::page::view::Parts { seen: None, ..parts(&nothing, &leader, &word) };
    let query = Query::parse("", Form::Json).unwrap();
    let document: Value = serde_json::from_str(&render(&StatusView::new(parts, &query), &query)).unwrap();
    assert_eq!((&document["role"], &document["synced"]), (&"unknown".into(), &false.into()));
    assert_eq!((&document["night"], &document["limit"]), (&Value::Null, &Value::Null));
}
