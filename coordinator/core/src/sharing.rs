//! What many objects say alike is kept once.

use std::collections::BTreeSet;

/// Fewer than these are not worth forgetting.
const KEPT_MIN: usize = 1_024;

/// Values whose clones share their text: namespaces, and what objects made from one pattern have in common.
#[derive(Clone, Debug)]
pub struct Sharing<V>(BTreeSet<V>);

impl<V> Default for Sharing<V> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<V: Clone + Ord> Sharing<V> {
    /// The value as it is kept. With more kept than there are `objects`, all are forgotten: most of them are of objects that went, and
    /// those that live on are kept once by the objects that have them.
    pub fn kept(&mut self, value: V, objects: usize) -> V {
        if let Some(kept) = self.0.get(&value) {
            return kept.clone();
        }
        if self.0.len() > objects.max(KEPT_MIN) {
            self.0.clear();
        }
        self.0.insert(value.clone());
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn equal_values_are_one_and_not_for_ever() {
        let mut sharing = Sharing::default();
        let first: Arc<str> = sharing.kept("a".into(), 0);
        assert!(Arc::ptr_eq(&first, &sharing.kept("a".into(), 0)));
        for n in 0..=KEPT_MIN {
            sharing.kept(n.to_string().into(), 0);
        }
        assert!(!Arc::ptr_eq(&first, &sharing.kept("a".into(), 0)));
    }
}
