//! The model as a whole: groups of pods, some coordinators, time, and what must hold after every single message.

use std::collections::{BTreeMap, BTreeSet};

use coordinator_core::event::Event;
use coordinator_core::objects::{Claim, ObjectKey, Pod, PodKey};
use coordinator_core::settings::Settings;
use coordinator_core::time::{Mono, Now};
use shared::admission::{Admission, RoundPhase};
use shared::group_lease::Epoch;
use shared::identity::{AttemptId, GroupKey, PodName};
use shared::names::LABEL_SNAPSHOT_GROUP;
use shared::time::WallTime;

use super::api::Api;
use super::coordinator::{Coordinator, settings};
use super::hooks::Hook;

pub struct Model {
    pub api: Api,
    pub coordinators: Vec<Coordinator>,
    pub hooks: Vec<Hook>,
    pub budget: u32,
    pub now_ms: u64,
    /// How far the wall clock was set forth or back, ms; the monotonic clock knows nothing of it.
    pub wall_jump_ms: i64,
    nonce: u64,
    epochs: BTreeMap<GroupKey, Epoch>,
    seen_rounds: BTreeMap<Epoch, GroupKey>,
    told_cut: BTreeSet<AttemptId>,
    tune: fn(&mut Settings),
}

impl Model {
    /// Groups of the given sizes (each pod with one EBS volume) in one namespace, and some coordinators that all believe to lead.
    pub fn new(sizes: &[usize], budget: u32, coordinators: usize, tune: fn(&mut Settings)) -> Self {
        let mut model = Self {
            api: Api::default(),
            coordinators: vec![],
            hooks: vec![],
            budget,
            now_ms: 1_000,
            wall_jump_ms: 0,
            nonce: 0,
            epochs: BTreeMap::new(),
            seen_rounds: BTreeMap::new(),
            told_cut: BTreeSet::new(),
            tune,
        };
        for (g, size) in sizes.iter().enumerate() {
            for i in 0..*size {
                let key =
                    PodKey { namespace: "prod".parse().unwrap(), name: PodName::new(format!("g{g}-{i}")).unwrap() };
                let group: GroupKey = format!("prod/g{g}").parse().unwrap();
                model.api.put_pod(pod(&key, &group, 0));
                let claim = ObjectKey { namespace: key.namespace.clone(), name: format!("data-{}", key.name) };
                model.api.claims.push(Claim::new(claim, Some(&format!("pv-{}", key.name))));
                model.hooks.push(Hook::new(key, group));
            }
        }
        for i in 0..coordinators {
            model.start(i);
        }
        model
    }

    fn start(&mut self, i: usize) {
        let mut set = settings(&format!("coordinator-{i}"), self.budget);
        (self.tune)(&mut set);
        let started = Coordinator::start(set, &self.api, self.now());
        if i < self.coordinators.len() {
            self.coordinators[i] = started;
        } else {
            self.coordinators.push(started);
        }
    }

    /// kill -9 and start again: memory and calls on their way are gone.
    pub fn restart(&mut self, i: usize) {
        if !self.coordinators.is_empty() {
            self.start(i % self.coordinators.len());
        }
    }

    pub fn now(&self) -> Now {
        Now { mono: Mono(self.now_ms), wall: self.wall() }
    }

    pub fn wall(&self) -> WallTime {
        WallTime::from_micros(1_800_000_000_000_000).plus_ms(i64::try_from(self.now_ms).unwrap() + self.wall_jump_ms)
    }

    pub fn arrive(&mut self, i: usize) {
        self.nonce += 1;
        let wall = self.wall();
        self.hooks[i].arrive(&mut self.api, self.nonce, wall);
    }

    pub fn tick(&mut self, ms: u64) {
        self.now_ms += ms;
        let now = self.now();
        for coordinator in &mut self.coordinators {
            coordinator.take(Event::Tick, now);
        }
    }

    /// The pod is deleted and comes back under the same name with another uid.
    pub fn reschedule(&mut self, i: usize) {
        let (key, group) = (self.hooks[i].pod.clone(), self.hooks[i].group.clone());
        self.hooks[i].waiting = None;
        self.hooks[i].went = None;
        self.api.delete_pod(&key);
        self.nonce += 1;
        self.api.put_pod(pod(&key, &group, self.nonce));
    }

    /// Residents in all pods, standing by.
    pub fn with_residents(mut self) -> Self {
        for i in 0..self.hooks.len() {
            self.start_resident(i);
        }
        self
    }

    /// A pod's resident starts, or starts anew.
    pub fn start_resident(&mut self, i: usize) {
        self.nonce += 1;
        let wall = self.wall();
        self.hooks[i].start_resident(&mut self.api, self.nonce, wall);
    }

    /// A pod's resident, or keeper, looks at its group's Lease.
    pub fn hear(&mut self, i: usize) -> bool {
        self.nonce += 1;
        let wall = self.wall();
        self.hooks[i].hear(&mut self.api, self.nonce, wall)
    }

    /// Velero cuts a pod's volume.
    pub fn cut(&mut self, i: usize, backup: &str) {
        let (claim, wall) = (claim_of(&self.hooks[i].pod), self.wall());
        self.api.cut(backup, &claim, wall);
    }

