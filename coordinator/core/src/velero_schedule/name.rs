//! What generated Schedules are called: readable, at most 48 characters, no two alike.

use std::collections::BTreeSet;

use shared::group_id::hash12;
use shared::identity::GroupKey;

/// A Backup's name is the Schedule's with `-` and 14 digits of time, and should be a label's value (63): velero `label.go`
/// replaces longer ones by a hash, and who looks for them finds nothing.
pub const NAME_CHARS_MAX: usize = 48;

/// The original's mark of generated Schedules, so that people find them where they were.
const PREFIX: &str = "auto-";

/// `-` and 12 hex digits.
const MARK_CHARS: usize = 13;

/// Names that are taken.
#[derive(Debug, Default)]
pub struct Names(BTreeSet<String>);

impl Names {
    /// The name of a group's n-th Schedule (from 0): `auto-<namespace>-<workload>-<hash>`. The hash is of the whole group key, so that
    /// `a`/`b-c` and `a-b`/`c` differ and cutting off loses nothing; should two hashes be equal, the later group's is made anew.
    pub fn give(&mut self, group: &GroupKey, workload: &str, n: usize) -> String {
        let readable: String = format!("{}-{workload}", group.namespace)
            .chars()
            .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
            .take(NAME_CHARS_MAX - PREFIX.len() - MARK_CHARS)
            .collect();
        let readable = readable.trim_end_matches('-');
        let mut attempt = 0_u32;
        loop {
            let hash = match (n, attempt) {
                (0, 0) => hash12(&group.to_string()),
                _ => hash12(&format!("{group}/{n}/{attempt}")),
            };
            let name = format!("{PREFIX}{readable}-{hash}");
            if self.0.insert(name.clone()) {
                return name;
            }
            attempt += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(text: &str) -> GroupKey {
        text.parse().unwrap()
    }

    #[test]
    fn readable_and_told_apart() {
        let mut names = Names::default();
        let first = names.give(&key("prod/group-1"), "db", 0);
        assert!(first.starts_with("auto-prod-db-") && first.len() == 25, "{first}");
        assert_eq!(Names::default().give(&key("prod/group-1"), "db", 0), first, "the same in every run");
        assert_ne!(names.give(&key("prod/group-1"), "db", 1), first);
        assert_ne!(names.give(&key("a/x"), "b-c", 0), names.give(&key("a-b/x"), "c", 0));
        // Should a hash be taken already, another one is found.
        assert_ne!(names.give(&key("prod/group-1"), "db", 0), first);
    }

    /// What alerts and the dashboard take for this product's Schedules: the original's begin alike.
    #[test]
    fn alerts_and_dashboard_know_the_names() {
        const SELECTED: &str = r"auto-.+-[0-9a-f]{12}";
        for text in [
            include_str!("../../../../manifests/components/alerts/prometheus-rule.yaml"),
            include_str!("../../../../manifests/components/grafana/snapshot-groups.json"),
        ] {
            let selected: Vec<&str> = text.split("schedule=~").skip(1).collect();
            assert!(selected.len() > 2, "{text}");
            for rest in selected {
                assert_eq!(rest.trim_start_matches(['\\', '"']).get(..SELECTED.len()), Some(SELECTED));
            }
        }
    }

    proptest! {
        #[test]
        fn every_group_gets_a_name_that_velero_can_carry(
            namespace in "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", group in "[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?",
            workload in "[a-zA-Z0-9]([a-zA-Z0-9._-]{0,250}[a-zA-Z0-9])?", n in 0usize..24,
        ) {
            let name = Names::default().give(&key(&format!("{namespace}/{group}")), &workload, n);
            prop_assert!(name.len() <= NAME_CHARS_MAX);
            let (readable, hash) = name.rsplit_once('-').unwrap();
            prop_assert!(readable.len() > PREFIX.len() && hash.len() == 12, "{}", name);
            prop_assert!(hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{}", name);
            prop_assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            prop_assert!(name.ends_with(|c: char| c.is_ascii_alphanumeric()));
        }
    }
}
