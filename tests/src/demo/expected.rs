//! Which verdict must each group get in each layout? The demo fails on any other.

use shared::verdict::Verdict;

use super::layout::Layout;
use super::row::Row;
use super::workloads::{GROUPS, Group};
use crate::velero::backup::Phase;
use crate::velero::truth::Consistency;

/// The verdict that the receipt of a group must bear.
pub fn expected(layout: Layout, group: &Group) -> Verdict {
    match layout {
        // A group of one is consistent with itself however it is cut.
        Layout::EachPodAlone if group.pods > 1 => Verdict::MemberConsistent,
        Layout::EachPodAlone | Layout::OrderedBlock | Layout::ParallelWorkers => Verdict::GroupConsistent,
    }
}

/// Something that did not come as it must.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Surprise {
    /// Another verdict.
    #[error("{layout:?}, {group}: the verdict is {found} and must be {expected}")]
    Verdict {
        /// The layout.
        layout: Layout,
        /// The group.
        group: String,
        /// What must be.
        expected: Verdict,
        /// What the receipt says, or that there is none.
        found: String,
    },
    /// The receipt and the truth differ.
    #[error("{layout:?}, {group}: the receipt says {receipt}, and what really happened was {truth}")]
    Untrue {
        /// The layout.
        layout: Layout,
        /// The group.
        group: String,
        /// What the receipt says.
        receipt: Verdict,
        /// What the simulator's own log says.
        truth: Consistency,
    },
    /// The Backup did not end well.
    #[error("{layout:?}, {group}: the Backup ended {phase}")]
    Backup {
        /// The layout.
        layout: Layout,
        /// The group.
        group: String,
        /// Its last phase.
        phase: Phase,
    },
    /// The original did better than it can.
    #[error("{layout:?}, {group}: the model of the original ended {phase}, {consistency}")]
    Original {
        /// The layout.
        layout: Layout,
        /// The group.
        group: String,
        /// The Backup's last phase.
        phase: Phase,
        /// How consistent its cuts were.
        consistency: Consistency,
    },
    /// What real databases add up to after a restore.
    #[error("{how}: of {total}, {restored} was restored")]
    Sum {
        /// How they were backed up.
        how: String,
        /// What there was.
        total: i64,
        /// What a restore has.
        restored: i64,
    },
    /// A row is missing.
    #[error("{layout:?}: there is nothing about {group}")]
    Missing {
        /// The layout.
        layout: Layout,
        /// The group.
        group: String,
    },
}

/// Everything in the rows that is not as it must be; every played layout must have every group.
pub fn surprises(played: &[Layout], rows: &[Row]) -> Vec<Surprise> {
    let mut found = Vec::new();
    for layout in played {
        for group in &GROUPS {
            match rows.iter().find(|row| row.layout == *layout && row.group == *group) {
                Some(row) => found.extend(of_row(row)),
                None => found.push(Surprise::Missing { layout: *layout, group: group.label() }),
            }
        }
    }
    found
}

fn of_row(row: &Row) -> Vec<Surprise> {
    let (layout, group) = (row.layout, row.group.label());
    let must = expected(layout, &row.group);
    let mut found = Vec::new();
    match &row.receipt {
        Some(receipt) => {
            if receipt.verdict != must {
                let said = receipt.verdict.to_string();
                found.push(Surprise::Verdict { layout, group: group.clone(), expected: must, found: said });
            }
            if receipt.verdict.as_str() != row.truth.as_str() {
                let (receipt, truth) = (receipt.verdict, row.truth);
                found.push(Surprise::Untrue { layout, group: group.clone(), receipt, truth });
            }
        }
        None => found.push(Surprise::Verdict {
            layout,
            group: group.clone(),
            expected: must,
            found: "missing: no receipt".to_owned(),
        }),
    }
    if row.phase != Phase::Completed {
        found.push(Surprise::Backup { layout, group: group.clone(), phase: row.phase });
    }
    let (phase, consistency) = (row.original.phase, row.original.consistency);
    if (phase, consistency) != (Phase::PartiallyFailed, Consistency::CrashConsistent) {
        found.push(Surprise::Original { layout, group, phase, consistency });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::row::tests::row;

    fn good() -> Vec<Row> {
        GROUPS.iter().map(|group| row(Layout::EachPodAlone, *group, expected(Layout::EachPodAlone, group))).collect()
    }

    fn check(change: impl FnOnce(&mut Row), expected: &str) {
        let mut rows = good();
        change(&mut rows[1]);
        let said: Vec<String> = surprises(&[Layout::EachPodAlone], &rows).iter().map(ToString::to_string).collect();
        assert_eq!(said.join("; "), expected);
    }

    #[test]
    fn what_is_as_it_must_be_is_no_surprise() {
        check(|_| {}, "");
    }

    #[test]
    fn anything_else_is() {
        check(
            |row| row.receipt.as_mut().unwrap().verdict = Verdict::Unknown,
            "EachPodAlone, search/index: the verdict is unknown and must be member-consistent; \
             EachPodAlone, search/index: the receipt says unknown, and what really happened was member-consistent",
        );
        check(
            |row| row.receipt = None,
            "EachPodAlone, search/index: the verdict is missing: no receipt and must be member-consistent",
        );
        check(
            |row| row.truth = Consistency::CrashConsistent,
            "EachPodAlone, search/index: the receipt says member-consistent, and what really happened was crash-consistent",
        );
        check(|row| row.phase = Phase::PartiallyFailed, "EachPodAlone, search/index: the Backup ended PartiallyFailed");
        check(
            |row| row.original.phase = Phase::Completed,
            "EachPodAlone, search/index: the model of the original ended Completed, crash-consistent",
        );
    }

    #[test]
    fn a_missing_row_is_one_too() {
        let rows = good();
        assert_eq!(surprises(&[Layout::EachPodAlone], &rows[1..]).len(), 1);
        assert_eq!(surprises(&Layout::ALL, &rows).len(), 2 * GROUPS.len());
    }
}
