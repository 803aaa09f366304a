//! All that the coordinator knows, and how each event changes it. Nothing is decided here.

use std::collections::{BTreeMap, BTreeSet};

use shared::admission::{AttemptVerdict, RoundPhase};
use shared::budget_lease::BudgetLease;
use shared::group_lease::{Epoch, GroupLease};
use shared::identity::GroupKey;
use shared::names::LABEL_SNAPSHOT_GROUP;

use crate::command::{Command, Target};
use crate::coverage::selects;
use crate::earlier::annotation;
use crate::event::{Event, Observed, Outcome, Version};
use crate::grouping::{group_of, label_for};
use crate::inventory::facts::Facts;
use crate::limit::Limit;
use crate::notice::Notice;
use crate::objects::{ObjectKey, Pod, PodKey};
use crate::passed_by::FollowedBackups;
use crate::retry::Writes;
use crate::round::{Lead, Round, has_share};
use crate::settings::Settings;
use crate::standing::Member;
use crate::stored::{Stored, is_older, stored};
use crate::time::{Mono, Now};
use crate::world::World;

/// What is known of one group.
#[derive(Clone, Debug, Default)]
pub(crate) struct GroupRecord {
    pub(crate) stored: Stored<GroupLease>,
    pub(crate) round: Option<Round>,
    /// When its wait reason was last written.
    pub(crate) wait_written: Mono,
    /// Since when no pod is in it.
    pub(crate) empty_since: Option<Mono>,
    /// The annotations that were complained about, and what stood there.
    pub(crate) complaints: BTreeMap<&'static str, String>,
    /// What is wrong with its Lease, as long as no workload was told: nobody led, or its pods are not known yet.
    pub(crate) untold: Option<String>,
}

/// All that the coordinator knows.
#[derive(Clone, Debug)]
pub struct State {
    pub(crate) settings: Settings,
    pub(crate) synced_at: Option<Mono>,
    pub(crate) leading: bool,
    pub(crate) world: World,
    pub(crate) members: BTreeMap<ObjectKey, Member>,
    pub(crate) members_of: BTreeMap<GroupKey, BTreeSet<ObjectKey>>,
    pub(crate) groups: BTreeMap<GroupKey, GroupRecord>,
    /// Groups that may need a decision: a round is open, or something about them changed.
    pub(crate) active: BTreeSet<GroupKey>,
    pub(crate) budget: Stored<BudgetLease>,
    pub(crate) limit: Limit,
    pub(crate) to_label: BTreeSet<PodKey>,
    pub(crate) receipts: BTreeMap<Target, Command>,
    /// Backups that were seen before their end.
    pub(crate) followed: FollowedBackups,
    pub(crate) writes: Writes,
    pub(crate) collected_at: Mono,
    /// Grows whenever what there is to back up may have changed.
    pub(crate) inventory_changes: u64,
}

