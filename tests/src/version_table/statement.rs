//! What is claimed of each version, which tests of `make e2e` show it, and since when Velero can do it at all.

use super::Release;

/// One column of the table.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    /// The column's head, for users.
    pub says: &'static str,
    /// Tests of the binary `e2e`; all must pass.
    pub tests: &'static [&'static str],
    /// The first minor version of Velero that has what it is about; `None`: every one that is looked at.
    pub since: Option<(u16, u16)>,
}

impl Statement {
    /// Whether this Velero can do what the statement is about.
    pub fn applies_to(&self, velero: Release) -> bool {
        self.since.is_none_or(|(major, minor)| velero.at_least(major, minor))
    }
}

/// Blocks of items came with 1.15, their parallel workers with 1.16, more than one Backup at once with 1.18 (Velero's release notes;
/// `velero server --help` of each).
pub const STATEMENTS: &[Statement] = &[
    Statement {
        says: "each pod alone: member-consistent",
        tests: &["plain::each_pod_alone_is_member_consistent_and_said_to_be"],
        since: None,
    },
    Statement {
        says: "ordered group: group-consistent",
        tests: &["plain::an_ordered_block_of_three_is_group_consistent"],
        since: Some((1, 15)),
    },
    Statement {
        says: "barrier with 4 workers",
        tests: &["barrier::a_barrier_of_four_is_released_by_one_write"],
        since: Some((1, 16)),
    },
    Statement {
        says: "barrier that cannot fill is given up",
        tests: &["barrier::a_barrier_that_one_worker_can_never_fill_is_given_up_in_seconds"],
        since: None,
    },
    Statement {
        says: "failing hooks are in the receipt",
        tests: &[
            "hooks::a_failed_pre_is_in_the_receipt_whatever_on_error_says",
            "hooks::a_hook_that_cannot_even_begin_is_in_the_receipt",
        ],
        since: None,
    },
    Statement {
        says: "Velero killed in mid-backup",
        tests: &["restarts::velero_killed_in_mid_backup_leaves_nothing_held"],
        since: None,
    },
    Statement {
        says: "coordinator killed in mid-round",
        tests: &["restarts::a_coordinator_killed_in_mid_round_loses_nothing"],
        since: None,
    },
    Statement {
        says: "native EBS snapshots",
        tests: &["native::a_native_block_of_three_is_held_for_a_fraction_of_a_second"],
        since: Some((1, 15)),
    },
    Statement {
        says: "Backups at once",
        tests: &["several::backups_that_run_at_once_are_told_apart"],
        since: Some((1, 18)),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_not_made_of_a_velero_that_lacks_what_it_is_about() {
        let old: Release = "v1.14.1".parse().expect("a release");
        let applies: Vec<&str> = STATEMENTS.iter().filter(|s| s.applies_to(old)).map(|s| s.says).collect();
        assert!(applies.contains(&"each pod alone: member-consistent"), "{applies:?}");
        assert!(!applies.contains(&"ordered group: group-consistent"), "{applies:?}");
        let new: Release = "v1.18.3".parse().expect("a release");
        assert!(STATEMENTS.iter().all(|statement| statement.applies_to(new)));
    }
}
