//! What a person wrote for this product onto an object.

use std::collections::BTreeMap;

/// The product's own annotations of an object (`snapshot-group.velero.io/…`) that somebody here reads, without their common prefix. Few
/// objects have any.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::box_collection, reason = "a map is 24 bytes also where it is empty, and there are 100,000 of them")]
pub struct Annotations(Option<Box<BTreeMap<String, String>>>);

impl Annotations {
    /// What stands there.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.as_ref()?.get(name).map(String::as_str)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Writes one.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.get_or_insert_default().insert(name.to_owned(), value.to_owned());
    }
}

impl FromIterator<(String, String)> for Annotations {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(all: I) -> Self {
        let map: BTreeMap<String, String> = all.into_iter().collect();
        Self((!map.is_empty()).then(|| Box::new(map)))
    }
}
