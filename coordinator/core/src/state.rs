//! All that the coordinator knows, and how each event changes it. Nothing is decided here.

use std::collections::{BTreeMap, BTreeSet};

use shared::admission::RoundPhase;
use shared::budget_lease::BudgetLease;
use shared::group_lease::{Epoch, GroupLease};
use shared::identity::GroupKey;

use crate::command::{Command, Target};
use crate::coverage::selects;
use crate::event::{Event, Observed};
use crate::grouping::{group_of, label_for};
use crate::inventory::facts::Facts;
use crate::limit::Limit;
use crate::notice::Notice;
use crate::objects::{ObjectKey, Pod, PodKey};
use crate::passed_by::FollowedBackups;
use crate::retry::Writes;
use crate::round::{Round, has_share};
use crate::settings::Settings;
use crate::standing::Member;
use crate::stored::{Stored, is_older, stored};
use crate::time::{Mono, Now};
use crate::world::World;
use crate::written::release_told_by;

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

/// Whether a round of this number may still run, as the group's Lease stands: it was not reached yet, or is called or released under it.
pub(crate) fn may_run(lease: &GroupLease, epoch: Epoch) -> bool {
    epoch > lease.epoch || (epoch == lease.epoch && has_share(lease.phase))
}
