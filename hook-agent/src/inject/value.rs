//! How a value is written into a manifest: as lines of block YAML, on one line as flow, or over several lines as JSON.

use std::fmt::Write as _;

/// A value that is written; nothing is ever read into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text, quoted where YAML would read something else.
    Text(String),
    /// A whole number.
    Number(u32),
    /// `true` or `false`.
    Flag(bool),
    /// Keys and values, in this order.
    Map(Vec<(String, Value)>),
    /// Items, in this order.
    List(Vec<Value>),
}

/// Words that YAML 1.1, which older readers of manifests speak, takes for something else than a text.
const WORDS: [&str; 11] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "~", ""];

/// How far what belongs to a key is indented, columns.
const STEP: usize = 2;

impl Value {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A map of `entries`.
    pub fn map<const N: usize>(entries: [(&str, Self); N]) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// A list of texts.
    pub fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    /// Whether it is written on the line of its key.
    fn is_short(&self) -> bool {
        match self {
            Self::Map(entries) => entries.is_empty(),
            Self::List(items) => items.iter().all(|item| !matches!(item, Self::Map(_) | Self::List(_))),
            Self::Text(_) | Self::Number(_) | Self::Flag(_) => true,
        }
    }

    /// On the line of its key, as short as people write it.
    fn short(&self) -> String {
        match self {
            Self::Text(text) => plain_or_quoted(text),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Map(_) => "{}".to_owned(),
            Self::List(items) => format!("[{}]", items.iter().map(Self::short).collect::<Vec<_>>().join(", ")),
        }
    }

    /// On one line, JSON and flow YAML both. White space follows an opening bracket: that is how `remove` knows brackets that were written here.
    pub fn flow(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::Map(entries) if !entries.is_empty() => format!("{{ {} }}", flow_pairs(entries)),
            Self::List(items) if !items.is_empty() => {
                format!("[ {} ]", items.iter().map(Self::flow).collect::<Vec<_>>().join(", "))
            }
            Self::List(_) => "[]".to_owned(),
            _ => self.short(),
        }
    }

    /// As JSON over several lines; `indent` is that of the line that it begins on.
    pub fn json(&self, indent: &str) -> String {
        let inner = format!("{indent}{:STEP$}", "");
        let over_lines = |open: char, parts: Vec<String>, close: char| {
            format!("{open}\n{inner}{}\n{indent}{close}", parts.join(&format!(",\n{inner}")))
        };
        match self {
            Self::Map(entries) if !entries.is_empty() => {
                over_lines('{', entries.iter().map(|(key, value)| pair(key, &value.json(&inner))).collect(), '}')
            }
            Self::List(items) if !items.is_empty() => {
                over_lines('[', items.iter().map(|item| item.json(&inner)).collect(), ']')
            }
            _ => self.flow(),
        }
    }
}

/// A pair of JSON; `value` is JSON already.
pub fn pair(key: &str, value: &str) -> String {
    format!("{}: {value}", quoted(key))
}

fn flow_pairs(entries: &[(String, Value)]) -> String {
    entries.iter().map(|(key, value)| pair(key, &value.flow())).collect::<Vec<_>>().join(", ")
}

/// Writes `key: value` as lines whose key stands in column `column`. A list's hyphens stand `hyphen` columns right of its key.
pub fn write_entry(out: &mut String, column: usize, hyphen: usize, key: &str, value: &Value) {
    let key = plain_or_quoted(key);
    if value.is_short() {
        let _ = writeln!(out, "{:column$}{key}: {}", "", value.short());
        return;
    }
    let _ = writeln!(out, "{:column$}{key}:", "");
    match value {
        Value::Map(entries) => {
            for (key, value) in entries {
                write_entry(out, column + STEP, hyphen, key, value);
            }
        }
        Value::List(items) => {
            for item in items {
                write_item(out, column + hyphen, hyphen, item);
            }
        }
        Value::Text(_) | Value::Number(_) | Value::Flag(_) => {}
    }
}

/// Writes an item of a list as lines; its hyphen stands in column `column`.
pub fn write_item(out: &mut String, column: usize, hyphen: usize, item: &Value) {
    let Value::Map(entries) = item else {
        let _ = writeln!(out, "{:column$}- {}", "", item.short());
        return;
    };
    let start = out.len() + column;
    for (key, value) in entries {
        write_entry(out, column + STEP, hyphen, key, value);
    }
    if !entries.is_empty() {
        out.replace_range(start..=start, "-");
    }
}

/// A whole document.
pub fn document(value: &Value) -> String {
    let mut out = String::new();
    if let Value::Map(entries) = value {
        for (key, value) in entries {
            write_entry(&mut out, 0, STEP, key, value);
        }
    }
    out
}

/// A text as JSON writes it, which YAML reads too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn plain_or_quoted(text: &str) -> String {
    if is_plain(text) {
        text.to_owned()
    } else if text.chars().any(|c| c == '\'' || c.is_control()) {
        quoted(text)
    } else {
        format!("'{text}'")
    }
}

/// Whether every reader takes it for a text as it stands, inside brackets too.
fn is_plain(text: &str) -> bool {
    let begins_well = match text.as_bytes() {
        [b'-', b'-', next, ..] | [b'/', next, ..] => next.is_ascii_alphanumeric(),
        [b'0'..=b'9', .., last] => matches!(last, b's' | b'm' | b'h' | b'i'),
        [first, ..] => first.is_ascii_alphabetic(),
        [] => false,
    };
    begins_well
        && !text.ends_with(':')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:@".contains(&b))
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_where_a_reader_would_take_them_for_something_else() {
        for plain in
            ["db", "10m", "64Mi", "/hooks", "--to", "registry.example.com:5000/backup/hook-agent:0.1.0", "Fail"]
        {
            assert_eq!(plain_or_quoted(plain), plain);
        }
        for odd in
            ["yes", "No", "1.5", "0x1f", "12:30", "", "a b", "a: b", "#a", "- a", "*a", "1e3", "a:", "-", "/", "1"]
        {
            assert_eq!(plain_or_quoted(odd), format!("'{odd}'"));
        }
        assert_eq!(plain_or_quoted("it's"), "\"it's\"");
        assert_eq!(plain_or_quoted("a\nb"), r#""a\nb""#);
    }

    #[test]
    fn one_value_in_each_of_its_forms() {
        let value = Value::map([
            ("name", Value::text("x")),
            ("args", Value::texts(["a", "1"])),
            ("empty", Value::map([])),
            ("items", Value::List(vec![Value::map([("path", Value::text("l")), ("size", Value::Number(1))])])),
        ]);
        let mut item = String::new();
        write_item(&mut item, 2, 0, &value);
        let lines =
            ["  - name: x", "    args: [a, '1']", "    empty: {}", "    items:", "    - path: l", "      size: 1", ""];
        assert_eq!(item, lines.join("\n"));
        let flow = r#"{ "name": "x", "args": [ "a", "1" ], "empty": {}, "items": [ { "path": "l", "size": 1 } ] }"#;
        assert_eq!(value.flow(), flow);
        let json: serde_json::Value = serde_json::from_str(&value.json("  ")).unwrap();
        assert_eq!(json, serde_json::from_str::<serde_json::Value>(flow).unwrap());
        assert!(value.json("  ").starts_with("{\n    \"name\": \"x\",\n    \"args\": [\n      \"a\""));
    }
}
