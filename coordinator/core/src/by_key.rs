//! Where objects are kept by their keys when there are hundreds of thousands of them: in their order, each key once, inside its object.
//!
//! A clone shares the objects: what a plan is made from is such a clone, a few bytes an object, while the original goes on changing.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use crate::objects::{Claim, ObjectKey, Pod, PodKey, StatefulSet, Volume};

/// An object that holds its own key.
pub trait Keyed {
    /// What tells it from others of its kind.
    type Key: Ord + ?Sized;

    /// Its key.
    fn key(&self) -> &Self::Key;
}

/// An object at its place.
pub struct Entry<T>(Arc<T>);

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Keyed> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T: Keyed> Eq for Entry<T> {}

impl<T: Keyed> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Keyed> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.key().cmp(other.0.key())
    }
}

macro_rules! keyed {
    ($object:ty, $key:ty, $field:ident) => {
        impl Keyed for $object {
            type Key = $key;

            fn key(&self) -> &$key {
                &self.$field
            }
        }

        impl Borrow<$key> for Entry<$object> {
            fn borrow(&self) -> &$key {
                &self.0.$field
            }
        }
    };
}

keyed!(Pod, PodKey, key);
keyed!(Claim, ObjectKey, key);
keyed!(StatefulSet, ObjectKey, key);
keyed!(Volume, str, name);

/// Objects of one kind, in the order of their keys.
pub struct ByKey<T>(BTreeSet<Entry<T>>);

impl<T> Clone for ByKey<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for ByKey<T> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<T: fmt::Debug> fmt::Debug for ByKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|entry| &entry.0)).finish()
    }
}

impl<T: Keyed + PartialEq> PartialEq for ByKey<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| a.0 == b.0)
    }
}

impl<T: Keyed + Eq> Eq for ByKey<T> {}

impl<T: Keyed> ByKey<T>
where
    Entry<T>: Borrow<T::Key>,
{
    /// Puts an object in the place of the one with its key; gives that one.
    pub fn put(&mut self, object: T) -> Option<Arc<T>> {
        self.0.replace(Entry(Arc::new(object))).map(|entry| entry.0)
    }

    /// Takes an object out.
    pub fn remove(&mut self, key: &T::Key) -> Option<Arc<T>> {
        self.0.take(key).map(|entry| entry.0)
    }

    /// Changes an object; whether it is there. Its key stays.
    pub fn edit(&mut self, key: &T::Key, change: impl FnOnce(&mut T)) -> bool
    where
        T: Clone,
    {
        let Some(entry) = self.0.take(key) else { return false };
        let mut object = Arc::unwrap_or_clone(entry.0);
        change(&mut object);
        self.put(object);
        true
    }

    /// An object by its key.
    pub fn get(&self, key: &T::Key) -> Option<&T> {
        self.0.get(key).map(|entry| &*entry.0)
    }

    /// The same with its own key, which lives as long as it does.
    pub fn get_key_value(&self, key: &T::Key) -> Option<(&T::Key, &T)> {
        self.get(key).map(|object| (object.key(), object))
    }

    /// The objects from this key on.
    pub fn from<'a>(&'a self, key: &T::Key) -> impl Iterator<Item = (&'a T::Key, &'a T)> + use<'a, T> {
        self.0.range::<T::Key, _>((Bound::Included(key), Bound::Unbounded)).map(|entry| (entry.0.key(), &*entry.0))
    }

    /// All objects with their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&T::Key, &T)> {
        self.0.iter().map(|entry| (entry.0.key(), &*entry.0))
    }

    /// All objects.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|entry| &*entry.0)
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &T::Key> {
        self.values().map(Keyed::key)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what another one holds.
    pub fn extend(&mut self, others: &Self) {
        self.0.extend(others.0.iter().cloned());
    }

    /// Fills the tree's nodes: what comes in order, as a list does, leaves them half empty.
    pub fn pack(&mut self) {
        self.0 = std::mem::take(&mut self.0).into_iter().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::pod;

    #[test]
    fn a_clone_keeps_what_the_original_changes() {
        let mut pods = ByKey::default();
        for name in ["b", "a", "c"] {
            assert!(pods.put(pod("prod", name)).is_none());
        }
        let before = pods.clone();
        let b = pod("prod", "b").key;
        assert!(pods.edit(&b, |pod| pod.deleting = true));
        assert!(pods.get(&b).unwrap().deleting && !before.get(&b).unwrap().deleting);
        assert!(pods.put(pod("prod", "a")).is_some_and(|old| old.key.name.as_str() == "a"));
        assert!(pods.remove(&b).is_some() && pods.remove(&b).is_none());
        assert!(!pods.edit(&b, |_| ()));
        pods.pack();
        let names = |pods: &ByKey<Pod>| pods.keys().map(|key| key.name.to_string()).collect::<Vec<_>>();
        assert_eq!(
            (names(&before), names(&pods)),
            (vec!["a".into(), "b".into(), "c".into()], vec!["a".into(), "c".into()])
        );
        assert_eq!(pods.from(&b).map(|(key, _)| key.name.as_str()).collect::<Vec<_>>(), ["c"]);
    }
}
