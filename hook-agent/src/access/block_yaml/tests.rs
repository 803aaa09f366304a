//! Which YAML is read, and that the rest is refused rather than misread.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[track_caller]
fn check(text: &str, expected: &Value) {
    assert_eq!(parse(text).as_ref(), Ok(expected), "{text}");
}

#[test]
fn reads_what_kubectl_writes() {
    check(
        "apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: LS0tLS1CRUdJTi==
    server: https://ABC.gr7.eu-west-1.eks.amazonaws.com
  name: arn:aws:eks:eu-west-1:123456789012:cluster/prod
contexts:
- context:
    cluster: arn:aws:eks:eu-west-1:123456789012:cluster/prod
    namespace: \"a\"
    user: 'it''s'
  name: prod
current-context: prod
kind: Config
preferences: {}
users: []
",
        &json!({
            "apiVersion": "v1", "kind": "Config", "preferences": {}, "users": [], "current-context": "prod",
            "clusters": [{
                "name": "arn:aws:eks:eu-west-1:123456789012:cluster/prod",
                "cluster": {
                    "certificate-authority-data": "LS0tLS1CRUdJTi==",
                    "server": "https://ABC.gr7.eu-west-1.eks.amazonaws.com",
                },
            }],
            "contexts": [{
                "name": "prod",
                "context": {
                    "cluster": "arn:aws:eks:eu-west-1:123456789012:cluster/prod", "namespace": "a", "user": "it's",
                },
            }],
        }),
    );
}

#[test]
fn reads_what_people_write() {
    check("", &Value::Null);
    check("---\n# a comment\n\na:   b   # why\n", &json!({"a": "b"}));
    check(
        "a:\n  - x\n  -   y: 1\n      z: \"#\"\n  -\n    q: r\n  -\nb: # nothing\n",
        &json!({"a": ["x", {"y": "1", "z": "#"}, {"q": "r"}, null], "b": null}),
    );
    check("a: true\nb: false\nc: ~\nd: null\n", &json!({"a": true, "b": false, "c": null, "d": null}));
    check("\"a b\": c\n'd': \"e\\u0041\\\"\"\n", &json!({"a b": "c", "d": "eA\""}));
    check("- - a\n  - b\n- c\n", &json!([["a", "b"], "c"]));
    check("url: http://x:1/#y\n", &json!({"url": "http://x:1/#y"}));
}

#[test]
fn refuses_the_rest_with_its_line() {
    for (text, line) in [
        ("a: &x 1\n", 1),
        ("a: b\nc: *x\n", 2),
        ("a: |\n  text\n", 1),
        ("a: {b: c}\n", 1),
        ("a: [1]\n", 1),
        ("a: b\n  c: d\n", 2),
        ("a: b\n c\n", 2),
        ("a:\n\tb: c\n", 2),
        ("a: 1\na: 2\n", 2),
        ("a: \"b\n", 1),
        ("a: 'b\n", 1),
        ("a: \"b\" c\n", 1),
        ("a: \"\\q\"\n", 1),
        ("a: b\njust text\n", 2),
        ("  a: b\nc: d\n", 2),
        ("- a\nb: c\n", 2),
        ("a: b\n- c\n", 2),
    ] {
        assert_eq!(parse(text).map_err(|e| e.line), Err(line), "{text}");
    }
    let deep = (0..100).fold(String::new(), |deep, depth| deep + &" ".repeat(depth) + "a:\n");
    assert_eq!(parse(&deep).unwrap_err().why, "it is nested too deeply");
    let dashes = "- ".repeat(10_000) + "a";
    assert_eq!(parse(&dashes).unwrap_err().why, "it is nested too deeply");
}

/// Writes a value as kubectl would, with every text in double quotes.
fn write(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let _ = write!(out, "\n{pad}{}:", json!(key));
                let is_list = matches!(value, Value::Array(items) if !items.is_empty());
                write(value, if is_list { indent } else { indent + 2 }, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let _ = write!(out, "\n{pad}-");
                write(item, indent + 2, out);
            }
        }
        scalar => {
            let _ = write!(out, " {scalar}");
        }
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        ".{0,12}".prop_map(Value::String),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Null),
        Just(json!({})),
        Just(json!([])),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Value::Array),
            proptest::collection::btree_map(".{0,8}", inner, 1..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in any_value()) {
        let mut text = String::new();
        write(&value, 0, &mut text);
        prop_assert_eq!(parse(&text), Ok(value), "{}", text);
    }

    #[test]
    fn any_text_parses_or_errs(text in "([ \\-:#'\"{}a\n\t]|\\PC){0,60}") {
        let _ = parse(&text);
    }
}
