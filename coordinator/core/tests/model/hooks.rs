//! The model's hooks: what an agent writes and when it goes, by DESIGN's rules, without the agent's code.

use coordinator_core::objects::PodKey;
use shared::admission::{Admission, AttemptVerdict, MemberPhase};
use shared::deadline::{MEMBER_LEASE_S, QUIESCED_LEASE_S};
use shared::identity::{AttemptId, GroupKey, Nonce};
use shared::member_lease::MemberLease;
use shared::names::LABEL_SNAPSHOT_GROUP;
use shared::time::WallTime;

use super::api::{Api, member_key};

/// One pod's hooks.
pub struct Hook {
    pub pod: PodKey,
    pub group: GroupKey,
    /// Its pre hook, while it runs.
    pub waiting: Option<AttemptId>,
    /// How its last pre hook got past the gate.
    pub went: Option<Admission>,
}

impl Hook {
    pub fn new(pod: PodKey, group: GroupKey) -> Self {
        Self { pod, group, waiting: None, went: None }
    }

    /// Velero starts the pre hook.
    pub fn arrive(&mut self, api: &mut Api, nonce: u64, wall: WallTime) {
        let Some(pod) = api.pods.get(&self.pod) else { return };
        if !pod.labels.contains_key(LABEL_SNAPSHOT_GROUP) {
            return;
        }
        let attempt = AttemptId { pod_uid: pod.uid.clone(), nonce: Nonce::from_bits(nonce) };
        self.waiting = Some(attempt.clone());
        self.went = None;
        api.write_member(&MemberLease {
            namespace: self.pod.namespace.clone(),
            pod: self.pod.name.clone(),
            group: self.group.group.clone(),
            attempt,
            phase: MemberPhase::Waiting,
            registered_at: wall,
            renewed_at: wall,
            lease_duration_s: MEMBER_LEASE_S,
            deadline: wall.plus_ms(585_000),
            admission: None,
            epoch: None,
            quiesced_at: None,
            thawed_at: None,
            quiesce: shared::quiesce::QuiesceKinds::default(),
            let_go: None,
            failure: None,
            agent_version: "model".into(),
        });
    }

    /// It looks at its group's Lease: goes if it is admitted, gives up if it is ended.
    pub fn look(&mut self, api: &mut Api, wall: WallTime) -> bool {
        let Some(attempt) = &self.waiting else { return false };
        let word = api.groups.get(&self.group).and_then(|(_, lease)| Some((lease.verdict(attempt)?, lease.epoch)));
        match word {
            Some((AttemptVerdict::Admitted, epoch)) => self.go(api, Admission::Released, Some(epoch), wall),
            Some((AttemptVerdict::Ended | AttemptVerdict::Superseded, _)) => self.waiting = None,
            Some((AttemptVerdict::Waiting, _)) | None => return false,
        }
        true
    }

    /// Its deadline is over: it goes by itself.
    pub fn deadline(&mut self, api: &mut Api, wall: WallTime) {
        if self.waiting.is_some() {
            self.go(api, Admission::OverBudget, None, wall);
        }
    }

    fn go(&mut self, api: &mut Api, admission: Admission, epoch: Option<shared::group_lease::Epoch>, wall: WallTime) {
        let attempt = self.waiting.take().expect("only a waiting hook goes");
        self.went = Some(admission);
        self.change(api, |lease| {
            if lease.attempt == attempt && lease.phase == MemberPhase::Waiting {
                lease.phase = MemberPhase::Quiesced;
                lease.admission = Some(admission);
                lease.epoch = epoch;
                lease.quiesced_at = Some(wall);
                lease.lease_duration_s = QUIESCED_LEASE_S;
                lease.renewed_at = wall;
            }
        });
    }

    /// Velero starts the post hook.
    pub fn post(&mut self, api: &mut Api, wall: WallTime) {
        self.change(api, |lease| {
            lease.phase = MemberPhase::Done;
            lease.thawed_at = Some(wall);
            lease.renewed_at = wall;
        });
        self.waiting = None;
    }

    /// A waiting hook's heartbeat.
    pub fn renew(&mut self, api: &mut Api, wall: WallTime) {
        if self.waiting.is_some() {
            self.change(api, |lease| lease.renewed_at = wall);
        }
    }

    fn change(&self, api: &mut Api, change: impl FnOnce(&mut MemberLease)) {
        let key = member_key(&self.pod.namespace, self.pod.name.as_str());
        if let Some((_, lease)) = api.members.get(&key) {
            let mut lease = lease.clone();
            change(&mut lease);
            api.write_member(&lease);
        }
    }
}
