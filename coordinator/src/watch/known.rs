//! What a watch has told so far: finds out what a new list no longer has, and what did not really change.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug, Write};
use std::hash::Hasher;

/// The objects that a watch has told of. `G` is what it takes to say that one is gone.
#[derive(Debug)]
pub struct Known<G> {
    told: BTreeMap<String, (u64, G)>,
    listing: Option<BTreeSet<String>>,
}

/// What follows from an object that arrived.
#[derive(Debug, PartialEq, Eq)]
pub struct News<G> {
    /// What the same object stood for before and stands for no more.
    pub gone: Option<G>,
    /// Whether what it says now is worth telling: it is new or changed.
    pub changed: bool,
}

impl<G: Clone + PartialEq> Known<G> {
    /// Nothing was told yet.
    pub fn new() -> Self {
        Self { told: BTreeMap::new(), listing: None }
    }

    /// A list begins: what is not put until [`Self::end_list`] is gone.
    pub fn begin_list(&mut self) {
        self.listing = Some(BTreeSet::new());
    }

    /// An object arrived; `value` is what decisions see of it.
    pub fn put(&mut self, name: &str, stands_for: &G, value: &impl Debug) -> News<G> {
        if let Some(listing) = &mut self.listing {
            listing.insert(name.to_owned());
        }
        let print = fingerprint(value);
        match self.told.insert(name.to_owned(), (print, stands_for.clone())) {
            None => News { gone: None, changed: true },
            Some((before, same)) if same == *stands_for => News { gone: None, changed: before != print },
            Some((_, other)) => News { gone: Some(other), changed: true },
        }
    }

    /// An object is gone, or is none of ours any more.
    pub fn remove(&mut self, name: &str) -> Option<G> {
        self.told.remove(name).map(|(_, stands_for)| stands_for)
    }

    /// The list is complete; gives what it no longer has.
    pub fn end_list(&mut self) -> Vec<G> {
        let listed = self.listing.take().unwrap_or_default();
        let missing: Vec<String> = self.told.keys().filter(|name| !listed.contains(*name)).cloned().collect();
        missing.iter().filter_map(|name| self.remove(name)).collect()
    }

    /// Nothing is there any more: the whole kind is gone.
    pub fn forget_all(&mut self) -> Vec<G> {
        self.begin_list();
        self.end_list()
    }
}

/// A hash of all that `value` shows. Kubelets and controllers touch objects all the time; mostly nothing changes that a
/// decision looks at, and 8 bytes an object find that out.
fn fingerprint(value: &impl Debug) -> u64 {
    struct Hashed(DefaultHasher);
    impl Write for Hashed {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.write(text.as_bytes());
            Ok(())
        }
    }
    let mut hashed = Hashed(DefaultHasher::new());
    // Writing into a hash cannot fail, and a Debug that fails only makes two values look alike less often.
    let _written = write!(hashed, "{value:?}").is_ok();
    hashed.0.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(known: &mut Known<&'static str>, name: &'static str, value: u32) -> bool {
        known.put(name, &name, &value).changed
    }

    #[test]
    fn what_a_new_list_lacks_is_gone() {
        let mut known = Known::new();
        known.begin_list();
        assert!(put(&mut known, "a", 1) && put(&mut known, "b", 1) && put(&mut known, "c", 1));
        assert!(known.end_list().is_empty());
        known.begin_list();
        assert!(!put(&mut known, "a", 1), "listed again and unchanged");
        assert!(put(&mut known, "c", 2), "listed again and changed");
        assert_eq!(known.end_list(), ["b"]);
        assert!(put(&mut known, "b", 1), "it is new again");
    }

    #[test]
    fn a_list_that_starts_over_counts_from_its_start() {
        let mut known = Known::new();
        known.begin_list();
        put(&mut known, "a", 1);
        known.begin_list();
        put(&mut known, "b", 1);
        assert_eq!(known.end_list(), ["a"]);
    }

    #[test]
    fn touches_that_change_nothing_are_not_told() {
        let mut known = Known::new();
        assert!(put(&mut known, "a", 1));
        assert!(!put(&mut known, "a", 1));
        assert_eq!(known.remove("a"), Some("a"));
        assert_eq!(known.remove("a"), None);
    }

    #[test]
    fn an_object_that_stands_for_something_else_now_is_gone_as_what_it_was() {
        let mut known = Known::new();
        known.put("x", &"group a", &1);
        assert_eq!(known.put("x", &"group b", &1), News { gone: Some("group a"), changed: true });
        assert_eq!(known.forget_all(), ["group b"]);
    }
}
