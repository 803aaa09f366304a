//! Which objects does a label selector choose?

use serde_json::Value;

use crate::api::status::ApiError;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
    Greater(i64),
    Less(i64),
}

/// A parsed label selector: all requirements must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<(String, Rule)>);

impl LabelSelector {
    /// Parses `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`.
    pub fn parse(raw: &str) -> Result<Self, ApiError> {
        let unparsable =
            || ApiError::bad_request(format!("unable to parse requirement: invalid label selector {raw:?}"));
        let mut rules = Vec::new();
        for part in split_outside_parentheses(raw) {
            let part = part.trim();
            if part.is_empty() {
                if raw.trim().is_empty() {
                    continue;
                }
                return Err(unparsable());
            }
            rules.push(requirement(part).ok_or_else(unparsable)?);
        }
        Ok(Self(rules))
    }

    /// Whether the object's labels satisfy every requirement.
    pub fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.0.iter().all(|(key, rule)| {
            let value = labels.get(key).and_then(Value::as_str);
            match rule {
                Rule::In(allowed) => value.is_some_and(|v| allowed.iter().any(|a| a == v)),
                Rule::NotIn(refused) => value.is_none_or(|v| refused.iter().all(|r| r != v)),
                Rule::Exists => value.is_some(),
                Rule::Absent => value.is_none(),
                Rule::Greater(than) => value.and_then(|v| v.parse::<i64>().ok()).is_some_and(|v| v > *than),
                Rule::Less(than) => value.and_then(|v| v.parse::<i64>().ok()).is_some_and(|v| v < *than),
            }
        })
    }
}

fn split_outside_parentheses(raw: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_i32, 0);
    for (at, c) in raw.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&raw[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&raw[start..]);
    parts
}

fn requirement(part: &str) -> Option<(String, Rule)> {
    let key = |text: &str| {
        let text = text.trim();
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        (!text.is_empty() && text.chars().all(legal)).then(|| text.to_owned())
    };
    let value = |text: &str| {
        let text = text.trim();
        text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)).then(|| text.to_owned())
    };
    if let Some(absent) = part.strip_prefix('!') {
        return Some((key(absent)?, Rule::Absent));
    }
    if let Some(body) = part.strip_suffix(')') {
        let (head, values) = body.split_once('(')?;
        let values = values.split(',').map(value).collect::<Option<Vec<_>>>()?;
        let (name, word) = head.trim().rsplit_once(char::is_whitespace)?;
        return match word {
            "in" => Some((key(name)?, Rule::In(values))),
            "notin" => Some((key(name)?, Rule::NotIn(values))),
            _ => None,
        };
    }
    for sign in ["!=", "==", "="] {
        if let Some((name, wanted)) = part.split_once(sign) {
            let wanted = vec![value(wanted)?];
            return Some((key(name)?, if sign == "!=" { Rule::NotIn(wanted) } else { Rule::In(wanted) }));
        }
    }
    if let Some((name, bound)) = part.split_once('>') {
        return Some((key(name)?, Rule::Greater(bound.trim().parse().ok()?)));
    }
    if let Some((name, bound)) = part.split_once('<') {
        return Some((key(name)?, Rule::Less(bound.trim().parse().ok()?)));
    }
    Some((key(part)?, Rule::Exists))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(selector: &str, expected: bool) {
        let object =
            json!({"metadata": {"labels": {"app": "db", "tier": "x", "n": "5", "velero.io/snapshot-group": "g"}}});
        let selector_ = LabelSelector::parse(selector).unwrap_or_else(|e| panic!("{selector}: {e}"));
        assert_eq!(selector_.matches(&object), expected, "{selector}");
    }

    #[test]
    fn requirements_choose() {
        for yes in [
            "",
            "app=db",
            "app==db",
            "app != web",
            "other!=x",
            "app in (db,web)",
            "app notin (web)",
            "!other",
            "tier,app",
            "n>4",
            "velero.io/snapshot-group=g",
        ] {
            check(yes, true);
        }
        for no in ["app=", "app!=db", "app in (web, cache)", "app notin (db)", "!app", "other", "n<5", "app=db,other"] {
            check(no, false);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["a=b,,c", "a within (b)", "a in b)", "=x", "a=b c", "a>b", "!"] {
            assert!(LabelSelector::parse(bad).is_err(), "{bad}");
        }
    }
}
