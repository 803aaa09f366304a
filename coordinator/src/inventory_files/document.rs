//! One document of Kubernetes objects, a list or a single one, turned into facts while it is parsed.

use std::fmt;

use coordinator_core::inventory::facts::{Fact, Facts};
use coordinator_core::inventory::finding::Finding;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::facts::{Taken, take};
use super::source::Content;

/// What is said of a document that holds no object.
pub const NO_OBJECT: &str = "it is no Kubernetes object and no list of them (no `kind`, no `items`)";

/// The facts of one document.
#[derive(Debug, Default)]
pub struct Document {
    facts: Vec<Fact>,
    findings: Vec<Finding>,
    /// The list's or the object's kind.
    kind: Option<String>,
    /// Whether it is a list.
    items: bool,
    /// Where the next page of a list begins (`metadata.continue`).
    next: Option<String>,
}

/// A list without its kind, which kubectl writes behind the items.
#[derive(Debug, thiserror::Error)]
#[error("the list ends before its `kind`")]
pub struct NoEnd;

impl Document {
    /// Where the next page of a list begins.
    pub fn next_page(&self) -> Option<&str> {
        self.next.as_deref().filter(|token| !token.is_empty())
    }

    fn take(&mut self, object: Value, list_kind: Option<&str>) {
        match take(object, list_kind) {
            Taken::Fact(fact) => self.facts.push(fact),
            Taken::Other => {}
            Taken::Unreadable(finding) => self.findings.push(finding),
        }
    }
}

impl Content for Document {
    type To = Facts;

    fn check(&self) -> Result<(), NoEnd> {
        if self.items && self.kind.is_none() { Err(NoEnd) } else { Ok(()) }
    }

    fn give(self, to: &mut Facts) {
        for fact in self.facts {
            to.put(fact);
        }
        to.findings.extend(self.findings);
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Top)
    }
}

struct Top;

impl<'de> Visitor<'de> for Top {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Kubernetes object or a list of them")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let mut document = Document::default();
        let mut rest = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == "items" && !document.items {
                document.items = true;
                let list_kind = rest.get("kind").and_then(Value::as_str).map(str::to_owned);
                map.next_value_seed(Items { document: &mut document, list_kind })?;
            } else {
                rest.insert(key, map.next_value()?);
            }
        }
        document.kind = rest.get("kind").and_then(Value::as_str).map(str::to_owned);
        if document.items {
            let next = rest.get("metadata").and_then(|metadata| metadata.get("continue"));
            document.next = next.and_then(Value::as_str).map(str::to_owned);
        } else if document.kind.is_some() {
            document.take(Value::Object(rest), None);
        } else {
            return Err(A::Error::custom(NO_OBJECT));
        }
        Ok(document)
    }
}

/// The entries of `items`; an API server's own lists give their kind once, for all.
struct Items<'a> {
    document: &'a mut Document,
    list_kind: Option<String>,
}

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        // `items: null` is an empty list of some clients.
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of Kubernetes objects")
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(object) = items.next_element::<Value>()? {
            self.document.take(object, self.list_kind.as_deref());
        }
        Ok(())
    }
}
