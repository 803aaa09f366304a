//! Receipts that a coordinator left in a group's Lease and had no time to put onto their Backup: whoever leads next does it.

use std::collections::BTreeMap;

use shared::admission::RoundPhase;
use shared::names::receipt_annotation;

use crate::earlier::annotation;
use crate::objects::ObjectKey;
use crate::state::State;

impl State {
    /// Looks for them once, when this coordinator leads and has seen everything. A Backup that has a receipt of the group keeps it.
    pub(crate) fn find_left_receipts(&mut self) {
        if self.synced_at.is_none() || !self.leading {
            return;
        }
        let backups: BTreeMap<&str, (&ObjectKey, &_)> =
            self.world.backups().map(|backup| (backup.key.name.as_str(), (&backup.key, &backup.receipts))).collect();
        let mut left = Vec::new();
        for (group, record) in &self.groups {
            let Some(lease) = record.stored.content().filter(|lease| lease.phase == RoundPhase::Closed) else {
                continue;
            };
            let Some(receipt) = &lease.receipt else { continue };
            let Some((backup, has)) = receipt.backup.as_deref().and_then(|name| backups.get(name)) else { continue };
            if !has.contains(&receipt_annotation(group)) {
                left.push(annotation((*backup).clone(), group, receipt));
            }
        }
        for command in left {
            self.receipts.entry(command.target()).or_insert(command);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use crate::event::{Event, Observed, Version};
    use crate::fixtures::{backup, group, key, settings};
    use crate::objects::{Backup, BackupPhase};
    use crate::round::Round;
    use crate::step::step;
    use crate::time::{Mono, Now};
    use shared::admission::Mode;
    use shared::group_lease::{Epoch, GroupLease};
    use shared::receipt::{EarlierRounds, Receipt};
    use shared::time::WallTime;
    use shared::verdict::{Verdict, VerdictReason};

    const NOW: Now = Now { mono: Mono(0), wall: WallTime::EPOCH };

    fn closed(phase: RoundPhase) -> GroupLease {
        let key = group("prod", "db");
        let receipt = Receipt {
            namespace: key.namespace.clone(),
            group: key.group.clone(),
            epoch: Some(Epoch(7)),
            backup: Some("nightly".to_owned()),
            mode: Mode::ArriveAndGo,
            degraded: false,
            weight: 1,
            opened_at: WallTime::EPOCH,
            closed_at: WallTime::EPOCH,
            members: vec![],
            members_omitted: 0,
            way: None,
            frozen_max: None,
            quiesce_skew_ms: None,
            clock_error_ms: Some(50),
            skew_ms: None,
            verdict: Verdict::Unknown,
            why: VerdictReason::QuiescesCoverAllCuts,
            earlier_rounds: None,
        };
        GroupLease {
            key,
            epoch: Epoch(7),
            phase,
            mode: Mode::ArriveAndGo,
            degraded: false,
            call: None,
            attempts: BTreeMap::new(),
            weight: 1,
            wait: None,
            backup: Some("nightly".to_owned()),
            writer: "the-one-that-was-killed".to_owned(),
            opened_at: WallTime::EPOCH,
            renewed_at: WallTime::EPOCH,
            round_duration_s: 600,
            receipt: Some(receipt),
        }
    }

    /// The answer to a close, or its watch event, may come after the next round's first member.
    #[test]
    fn late_news_of_a_close_leave_the_next_round_alone() {
        let (lease, version) = (closed(RoundPhase::Closed), Version { uid: "u".to_owned(), resource: "7".to_owned() });
        let later = Now { mono: Mono(50), wall: WallTime::EPOCH.plus_ms(50) };
        let mut state = State::new(settings());
        let record = state.groups.entry(lease.key.clone()).or_default();
        record.round = Some(Round::open(Mode::ArriveAndGo, Some(key("velero", "second")), BTreeMap::new(), later));
        let mut notices = Vec::new();
        state.group_written(lease.clone(), version.clone(), &mut notices);
        state.put_group(lease.key.clone(), Observed { version, content: Ok(lease.clone()) }, &mut notices);
        assert!(notices.is_empty() && state.receipts.is_empty(), "{notices:?}");
        assert!(state.groups[&lease.key].round.is_some());
    }

    /// How many receipts are put onto Backups when `events` have come.
    #[track_caller]
    fn check(phase: RoundPhase, backup: Option<Backup>, last: &[Event], expected: usize) {
        let commands = commands(closed(phase), backup, last);
        let receipts = commands.iter().filter(|command| matches!(command, Command::AnnotateBackup { .. })).count();
        assert_eq!(receipts, expected, "{commands:?}");
    }

    fn commands(lease: GroupLease, backup: Option<Backup>, last: &[Event]) -> Vec<Command> {
        let mut state = State::new(settings());
        let version = Version { uid: "u".to_owned(), resource: "1".to_owned() };
        let observed = Observed { version, content: Ok(lease.clone()) };
        step(&mut state, Event::GroupLease(lease.key, observed), NOW);
        if let Some(backup) = backup {
            step(&mut state, Event::Backup(backup), NOW);
        }
        last.iter().flat_map(|event| step(&mut state, event.clone(), NOW).commands).collect()
    }

    #[test]
    fn it_is_no_better_there_than_the_earlier_rounds() {
        let mut lease = closed(RoundPhase::Closed);
        let earlier = EarlierRounds { count: 1, worst: Verdict::Failed, why: VerdictReason::NothingHappened };
        lease.receipt.as_mut().unwrap().earlier_rounds = Some(Box::new(earlier));
        let nightly = backup("nightly", BackupPhase::CutsOver, &["prod"]);
        let commands = commands(lease, Some(nightly), &[Event::Synced, Event::Leading(true)]);
        let receipt = commands.into_iter().find_map(|command| match command {
            Command::AnnotateBackup { receipt, .. } => Some(receipt),
            _ => None,
        });
        let receipt = receipt.expect("a receipt");
        assert_eq!((receipt.verdict, receipt.why), (Verdict::Failed, VerdictReason::NothingHappened));
    }

    #[test]
    fn whoever_leads_next_puts_a_receipt_where_it_belongs() {
        let nightly = || Some(backup("nightly", BackupPhase::CutsOver, &["prod"]));
        let annotated = || {
            let receipts = [receipt_annotation(&group("prod", "db"))].into();
            nightly().map(|backup| Backup { receipts, ..backup })
        };
        let leads = [Event::Synced, Event::Leading(true), Event::Tick];
        check(RoundPhase::Closed, nightly(), &leads, 1);
        check(RoundPhase::Closed, nightly(), &[Event::Leading(true), Event::Synced], 1);
        check(RoundPhase::Closed, nightly(), &[Event::Synced, Event::Leading(false)], 0);
        check(RoundPhase::Closed, annotated(), &leads, 0);
        check(RoundPhase::Closed, None, &leads, 0);
        check(RoundPhase::Waiting, nightly(), &leads, 0);
    }
}
