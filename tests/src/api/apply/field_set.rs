//! Which fields does a manager own? A set of paths, and its `fieldsV1` form.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A set of field paths as a tree. Elements are spelled as in `fieldsV1`: `f:name`, `k:{"name":"x"}`, `v:"x"`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    /// Whether the path that leads here is itself a member.
    pub member: bool,
    /// What lies below.
    pub below: BTreeMap<String, FieldSet>,
}

impl FieldSet {
    /// The set of just the path that leads here.
    pub fn leaf() -> Self {
        Self { member: true, below: BTreeMap::new() }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        !self.member && self.below.values().all(Self::is_empty)
    }

    /// Adds what is below an element; an empty set adds nothing.
    pub fn put(&mut self, element: String, set: Self) {
        if !set.is_empty() {
            self.below.insert(element, set);
        }
    }

    /// The paths in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut out = self.clone();
        out.member |= other.member;
        for (element, set) in &other.below {
            let merged = out.below.get(element).map_or_else(|| set.clone(), |have| have.union(set));
            out.below.insert(element.clone(), merged);
        }
        out
    }

    /// The paths in this one only.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let mut out = Self { member: self.member && !other.member, below: BTreeMap::new() };
        for (element, set) in &self.below {
            let rest = other.below.get(element).map_or_else(|| set.clone(), |gone| set.minus(gone));
            out.put(element.clone(), rest);
        }
        out
    }

    /// The paths in both.
    #[must_use]
    pub fn common(&self, other: &Self) -> Self {
        let mut out = Self { member: self.member && other.member, below: BTreeMap::new() };
        for (element, set) in &self.below {
            if let Some(also) = other.below.get(element) {
                out.put(element.clone(), set.common(also));
            }
        }
        out
    }

    /// Reads `fieldsV1`. Entries that are no map count as empty: the real server wrote them, or a test did on purpose.
    pub fn from_json(fields: &Value) -> Self {
        let mut out = Self::default();
        for (element, below) in fields.as_object().into_iter().flatten() {
            if element == "." {
                out.member = true;
            } else if below.as_object().is_some_and(Map::is_empty) {
                out.below.insert(element.clone(), Self::leaf());
            } else {
                out.below.insert(element.clone(), Self::from_json(below));
            }
        }
        out
    }

    /// Writes `fieldsV1`.
    pub fn to_json(&self) -> Value {
        let mut out = Map::new();
        if self.member && !self.below.is_empty() {
            out.insert(".".to_owned(), Value::Object(Map::new()));
        }
        for (element, set) in &self.below {
            out.insert(element.clone(), set.to_json());
        }
        Value::Object(out)
    }

    /// The member paths, as conflicts name them: `.spec.holderIdentity`, `.spec.containers[name="a"].image`.
    pub fn paths(&self) -> Vec<String> {
        let mut out = Vec::new();
        self.collect("", &mut out);
        out
    }

    fn collect(&self, here: &str, out: &mut Vec<String>) {
        if self.member {
            out.push(here.to_owned());
        }
        for (element, set) in &self.below {
            set.collect(&format!("{here}{}", path_part(element)), out);
        }
    }
}

fn path_part(element: &str) -> String {
    match element.split_once(':') {
        Some(("f", name)) => format!(".{name}"),
        Some(("v", value)) => format!("[={value}]"),
        Some(("k", keys)) => {
            let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
            let parts: Vec<String> = keys.iter().map(|(k, v)| format!("{k}={v}")).collect();
            format!("[{}]", parts.join(","))
        }
        _ => format!("[{element}]"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_v1_is_read_and_written_back() {
        let fields = json!({"f:spec": {"f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:image": {}}}}, "f:x": {}});
        assert_eq!(FieldSet::from_json(&fields).to_json(), fields);
        assert_eq!(
            FieldSet::from_json(&fields).paths(),
            [".spec.containers[name=\"a\"]", ".spec.containers[name=\"a\"].image", ".x"]
        );
    }

    #[test]
    fn sets_combine() {
        let a = FieldSet::from_json(&json!({"f:a": {}, "f:b": {"f:c": {}, "f:d": {}}}));
        let b = FieldSet::from_json(&json!({"f:b": {"f:c": {}}, "f:e": {}}));
        assert_eq!(a.minus(&b).to_json(), json!({"f:a": {}, "f:b": {"f:d": {}}}));
        assert_eq!(a.common(&b).to_json(), json!({"f:b": {"f:c": {}}}));
        assert_eq!(a.union(&b).to_json(), json!({"f:a": {}, "f:b": {"f:c": {}, "f:d": {}}, "f:e": {}}));
        assert!(a.minus(&a).is_empty());
    }
}
