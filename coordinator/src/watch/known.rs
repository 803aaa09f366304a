//! What a watch has told so far: finds out what a new list no longer has, and what did not really change.

use std::collections::HashMap;
use std::collections::hash_map::{self, DefaultHasher};
use std::fmt::{self, Debug, Write};
use std::hash::Hasher;

use coordinator_core::objects::ObjectKey;

use super::leases::LeaseKey;

/// What an object stands for, and how much of that is remembered.
pub trait StandsFor: Clone + PartialEq {
    /// What is remembered of each object.
    type Kept: PartialEq;

    /// What to remember.
    fn keep(&self) -> Self::Kept;

    /// What it stood for, by what is remembered.
    fn of(kept: Self::Kept) -> Option<Self>;
}

/// An object that stands for itself, of a kind of which there may be 100,000: its name is not remembered, a hash of it is known anyway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Itself<K>(pub K);

impl<K: Clone + PartialEq> StandsFor for Itself<K> {
    type Kept = ();

    fn keep(&self) {}

    fn of((): ()) -> Option<Self> {
        None
    }
}

macro_rules! remembered {
    ($($type:ty),+) => {$(
        impl StandsFor for $type {
            type Kept = Self;

            fn keep(&self) -> Self {
                self.clone()
            }

            fn of(kept: Self) -> Option<Self> {
                Some(kept)
            }
        }
    )+};
}

remembered!(ObjectKey, Option<LeaseKey>, ());

/// The objects that a watch has told of, by a hash of their names ([`coordinator_core::objects::name_print`]).
#[derive(Debug)]
pub struct Known<G: StandsFor> {
    told: HashMap<u64, Entry<G::Kept>>,
    /// The list that is under way, or was the last.
    list: u32,
}

#[derive(Debug)]
struct Entry<K> {
    print: u64,
    /// The list that had it last.
    listed: u32,
    stands_for: K,
}

/// What follows from an object that arrived.
#[derive(Debug, PartialEq, Eq)]
pub struct News<G> {
    /// What the same object stood for before and stands for no more.
    pub gone: Option<G>,
    /// Whether what it says now is worth telling: it is new or changed.
    pub changed: bool,
}

/// What is gone.
#[derive(Debug, PartialEq, Eq)]
pub enum Gone<G> {
    /// What stood for this.
    Was(G),
    /// What was called so, by its hash.
    Called(u64),
}

impl<G> Gone<G> {
    fn of(name: u64, kept: G::Kept) -> Self
    where
        G: StandsFor,
    {
        G::of(kept).map_or(Self::Called(name), Self::Was)
    }
}

impl<G: StandsFor> Known<G> {
    /// Nothing was told yet.
    pub fn new() -> Self {
        Self { told: HashMap::new(), list: 0 }
    }

    /// A list begins: what is not put until [`Self::end_list`] is gone.
    pub fn begin_list(&mut self) {
        self.list = self.list.wrapping_add(1);
    }

    /// An object arrived; `value` is what decisions see of it.
    pub fn put(&mut self, name: u64, stands_for: &G, value: &impl Debug) -> News<G> {
        let now = Entry { print: fingerprint(value), listed: self.list, stands_for: stands_for.keep() };
        match self.told.entry(name) {
            hash_map::Entry::Vacant(new) => {
                new.insert(now);
                News { gone: None, changed: true }
            }
            hash_map::Entry::Occupied(mut known) => {
                let before = known.insert(now);
                let now = known.get();
                if before.stands_for == now.stands_for {
                    News { gone: None, changed: before.print != now.print }
                } else {
                    News { gone: G::of(before.stands_for), changed: true }
                }
            }
        }
    }

    /// An object is gone, or is none of ours any more.
    pub fn remove(&mut self, name: u64) -> Option<Gone<G>> {
        self.told.remove(&name).map(|known| Gone::of(name, known.stands_for))
    }

    /// The list is complete; gives what it no longer has.
    pub fn end_list(&mut self) -> Vec<Gone<G>> {
        let list = self.list;
        let gone = self.told.extract_if(|_, known| known.listed != list);
        gone.map(|(name, known)| Gone::of(name, known.stands_for)).collect()
    }

    /// Nothing is there any more: the whole kind is gone.
    pub fn forget_all(&mut self) -> Vec<Gone<G>> {
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
    use coordinator_core::objects::name_print;

    remembered!(&'static str);

    fn print(name: &str) -> u64 {
        name_print("", name)
    }

    fn put(known: &mut Known<&'static str>, name: &'static str, value: u32) -> bool {
        known.put(print(name), &name, &value).changed
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
        assert_eq!(known.end_list(), [Gone::Was("b")]);
        assert!(put(&mut known, "b", 1), "it is new again");
    }

    #[test]
    fn what_stands_for_itself_is_gone_by_the_hash_of_its_name() {
        let mut known = Known::new();
        known.begin_list();
        for name in ["a", "b", "c"] {
            assert!(known.put(print(name), &Itself(name), &1).changed);
        }
        known.begin_list();
        assert_eq!(known.put(print("a"), &Itself("a"), &1), News { gone: None, changed: false });
        assert_eq!(known.remove(print("b")), Some(Gone::Called(print("b"))));
        assert_eq!(known.end_list(), [Gone::Called(print("c"))]);
    }

    #[test]
    fn a_list_that_starts_over_counts_from_its_start() {
        let mut known = Known::new();
        known.begin_list();
        put(&mut known, "a", 1);
        known.begin_list();
        put(&mut known, "b", 1);
        assert_eq!(known.end_list(), [Gone::Was("a")]);
    }

    #[test]
    fn touches_that_change_nothing_are_not_told() {
        let mut known = Known::new();
        assert!(put(&mut known, "a", 1));
        assert!(!put(&mut known, "a", 1));
        assert_eq!(known.remove(print("a")), Some(Gone::Was("a")));
        assert_eq!(known.remove(print("a")), None);
    }

    #[test]
    fn an_object_that_stands_for_something_else_now_is_gone_as_what_it_was() {
        let mut known = Known::new();
        known.put(print("x"), &"group a", &1);
        assert_eq!(known.put(print("x"), &"group b", &1), News { gone: Some("group a"), changed: true });
        assert_eq!(known.forget_all(), [Gone::Was("group b")]);
    }
}
