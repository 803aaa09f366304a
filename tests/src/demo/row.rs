//! What does the demo know about one group in one layout?

use std::time::Duration;

use shared::receipt::Receipt;

use super::layout::Layout;
use super::workloads::Group;
use crate::original::{Outcome, Reading, Scenario, play};
use crate::velero::backup::Phase;
use crate::velero::truth::Consistency;

/// One group in one layout.
#[derive(Clone, Debug)]
pub struct Row {
    /// The layout.
    pub layout: Layout,
    /// The group.
    pub group: Group,
    /// The Backup's last phase.
    pub phase: Phase,
    /// What the coordinator wrote onto the Backup, if it did.
    pub receipt: Option<Receipt>,
    /// What really happened to the group's cuts, by the simulator's own log.
    pub truth: Consistency,
    /// What the original does there.
    pub original: OriginalRow,
}

/// What the original does with the same group, in virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginalRow {
    /// The longest wait of a pod.
    pub wait: Duration,
    /// From the first to the last cut.
    pub skew: Duration,
    /// The Backup's last phase.
    pub phase: Phase,
    /// How consistent its cuts are.
    pub consistency: Consistency,
}

impl Row {
    /// The longest wait of a member, where all are known.
    pub fn wait(&self) -> Option<Duration> {
        let waits = self.receipt.as_ref()?.members.iter().map(|member| member.waited_ms);
        waits.collect::<Option<Vec<u64>>>()?.into_iter().max().map(Duration::from_millis)
    }

    /// The longest time that a member was held, where all are known.
    pub fn held(&self) -> Option<Duration> {
        let held = self.receipt.as_ref()?.members.iter().map(shared::receipt::MemberReceipt::held_ms);
        held.collect::<Option<Vec<u64>>>()?.into_iter().max().map(Duration::from_millis)
    }

    /// From the first to the last cut.
    pub fn skew(&self) -> Option<Duration> {
        self.receipt.as_ref()?.skew_ms.map(Duration::from_millis)
    }
}

impl OriginalRow {
    /// Plays the original's rules with everything granted to it that can be.
    pub fn play(layout: Layout, group: &Group) -> Self {
        let members = usize::try_from(group.pods).unwrap_or(usize::MAX);
        let outcome: Outcome = play(&Scenario::new(members, layout.of_original(), Reading::Labelled));
        Self {
            wait: Duration::from_secs(outcome.wait_max_s()),
            skew: Duration::from_secs(outcome.skew_s),
            phase: outcome.phase,
            consistency: outcome.consistency,
        }
    }
}

#[cfg(test)]
pub mod tests {
    //! Rows for the tests of what is made of them.

    use super::*;
    use shared::admission::{Admission, Mode};
    use shared::identity::PodName;
    use shared::receipt::{MemberEnd, MemberReceipt};
    use shared::time::WallTime;
    use shared::verdict::{Verdict, VerdictReason};

    /// A row whose receipt and truth agree on `verdict`.
    pub fn row(layout: Layout, group: Group, verdict: Verdict) -> Row {
        let begin = WallTime::from_micros(1_000_000_000_000);
        let member = |index: u32| MemberReceipt {
            pod: PodName::new(format!("{}-{index}", group.workload)).unwrap(),
            volumes: group.volumes_per_pod,
            end: MemberEnd::Done,
            admission: Some(Admission::Released),
            waited_ms: Some(100 + u64::from(index)),
            quiesced_at: Some(begin),
            thawed_at: Some(begin.plus_ms(300)),
            steady_ms: None,
            let_go: None,
            unheld: false,
            failure: None,
            cuts: vec![],
        };
        let receipt = Receipt {
            namespace: group.key().namespace,
            group: group.key().group,
            epoch: None,
            backup: Some(layout.backup_of(&group)),
            mode: Mode::ArriveAndGo,
            degraded: false,
            weight: group.volumes(),
            opened_at: begin,
            closed_at: begin.plus_ms(900),
            members: (0..group.pods).map(member).collect(),
            members_omitted: 0,
            earlier_rounds: None,
            way: None,
            frozen_max: None,
            quiesce_skew_ms: None,
            clock_error_ms: Some(50),
            skew_ms: Some(250),
            verdict,
            why: VerdictReason::QuiescesCoverAllCuts,
        };
        let truth = match verdict {
            Verdict::GroupConsistent => Consistency::GroupConsistent,
            Verdict::MemberConsistent => Consistency::MemberConsistent,
            _ => Consistency::CrashConsistent,
        };
        let original = OriginalRow::play(layout, &group);
        Row { layout, group, phase: Phase::Completed, receipt: Some(receipt), truth, original }
    }

    #[test]
    fn the_worst_member_counts() {
        let row = row(Layout::OrderedBlock, super::super::workloads::GROUPS[2], Verdict::GroupConsistent);
        assert_eq!(row.wait(), Some(Duration::from_millis(102)));
        assert_eq!(row.held(), Some(Duration::from_millis(300)));
        assert_eq!(row.original.wait, Duration::from_mins(10));
    }
}
