//! How a label selector is written on a command line, as kubectl's `--selector` reads it.

use std::collections::BTreeSet;

use shared::identity::shorten;

use crate::objects::{Requirement, Selector};

/// A text that is no label selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{part}` is no term of a label selector; write key=value, key!=value, key in (a,b), key notin (a,b), key or !key"
)]
pub struct NotASelector {
    /// The term, shortened.
    pub part: String,
}

/// Reads one; an empty text selects everything.
///
/// # Errors
/// With the first term that is none.
pub fn parse(text: &str) -> Result<Selector, NotASelector> {
    terms(text).into_iter().map(str::trim).filter(|term| !term.is_empty()).map(term).collect()
}

/// Splits at commas outside of parentheses.
fn terms(text: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    text.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .collect()
}

fn term(text: &str) -> Result<Requirement, NotASelector> {
    let wrong = || NotASelector { part: shorten(text) };
    if let Some((key, values)) = text.split_once(" notin ") {
        return Ok(Requirement::NotIn(key_of(key).ok_or_else(wrong)?, values_of(values).ok_or_else(wrong)?));
    }
    if let Some((key, values)) = text.split_once(" in ") {
        return Ok(Requirement::In(key_of(key).ok_or_else(wrong)?, values_of(values).ok_or_else(wrong)?));
    }
    let single = |value: &str| value_of(value).map(|value| BTreeSet::from([value]));
    if let Some((key, value)) = text.split_once("!=") {
        return Ok(Requirement::NotIn(key_of(key).ok_or_else(wrong)?, single(value).ok_or_else(wrong)?));
    }
    if let Some((key, value)) = text.split_once('=') {
        let value = value.strip_prefix('=').unwrap_or(value);
        return Ok(Requirement::In(key_of(key).ok_or_else(wrong)?, single(value).ok_or_else(wrong)?));
    }
    match text.strip_prefix('!') {
        Some(key) => key_of(key).map(Requirement::DoesNotExist),
        None => key_of(text).map(Requirement::Exists),
    }
    .ok_or_else(wrong)
}

fn key_of(text: &str) -> Option<String> {
    let text = text.trim();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
    (!text.is_empty() && text.len() <= 317 && text.bytes().all(plain)).then(|| text.to_owned())
}

fn value_of(text: &str) -> Option<String> {
    let text = text.trim();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (text.len() <= 63 && text.bytes().all(plain)).then(|| text.to_owned())
}

fn values_of(text: &str) -> Option<BTreeSet<String>> {
    text.trim().strip_prefix('(')?.strip_suffix(')')?.split(',').map(value_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_form() {
        let set = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(
            parse("backup=yes, tier != test,app==db,env in (a, b),zone notin (x),keep,!skip").unwrap(),
            [
                Requirement::In("backup".into(), set(&["yes"])),
                Requirement::NotIn("tier".into(), set(&["test"])),
                Requirement::In("app".into(), set(&["db"])),
                Requirement::In("env".into(), set(&["a", "b"])),
                Requirement::NotIn("zone".into(), set(&["x"])),
                Requirement::Exists("keep".into()),
                Requirement::DoesNotExist("skip".into()),
            ]
        );
        assert_eq!(parse(" "), Ok(vec![]));
    }

    #[test]
    fn what_is_none_is_named() {
        for text in ["a=b=c", "a>3", "=b", "a in b", "a b", "ü", "a in (x"] {
            assert_eq!(parse(&format!("ok=1,{text}")).unwrap_err().part, text, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a-z=!(), in]{0,40}|.{0,40}") {
            let _ = parse(&text);
        }
    }
}
