//! What a watch has told so far: finds out what a new list no longer has, and what did not really change.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt::{self, Debug, Write};
use std::hash::Hasher;

/// The objects that a watch has told of, by a hash of their names: `G`, what it takes to say that one is gone, mostly is its name,
/// and of 100,000 objects two share such a hash once in a thousand million clusters.
#[derive(Debug)]
pub struct Known<G> {
    told: HashMap<u64, Entry<G>>,
    /// The list that is under way, or was the last.
    list: u32,
}

#[derive(Debug)]
struct Entry<G> {
    print: u64,
    /// The list that had it last.
    listed: u32,
    stands_for: G,
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
        Self { told: HashMap::new(), list: 0 }
    }

    /// A list begins: what is not put until [`Self::end_list`] is gone.
    pub fn begin_list(&mut self) {
        self.list = self.list.wrapping_add(1);
    }

    /// An object arrived; `value` is what decisions see of it.
    pub fn put(&mut self, name: &str, stands_for: &G, value: &impl Debug) -> News<G> {
        let entry = Entry { print: fingerprint(value), listed: self.list, stands_for: stands_for.clone() };
        let print = entry.print;
        match self.told.insert(fingerprint(&name), entry) {
            None => News { gone: None, changed: true },
            Some(known) if known.stands_for == *stands_for => News { gone: None, changed: known.print != print },
            Some(known) => News { gone: Some(known.stands_for), changed: true },
        }
    }

    /// An object is gone, or is none of ours any more.
    pub fn remove(&mut self, name: &str) -> Option<G> {
        self.told.remove(&fingerprint(&name)).map(|known| known.stands_for)
    }

    /// The list is complete; gives what it no longer has.
    pub fn end_list(&mut self) -> Vec<G> {
        let list = self.list;
        self.told.extract_if(|_, known| known.listed != list).map(|(_, known)| known.stands_for).collect()
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