    /// I3: whether all these pods were held still over the whole span of their cuts in a Backup.
    pub fn was_cut_as_one(&self, backup: &str, pods: &[PodName]) -> bool {
        let of = |pod: &&Hook| pods.contains(&pod.pod.name);
        let hooks: Vec<&Hook> = self.hooks.iter().filter(of).collect();
        let cuts = hooks.iter().filter_map(|hook| self.api.cuts.get(&(backup.to_owned(), claim_of(&hook.pod))));
        let times: Vec<WallTime> = cuts.map(|cut| cut.at).collect();
        let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) else { return false };
        let covers = |(from, to): &(WallTime, Option<WallTime>)| from <= first && to.is_none_or(|to| to >= *last);
        times.len() == pods.len() && hooks.iter().all(|hook| hook.holds.iter().any(covers))
    }

    /// Delivers everything that is on its way until nothing is.
    pub fn settle(&mut self) {
        for _ in 0..2_000 {
            let now = self.now();
            let wall = self.wall();
            let mut moved = false;
            for i in 0..self.coordinators.len() {
                moved |= self.coordinators[i].read_one(&self.api, now);
                moved |= self.coordinators[i].call_one(&mut self.api, 0, true, now);
            }
            for hook in &mut self.hooks {
                moved |= hook.look(&mut self.api, wall);
            }
            for i in 0..self.hooks.len() {
                moved |= self.hear(i);
            }
            self.check();
            if !moved {
                return;
            }
        }
        let last = &self.api.log[self.api.log.len().saturating_sub(4)..];
        panic!("the protocol does not come to rest; the last changes: {last:#?}");
    }

    /// What must hold after every single message.
    pub fn check(&mut self) {
        let grants = self.api.budget.as_ref().map(|(_, b)| b.grants.clone()).unwrap_or_default();
        // I1: never more than the budget, unless one group is heavier than all of it and alone.
        let sum: u32 = grants.values().map(|grant| grant.weight).sum();
        let heavy = grants.values().filter(|grant| grant.weight > 0).count() <= 1;
        assert!(sum <= self.budget || heavy, "I1: {sum} of {} volumes granted: {grants:?}", self.budget);
        let released: BTreeSet<&GroupKey> = self
            .api
            .groups
            .iter()
            .filter(|(_, (_, l))| matches!(l.phase, RoundPhase::Released | RoundPhase::Calling))
            .map(|(k, _)| k)
            .collect();
        for key in released {
            let epoch = self.api.groups[key].1.epoch;
            let history = || {
                let told = |event: &Event| match event {
                    Event::Budget(o) => {
                        let b = o.content.as_ref().unwrap();
                        let grant = b.grants.get(key).map(|g| g.epoch.0);
                        Some(format!("budget {} by {}: {grant:?}", o.version.resource, b.writer))
                    }
                    Event::GroupLease(k, o) if k == key => {
                        let l = o.content.as_ref().unwrap();
                        Some(format!("group {} by {}: {} {}", o.version.resource, l.writer, l.phase, l.epoch))
                    }
                    _ => None,
                };
                self.api.log.iter().filter_map(told).collect::<Vec<_>>().join("\n")
            };
            let granted = grants.get(key).map(|g| g.epoch);
            assert_eq!(granted, Some(epoch), "I1: {key} is released without its grant:\n{}", history());
        }
        for (key, (_, lease)) in &self.api.groups {
            // I5: nobody is told that it is cut whose volume was not cut in the round's Backup. (Two Backups of one pod may run here, which Velero's
            // queue does not let happen; several coordinators may then differ about which of them the round belongs to.)
            // The word stays with an attempt that a later round carries along; it counts when it is said.
            for (attempt, entry) in lease.attempts.iter().filter(|(_, entry)| entry.cut) {
                if !self.told_cut.insert(attempt.clone()) {
                    continue;
                }
                let pod = PodKey { namespace: key.namespace.clone(), name: entry.pod.clone() };
                let may_differ = self.coordinators.len() > 1;
                let cut = self.api.cuts.keys().any(|(backup, claim)| {
                    *claim == claim_of(&pod) && (may_differ || lease.backup.as_ref().is_none_or(|of| of == backup))
                });
                assert!(cut, "I5: {pod} is told that it is cut in {:?}", lease.backup);
            }
            // I5: numbers only grow, and each belongs to one group.
            let last = self.epochs.entry(key.clone()).or_default();
            assert!(lease.epoch >= *last, "I5: {key} went from round {last} to {}", lease.epoch);
            *last = lease.epoch;
            if lease.epoch > Epoch(0) {
                let owner = self.seen_rounds.entry(lease.epoch).or_insert_with(|| key.clone());
                assert_eq!(owner, key, "I5: round {} was given to two groups", lease.epoch);
            }
        }
    }

    /// Whether nothing waits, nothing is granted and every round is closed.
    pub fn at_rest(&self) -> Result<(), String> {
        if let Some(hook) = self.hooks.iter().find(|hook| hook.waiting.is_some()) {
            return Err(format!("{} still waits", hook.pod));
        }
        if let Some((key, _)) = self.api.groups.iter().find(|(_, (_, lease))| lease.phase != RoundPhase::Closed) {
            return Err(format!("the round of {key} is still open"));
        }
        match self.api.budget.as_ref().map(|(_, budget)| &budget.grants) {
            Some(grants) if !grants.is_empty() => Err(format!("still granted: {grants:?}")),
            _ => Ok(()),
        }
    }

    pub fn admissions(&self) -> Vec<Option<Admission>> {
        self.hooks.iter().map(|hook| hook.went).collect()
    }
}

fn claim_of(pod: &PodKey) -> ObjectKey {
    ObjectKey { namespace: pod.namespace.clone(), name: format!("data-{}", pod.name) }
}

fn pod(key: &PodKey, group: &GroupKey, incarnation: u64) -> Pod {
    let mut pod = Pod::new(key.clone(), format!("{}-{incarnation}", key.name).as_str().into());
    pod.set_label(LABEL_SNAPSHOT_GROUP, group.group.as_str());
    pod.set_claims(vec![format!("data-{}", key.name)]);
    pod
}
