//! One document of Kubernetes objects, kept whole: for who reads more kinds than the inventory's.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::Value;

use super::document::{NO_OBJECT, NoEnd};
use super::source::Content;

/// A list's entries, each with its kind, or one object.
#[derive(Debug)]
pub struct Objects {
    objects: Vec<Value>,
    /// A list without its kind, which kubectl writes behind the items, was cut off.
    whole: bool,
}

impl Content for Objects {
    type To = Vec<Value>;

    fn check(&self) -> Result<(), NoEnd> {
        if self.whole { Ok(()) } else { Err(NoEnd) }
    }

    fn give(self, to: &mut Vec<Value>) {
        to.extend(self.objects);
    }
}

impl<'de> Deserialize<'de> for Objects {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut document = Value::deserialize(deserializer)?;
        let kind = document.get("kind").and_then(Value::as_str).map(str::to_owned);
        let version = document.get("apiVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
        match (document.get_mut("items").map(Value::take), kind) {
            (Some(items), kind) => {
                let of_list = kind.as_deref().and_then(|kind| kind.strip_suffix("List")).unwrap_or_default();
                let items = if let Value::Array(items) = items { items } else { Vec::new() };
                let objects = items.into_iter().map(|item| named(item, of_list, &version)).collect();
                Ok(Self { objects, whole: kind.is_some() })
            }
            (None, Some(_)) => Ok(Self { objects: vec![document], whole: true }),
            (None, None) => Err(D::Error::custom(NO_OBJECT)),
        }
    }
}

/// An API server's own lists give their kind once, for all.
fn named(mut item: Value, kind: &str, version: &str) -> Value {
    if let Some(fields) = item.as_object_mut().filter(|fields| !fields.contains_key("kind") && !kind.is_empty()) {
        fields.insert("kind".to_owned(), Value::from(kind));
        fields.insert("apiVersion".to_owned(), Value::from(version));
    }
    item
}
