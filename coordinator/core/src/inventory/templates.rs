//! Which StatefulSet's claim templates made a claim, by the exact names that the StatefulSet controller gives.

use std::collections::BTreeMap;

use shared::identity::Namespace;

use super::facts::Facts;
use crate::objects::{ObjectKey, StatefulSet};

/// Claim names without their ordinal (`<template>-<set>`), and the sets that may have made them.
#[derive(Debug)]
pub struct Templates<'a> {
    made_by: BTreeMap<(&'a Namespace, String), Vec<&'a ObjectKey>>,
}

/// A claim of a StatefulSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made<'a> {
    /// The set.
    pub set: &'a ObjectKey,
    /// Another set whose templates give the same name.
    pub other: Option<&'a ObjectKey>,
    /// The ordinal that the claim belongs to.
    pub ordinal: u32,
}

impl<'a> Templates<'a> {
    /// Of all StatefulSets.
    pub fn new(facts: &'a Facts) -> Self {
        let mut made_by: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (key, set) in facts.sets.iter() {
            for template in &set.templates {
                made_by.entry((&key.namespace, format!("{template}-{}", key.name))).or_default().push(key);
            }
        }
        Self { made_by }
    }

    /// The set whose template made a claim of this name; the first by name when there are two.
    pub fn made(&self, claim: &'a ObjectKey) -> Option<Made<'a>> {
        let (head, ordinal) = claim.name.rsplit_once('-')?;
        let ordinal = ordinal_of(ordinal)?;
        let sets = self.made_by.get(&(&claim.namespace, head.to_owned()))?;
        let set = *sets.first()?;
        Some(Made { set, other: sets.iter().copied().find(|other| *other != set), ordinal })
    }
}

/// An ordinal as Kubernetes writes it: digits without leading zeros.
fn ordinal_of(text: &str) -> Option<u32> {
    let canonical = text == "0" || !text.starts_with('0');
    if canonical && text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Whether a set, as it is scaled now, has a pod of this ordinal.
pub fn in_scale(set: &StatefulSet, ordinal: u32) -> bool {
    ordinal >= set.start && ordinal - set.start < set.replicas
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::facts::Fact;

    fn key(name: &str) -> ObjectKey {
        ObjectKey { namespace: Namespace::new("prod").unwrap(), name: name.to_owned() }
    }

    fn facts(sets: &[(&str, &[&str])]) -> Facts {
        let mut facts = Facts::default();
        for (name, templates) in sets {
            let templates = templates.iter().map(|t| (*t).into()).collect();
            facts.put(Fact::StatefulSet(StatefulSet { templates, ..StatefulSet::new(key(name), "u".into()) }));
        }
        facts
    }

    fn check(facts: &Facts, claim: &str, expected: Option<(&str, u32)>) {
        let claim = key(claim);
        let made = Templates::new(facts).made(&claim).map(|made| (made.set.name.clone(), made.ordinal));
        assert_eq!(made, expected.map(|(set, ordinal)| (set.to_owned(), ordinal)), "{claim}");
    }

    #[test]
    fn whole_names_and_never_parts_of_one() {
        let facts = facts(&[("db", &["data", "wal"]), ("db-0", &["data"]), ("mydb", &["data"])]);
        check(&facts, "data-db-0", Some(("db", 0)));
        check(&facts, "wal-db-12", Some(("db", 12)));
        check(&facts, "data-db-0-3", Some(("db-0", 3)));
        check(&facts, "data-mydb-1", Some(("mydb", 1)));
        for other in
            ["data-db", "data-db-01", "data-db-x", "data-db--1", "logs-db-0", "xdata-db-0", "data-db-99999999999"]
        {
            check(&facts, other, None);
        }
    }

    #[test]
    fn two_sets_may_give_one_name() {
        let facts = facts(&[("b", &["a-a"]), ("a-b", &["a"])]);
        let claim = key("a-a-b-0");
        let templates = Templates::new(&facts);
        let made = templates.made(&claim).unwrap();
        assert_eq!((made.set.name.as_str(), made.other.map(|o| o.name.as_str())), ("a-b", Some("b")));
    }

    #[test]
    fn scale_counts_from_the_first_ordinal() {
        let set = StatefulSet { replicas: 3, start: 5, ..StatefulSet::new(key("db"), "u".into()) };
        let inside: Vec<u32> = (0..12).filter(|ordinal| in_scale(&set, *ordinal)).collect();
        assert_eq!(inside, [5, 6, 7]);
        let top = StatefulSet { replicas: u32::MAX, start: u32::MAX, ..set };
        assert!(in_scale(&top, u32::MAX) && !in_scale(&top, 0));
    }
}
