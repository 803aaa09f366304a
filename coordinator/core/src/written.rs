//! What follows from an answer to a write of ours: what is known then, and what is told.

use std::collections::BTreeSet;

use shared::admission::{AttemptVerdict, RoundPhase};
use shared::budget_lease::BudgetLease;
use shared::group_lease::GroupLease;
use shared::names::LABEL_SNAPSHOT_GROUP;

use crate::command::{Command, Target};
use crate::earlier::annotation;
use crate::event::{Outcome, Version};
use crate::notice::Notice;
use crate::round::{Lead, Round};
use crate::state::State;
use crate::stored::{Stored, is_older};
use crate::time::Now;

/// A receipt that could not be put onto its Backup this often is given up; the group Lease and the log have it.
const RECEIPT_TRIES_MAX: u32 = 8;

impl State {
    pub(crate) fn end_write(&mut self, target: &Target, outcome: &Outcome, now: Now, notices: &mut Vec<Notice>) {
        let Some(command) = self.writes.end(target, outcome, now.mono) else { return };
        match outcome {
            Outcome::Written(version) => self.written(command, version, now, notices),
            Outcome::Conflict => {
                self.receipts.remove(target); // the Backup is gone
            }
            Outcome::Failed { refused, message } => {
                let (refused, message) = (*refused, message.clone());
                notices.push(Notice::WriteFailed { target: target.clone(), refused, message });
                if self.writes.failures(target) >= RECEIPT_TRIES_MAX && self.receipts.remove(target).is_some() {
                    self.writes.forget(target);
                }
            }
        }
        if let Target::Group(key) = target {
            self.active.insert(key.clone());
        }
    }

    fn written(&mut self, command: Command, version: &Version, now: Now, notices: &mut Vec<Notice>) {
        match command {
            Command::CreateBudget(budget) | Command::UpdateBudget(budget, _) => {
                self.note_grants(&budget, now, notices);
                if !is_older(version, &self.budget) {
                    self.budget = Stored::Present(version.clone(), Some(budget));
                }
            }
            Command::CreateLimiter(lease) | Command::UpdateLimiter(lease, _) => {
                self.limiter_written(version.clone(), lease);
            }
            Command::CreateGroup(lease) | Command::UpdateGroup(lease, _) => {
                self.group_written(lease, version.clone(), notices);
            }
            Command::LabelPod { pod, group, .. } => {
                // The watch will say so too; until then the pod must not be labelled again.
                if let Some(mut known) = self.world.pod(&pod).cloned() {
                    known.set_label(LABEL_SNAPSHOT_GROUP, group.as_str());
                    known.own_label = true;
                    let left = self.world.put_pod(known);
                    self.active.extend(left);
                }
                self.to_label.remove(&pod);
                notices.push(Notice::PodLabelled { pod, group });
            }
            Command::DeleteLease(key, _) => notices.push(Notice::LeaseCollected { lease: key.to_string() }),
            Command::AnnotateBackup { .. } => {
                self.receipts.remove(&command.target());
            }
        }
    }

    pub(crate) fn note_grants(&self, budget: &BudgetLease, now: Now, notices: &mut Vec<Notice>) {
        let before = self.budget.content().map(|b| &b.grants);
        for (group, grant) in &budget.grants {
            if before.is_some_and(|grants| grants.get(group) == Some(grant)) {
                continue;
            }
            let opened = self.groups.get(group).and_then(|record| record.round.as_ref()).map(|round| round.opened_mono);
            let waited_ms = opened.map_or(0, |at| now.mono.ms_since(at));
            notices.push(Notice::Granted { group: group.clone(), epoch: grant.epoch, weight: grant.weight, waited_ms });
        }
    }

    pub(crate) fn group_written(&mut self, lease: GroupLease, version: Version, notices: &mut Vec<Notice>) {
        let record = self.groups.entry(lease.key.clone()).or_default();
        match lease.phase {
            RoundPhase::Waiting => {
                if let Some(round) = record.round.as_mut().filter(|round| round.epoch == Some(lease.epoch)) {
                    round.epoch = None; // it rests; its number is used up
                    round.lead = Lead::Idle;
                }
                notices.extend(lease.wait.clone().map(|wait| Notice::RoundWaits { group: lease.key.clone(), wait }));
            }
            RoundPhase::Calling => {}
            RoundPhase::Released => {
                notices.extend(release_told_by(record.stored.content(), &lease));
            }
            RoundPhase::Closed => {
                // A late answer may find the next round, whose first member came meanwhile: that one goes on.
                let is_this = |round: &mut Round| round.opened_at == lease.opened_at;
                let round = record.round.take_if(is_this);
                if !is_older(&version, &record.stored) {
                    record.stored = Stored::Present(version, Some(lease.clone()));
                }
                // Without a round the watch was faster than this answer, and the end is told already.
                if round.is_some() {
                    self.tell_end(&lease, round, notices);
                }
                return;
            }
        }
        if !is_older(&version, &record.stored) {
            record.stored = Stored::Present(version, Some(lease));
        }
    }

    /// A round was closed: its receipt goes to people and onto its Backup.
    pub(crate) fn tell_end(&mut self, lease: &GroupLease, round: Option<Round>, notices: &mut Vec<Notice>) {
        let Some(receipt) = lease.receipt.as_ref().filter(|_| lease.phase == RoundPhase::Closed) else { return };
        notices.push(Notice::RoundClosed(Box::new(receipt.clone())));
        if let Some(backup) = round.and_then(|round| round.backup) {
            let command = annotation(backup, &lease.key, receipt);
            self.receipts.insert(command.target(), command);
        }
    }
}

/// What a group's Lease releases that it did not before.
pub(crate) fn release_told_by(before: Option<&GroupLease>, lease: &GroupLease) -> Option<Notice> {
    let admitted = |lease: &GroupLease| -> BTreeSet<_> {
        let entries = lease.attempts.iter().filter(|(_, entry)| entry.verdict == AttemptVerdict::Admitted);
        entries.map(|(attempt, _)| attempt.clone()).collect()
    };
    if lease.phase != RoundPhase::Released {
        return None;
    }
    let members = admitted(lease).difference(&before.map(admitted).unwrap_or_default()).count();
    (members > 0).then(|| Notice::Released { group: lease.key.clone(), epoch: lease.epoch, members })
}