impl State {
    /// Nothing is known yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            limit: Limit::new(&settings),
            settings,
            synced_at: None,
            leading: false,
            world: World::default(),
            members: BTreeMap::new(),
            members_of: BTreeMap::new(),
            groups: BTreeMap::new(),
            active: BTreeSet::new(),
            budget: Stored::Absent,
            to_label: BTreeSet::new(),
            receipts: BTreeMap::new(),
            followed: FollowedBackups::new(),
            writes: Writes::default(),
            collected_at: Mono::default(),
            inventory_changes: 0,
        }
    }

    /// What the operator set.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes what may change while running: Velero's workers, and what can be seen, are found out, not set.
    pub fn learn(&mut self, item_block_workers: Option<u32>, cuts_visible: bool, backups_visible: bool) {
        self.settings.item_block_workers = item_block_workers;
        self.settings.cuts_visible = cuts_visible;
        self.settings.backups_visible = backups_visible;
        self.limit.signals.contents.set_visible(cuts_visible);
    }

    /// A number that grows whenever what there is to back up may have changed: pods but for their status, claims, volumes, StatefulSets.
    pub const fn inventory_changes(&self) -> u64 {
        self.inventory_changes
    }

    /// What there is to back up, as it is now, for a plan: without Schedules and Backups, which a planner looks at itself.
    pub fn facts(&self) -> Facts {
        self.world.facts()
    }

    fn changes_inventory(&self, event: &Event) -> bool {
        match event {
            // Most of a pod's changes are of its status.
            Event::Pod(pod) => self.world.any_pod(&pod.key).is_none_or(|known| !known.plans_like(pod)),
            Event::PodGone(_)
            | Event::PodsVanished(_)
            | Event::Claim(_)
            | Event::ClaimGone(_)
            | Event::ClaimsVanished(_)
            | Event::Volume(_)
            | Event::VolumeGone(_)
            | Event::VolumesVanished(_)
            | Event::StatefulSet(_)
            | Event::StatefulSetGone(_) => true,
            _ => false,
        }
    }

    /// Takes one event in.
    pub(crate) fn apply(&mut self, event: Event, now: Now, notices: &mut Vec<Notice>) {
        self.inventory_changes += u64::from(self.changes_inventory(&event));
        match event {
            Event::Synced => {
                self.synced_at = Some(self.synced_at.unwrap_or(now.mono));
                self.world.pack();
                self.find_left_receipts();
            }
            Event::Leading(leading) => {
                let begins = leading && !self.leading;
                self.leading = leading;
                if begins {
                    self.find_left_receipts();
                }
            }
            Event::Pod(pod) => self.put_pod(pod),
            Event::PodGone(key) => {
                self.note_pod_gone(&key);
                self.active.extend(self.world.remove_pod(&key));
                self.to_label.remove(&key);
                self.writes.forget(&Target::Pod(key));
            }
            Event::Claim(claim) => {
                let key = claim.key.clone();
                self.world.put_claim(claim);
                self.reconsider_users(&key);
            }
            Event::ClaimGone(key) => {
                self.world.remove_claim(&key);
                self.reconsider_users(&key);
            }
            Event::Volume(volume) => {
                let claim = volume.claim.clone();
                self.world.put_volume(volume);
                if let Some(claim) = claim {
                    self.reconsider_users(&claim);
                }
            }
            Event::VolumeGone(name) => self.world.remove_volume(&name),
            vanished @ (Event::PodsVanished(_) | Event::ClaimsVanished(_) | Event::VolumesVanished(_)) => {
                self.vanish(vanished, now, notices);
            }
            Event::StatefulSet(set) => self.world.put_stateful_set(set),
            Event::StatefulSetGone(key) => self.world.remove_stateful_set(&key),
            Event::Backup(backup) => {
                self.note_backup(&backup);
                self.world.put_backup(backup);
            }
            Event::BackupGone(key) => self.world.remove_backup(&key),
            Event::CutAsked(asked) => self.world.put_asked_cut(asked),
            Event::Cut(cut) => self.world.put_cut(cut),
            Event::MemberLease(key, observed) => self.put_member(key, observed, now, notices),
            Event::MemberLeaseGone(key) => self.remove_member(&key),
            Event::GroupLease(key, observed) => self.put_group(key, observed, notices),
            Event::GroupLeaseGone(key) => {
                if let Some(record) = self.groups.get_mut(&key) {
                    record.stored = Stored::Absent;
                    record.untold = None;
                }
                self.active.insert(key);
            }
            Event::Budget(observed) => {
                if !is_older(&observed.version, &self.budget) {
                    // The watch may be faster than the answer to our own write; whichever comes first tells.
                    if let Ok(budget) = &observed.content
                        && self.synced_at.is_some()
                        && budget.writer == self.settings.identity
                    {
                        self.note_grants(budget, now, notices);
                    }
                    self.budget = stored(observed, None, notices);
                    self.active
                        .extend(self.budget.content().into_iter().flat_map(|budget| budget.grants.keys().cloned()));
                }
            }
            Event::BudgetGone => self.budget = Stored::Absent,
            Event::Limiter(observed) => self.put_limiter(observed, now, notices),
            Event::LimiterGone => self.limit.stored = Stored::Absent,
            Event::Signal(signal) => self.limit.signals.hear(signal, now.mono),
            Event::Outcome(target, outcome) => self.end_write(&target, &outcome, now, notices),
            Event::Tick => {}
        }
    }

    fn put_pod(&mut self, pod: Pod) {
        let key = pod.key.clone();
        if selects(&self.settings.pod_selector, |label| pod.label(label)) {
            let joined = group_of(&pod);
            let left = self.world.put_pod(pod);
            self.active.extend(joined.into_iter().chain(left));
        } else {
            self.note_pod_gone(&key);
            self.active.extend(self.world.put_outside(pod));
        }
        self.reconsider_label(&key);
    }

    /// What a new list lacks is gone, by the hashes of its names.
    fn vanish(&mut self, vanished: Event, now: Now, notices: &mut Vec<Notice>) {
        let gone: Vec<Event> = match vanished {
            Event::PodsVanished(names) => self.world.pods_printed(&names).into_iter().map(Event::PodGone).collect(),
            Event::ClaimsVanished(names) => {
                self.world.claims_printed(&names).into_iter().map(Event::ClaimGone).collect()
            }
            Event::VolumesVanished(names) => {
                self.world.volumes_printed(&names).into_iter().map(Event::VolumeGone).collect()
            }
            _ => Vec::new(),
        };
        for event in gone {
            self.apply(event, now, notices);
        }
    }

    /// Its Leases may outlive it for a while, or be written by whoever comes under its name.
    fn note_pod_gone(&mut self, key: &PodKey) {
        let Some(pod) = self.world.pod(key) else { return };
        let leases = group_of(pod).and_then(|group| self.members_of.get(&group)).into_iter().flatten();
        for lease in leases {
            if let Some(member) = self.members.get_mut(lease)
                && member.lease.pod == key.name
                && pod.uid == member.lease.attempt.pod_uid
            {
                member.pod_went = true;
            }
        }
    }

    fn put_member(
        &mut self,
        key: ObjectKey,
        observed: Observed<shared::member_lease::MemberLease>,
        now: Now,
        notices: &mut Vec<Notice>,
    ) {
        match observed.content {
            Ok(lease) => {
                if self.members.get(&key).is_some_and(|known| known.version == observed.version) {
                    return; // a relist says again what is known: no sign of life
                }
                let group = GroupKey { namespace: lease.namespace.clone(), group: lease.group.clone() };
                if self.members.get(&key).is_none_or(|known| known.lease.attempt != lease.attempt) {
                    self.note_arrival(&group);
                }
                let same = |known: &&Member| known.lease.attempt == lease.attempt;
                let pod_went = self.members.get(&key).filter(same).is_some_and(|known| known.pod_went);
                self.remove_member(&key);
                self.members_of.entry(group.clone()).or_default().insert(key.clone());
                self.active.insert(group);
                self.members.insert(key, Member { version: observed.version, lease, changed_at: now.mono, pod_went });
            }
            Err(error) => {
                self.remove_member(&key);
                notices.push(Notice::LeaseInvalid { group: None, message: error.to_string() });
            }
        }
    }

    fn remove_member(&mut self, key: &ObjectKey) {
        let Some(member) = self.members.remove(key) else { return };
        let group = GroupKey { namespace: member.lease.namespace, group: member.lease.group };
        if let Some(leases) = self.members_of.get_mut(&group) {
            leases.remove(key);
            if leases.is_empty() {
                self.members_of.remove(&group);
            }
        }
        self.active.insert(group);
        self.writes.forget(&Target::StaleLease(key.clone()));
    }

    pub(crate) fn put_group(&mut self, key: GroupKey, observed: Observed<GroupLease>, notices: &mut Vec<Notice>) {
        let rests = observed.content.as_ref().is_ok_and(|lease| self.rest_under_way(&key, lease.epoch));
        let record = self.groups.entry(key.clone()).or_default();
        let is_known = matches!(&record.stored, Stored::Present(known, Some(_)) if *known == observed.version);
        // What is known already ends no round again: the next one may have begun since.
        if is_known || is_older(&observed.version, &record.stored) {
            return;
        }
        if let Ok(lease) = &observed.content
            && self.synced_at.is_some()
            && lease.writer == self.settings.identity
        {
            notices.extend(release_told_by(record.stored.content(), lease));
        }
        record.untold = observed.content.as_ref().err().map(ToString::to_string);
        if self.leading && self.world.pods_of(&key).next().is_some() {
            record.untold = None; // the notice that follows is heard
        }
        record.stored = stored(observed, Some(&key), notices);
        // What stands there counts, whoever wrote it: another coordinator, or this one by a call whose answer was lost. A round
        // that asks and has no grant yet is simply opened again by whoever still waits and was not meant.
        if let (Some(round), Some(lease)) = (&mut record.round, record.stored.content()) {
            let ended = round.epoch.map_or(lease.phase == RoundPhase::Closed, |epoch| !may_run(lease, epoch));
            if ended {
                let lease = lease.clone();
                let round = record.round.take();
                if lease.writer == self.settings.identity {
                    self.tell_end(&lease, round, notices);
                }
            } else if lease.phase != RoundPhase::Closed && !(rests && has_share(lease.phase)) {
                let named = |name: &String| self.world.backups().find(|b| b.key.name == *name).map(|b| b.key.clone());
                round.merge(lease, lease.backup.as_ref().and_then(named));
            }
        }
        self.active.insert(key);
    }

    fn end_write(&mut self, target: &Target, outcome: &Outcome, now: Now, notices: &mut Vec<Notice>) {
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

    fn note_grants(&self, budget: &BudgetLease, now: Now, notices: &mut Vec<Notice>) {
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
    fn tell_end(&mut self, lease: &GroupLease, round: Option<Round>, notices: &mut Vec<Notice>) {
        let Some(receipt) = lease.receipt.as_ref().filter(|_| lease.phase == RoundPhase::Closed) else { return };
        notices.push(Notice::RoundClosed(Box::new(receipt.clone())));
        if let Some(backup) = round.and_then(|round| round.backup) {
            let command = annotation(backup, &lease.key, receipt);
            self.receipts.insert(command.target(), command);
        }
    }

    fn reconsider_users(&mut self, claim: &ObjectKey) {
        let users: Vec<PodKey> = self.world.pods_using_claim(claim).map(|pod| pod.key.clone()).collect();
        for pod in users {
            self.reconsider_label(&pod);
        }
    }

    fn reconsider_label(&mut self, key: &PodKey) {
        let wanted = self.world.pod(key).and_then(|pod| label_for(pod, !self.world.ebs_claims(pod).is_empty()));
        if wanted.is_some() {
            self.to_label.insert(key.clone());
        } else {
            self.to_label.remove(key);
        }
    }
}

/// A receipt that could not be put onto its Backup this often is given up; the group Lease and the log have it.
const RECEIPT_TRIES_MAX: u32 = 8;

/// What a group's Lease releases that it did not before.
fn release_told_by(before: Option<&GroupLease>, lease: &GroupLease) -> Option<Notice> {
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

/// Whether a round of this number may still run, as the group's Lease stands: it was not reached yet, or is called or released under it.
pub(crate) fn may_run(lease: &GroupLease, epoch: Epoch) -> bool {
    epoch > lease.epoch || (epoch == lease.epoch && has_share(lease.phase))
}
