//! The model's API server: Leases with compare-and-swap, and a log of changes that each watcher reads at its own pace.

use std::collections::BTreeMap;

use coordinator_core::event::{Event, Observed, Outcome, Version};
use coordinator_core::objects::{AskedCut, Backup, BackupPhase, Claim, Cut, ObjectKey, Pod, PodKey, Volume};
use coordinator_core::on_backup::{Placing, place};
use shared::budget_lease::BudgetLease;
use shared::group_lease::GroupLease;
use shared::identity::{GroupKey, Namespace};
use shared::limiter_lease::LimiterLease;
use shared::member_lease::MemberLease;
use shared::names::receipt_annotation;
use shared::receipt::Receipt;
use shared::time::WallTime;

pub type Stored<T> = (Version, T);

#[derive(Default)]
pub struct Api {
    revision: u64,
    pub budget: Option<Stored<BudgetLease>>,
    pub limiter: Option<Stored<LimiterLease>>,
    pub groups: BTreeMap<GroupKey, Stored<GroupLease>>,
    pub members: BTreeMap<ObjectKey, Stored<MemberLease>>,
    pub pods: BTreeMap<PodKey, Pod>,
    pub backups: BTreeMap<ObjectKey, Backup>,
    pub claims: Vec<Claim>,
    /// When each claim was cut, by Backup and claim.
    pub cuts: BTreeMap<(String, ObjectKey), Cut>,
    /// The receipt that stands on a Backup, by Backup and group.
    pub receipts: BTreeMap<(ObjectKey, GroupKey), Receipt>,
    /// Every change, oldest first.
    pub log: Vec<Event>,
}

pub fn seen<T: Clone>((version, content): &Stored<T>) -> Observed<T> {
    Observed { version: version.clone(), content: Ok(content.clone()) }
}

impl Api {
    fn next(&mut self, uid: &str) -> Version {
        self.revision += 1;
        Version { resource: self.revision.to_string(), uid: uid.to_owned() }
    }

    /// Creates (`expected` is `None`) or replaces the budget Lease.
    pub fn write_budget(&mut self, content: &BudgetLease, expected: Option<&Version>) -> Outcome {
        if self.budget.as_ref().map(|(version, _)| version) != expected {
            return Outcome::Conflict;
        }
        // What goes over the wire is what counts.
        let content = BudgetLease::decode(&content.encode()).expect("a coordinator writes readable Leases");
        let version = self.next("budget");
        self.budget = Some((version.clone(), content));
        self.log.push(Event::Budget(seen(self.budget.as_ref().unwrap())));
        Outcome::Written(version)
    }

    /// Creates or replaces the limiter Lease.
    pub fn write_limiter(&mut self, content: &LimiterLease, expected: Option<&Version>) -> Outcome {
        if self.limiter.as_ref().map(|(version, _)| version) != expected {
            return Outcome::Conflict;
        }
        let content = LimiterLease::decode(&content.encode()).expect("a coordinator writes readable Leases");
        let version = self.next("limiter");
        self.limiter = Some((version.clone(), content));
        self.log.push(Event::Limiter(seen(self.limiter.as_ref().unwrap())));
        Outcome::Written(version)
    }

    /// Creates or replaces a group's Lease.
    pub fn write_group(&mut self, content: &GroupLease, expected: Option<&Version>) -> Outcome {
        let key = content.key.clone();
        if self.groups.get(&key).map(|(version, _)| version) != expected {
            return Outcome::Conflict;
        }
        let content = GroupLease::decode(&content.encode()).expect("a coordinator writes readable Leases");
        let version = self.next("group");
        self.groups.insert(key.clone(), (version.clone(), content));
        self.log.push(Event::GroupLease(key.clone(), seen(&self.groups[&key])));
        Outcome::Written(version)
    }

    /// A hook writes its own Lease.
    pub fn write_member(&mut self, lease: &MemberLease) {
        let content = MemberLease::decode(&lease.encode().unwrap()).unwrap();
        let key = member_key(&content.namespace, content.pod.as_str());
        let version = self.next("member");
        self.members.insert(key.clone(), (version, content));
        self.log.push(Event::MemberLease(key.clone(), seen(&self.members[&key])));
    }

    pub fn put_pod(&mut self, pod: Pod) {
        self.log.push(Event::Pod(pod.clone()));
        self.pods.insert(pod.key.clone(), pod);
    }

    /// The pod goes, and the Lease that it owns with it.
    pub fn delete_pod(&mut self, key: &PodKey) {
        if self.pods.remove(key).is_some() {
            self.log.push(Event::PodGone(key.clone()));
            let lease = member_key(&key.namespace, key.name.as_str());
            if self.members.remove(&lease).is_some() {
                self.log.push(Event::MemberLeaseGone(lease));
            }
        }
    }

    /// Puts a receipt onto a Backup, in the place of the one that stands there.
    pub fn annotate(&mut self, backup: &ObjectKey, group: &GroupKey, receipt: &Receipt) -> Outcome {
        if !self.backups.contains_key(backup) {
            return Outcome::Conflict;
        }
        let there = self.receipts.get(&(backup.clone(), group.clone())).map(Receipt::to_bounded_json);
        let key = receipt_annotation(group);
        let annotations = there.map(|text| (key.clone(), text)).into_iter().collect();
        match place(&annotations, &key, receipt) {
            Placing::Write(json) => {
                let receipt = serde_json::from_str(&json).expect("a coordinator writes readable receipts");
                self.receipts.insert((backup.clone(), group.clone()), receipt);
            }
            Placing::NewerIsThere => {}
            Placing::NoRoom => unreachable!("nobody else writes annotations"),
        }
        Outcome::Written(self.next(&backup.name))
    }

    pub fn put_backup(&mut self, backup: Backup) {
        self.log.push(Event::Backup(backup.clone()));
        self.backups.insert(backup.key.clone(), backup);
    }

    /// Velero cuts a claim in a Backup that runs, once.
    pub fn cut(&mut self, backup: &str, claim: &ObjectKey, at: WallTime) {
        let runs = self.backups.values().any(|b| b.key.name == backup && b.phase == BackupPhase::InProgress);
        let key = (backup.to_owned(), claim.clone());
        if !runs || self.cuts.contains_key(&key) {
            return;
        }
        let (snapshot, of) = (format!("{backup}-{}", claim.name), Some(backup.to_owned()));
        let asked = AskedCut { claim: claim.clone(), snapshot: snapshot.clone(), backup: of.clone() };
        let cut = Cut { claim: claim.clone(), snapshot, backup: of, at, resolution_ms: 0 };
        self.log.extend([Event::CutAsked(asked), Event::Cut(cut.clone())]);
        self.cuts.insert(key, cut);
    }

    pub fn delete_group(&mut self, key: &GroupKey) {
        if self.groups.remove(key).is_some() {
            self.log.push(Event::GroupLeaseGone(key.clone()));
        }
    }

    /// All that stands there, as a first list.
    pub fn list(&self) -> Vec<Event> {
        let volume = |claim: &Claim| {
            let name = claim.volume.clone().unwrap();
            Event::Volume(Volume { name, ebs: true, ebs_id: None, claim: Some(claim.key.clone()) })
        };
        let mut events: Vec<Event> = self.claims.iter().map(volume).collect();
        events.extend(self.claims.iter().cloned().map(Event::Claim));
        events.extend(self.pods.values().cloned().map(Event::Pod));
        events.extend(self.backups.values().cloned().map(Event::Backup));
        events.extend(self.cuts.values().cloned().map(Event::Cut));
        events.extend(self.members.iter().map(|(key, stored)| Event::MemberLease(key.clone(), seen(stored))));
        events.extend(self.groups.iter().map(|(key, stored)| Event::GroupLease(key.clone(), seen(stored))));
        events.push(self.limiter.as_ref().map_or(Event::LimiterGone, |stored| Event::Limiter(seen(stored))));
        events.push(self.budget.as_ref().map_or(Event::BudgetGone, |stored| Event::Budget(seen(stored))));
        events
    }
}

pub fn member_key(namespace: &Namespace, pod: &str) -> ObjectKey {
    ObjectKey { namespace: namespace.clone(), name: format!("snapshot-member-{pod}") }
}
