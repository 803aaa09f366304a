//! The model's hooks: what an agent writes and when it goes, by DESIGN's rules, without the agent's code.

use coordinator_core::objects::PodKey;
use shared::admission::{Admission, AttemptVerdict, MemberPhase, RoundPhase};
use shared::deadline::{MEMBER_LEASE_S, QUIESCED_LEASE_S, STANDBY_LEASE_S};
use shared::group_lease::Epoch;
use shared::identity::{AttemptId, GroupKey, Nonce};
use shared::member_lease::{MemberLease, Resident};
use shared::names::LABEL_SNAPSHOT_GROUP;
use shared::quiesce::LetGo;
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
    /// Whether a resident runs in its pod.
    pub resident: bool,
    /// Its resident hears nothing.
    pub deaf: bool,
    /// The last call that its resident obeyed.
    obeyed: Epoch,
    /// When it was held still, and until when.
    pub holds: Vec<(WallTime, Option<WallTime>)>,
}

impl Hook {
    pub fn new(pod: PodKey, group: GroupKey) -> Self {
        let (resident, deaf, obeyed, holds) = (false, false, Epoch(0), vec![]);
        Self { pod, group, waiting: None, went: None, resident, deaf, obeyed, holds }
    }

    fn lease(&self, attempt: AttemptId, phase: MemberPhase, wall: WallTime) -> MemberLease {
        MemberLease {
            namespace: self.pod.namespace.clone(),
            pod: self.pod.name.clone(),
            group: self.group.group.clone(),
            attempt,
            phase,
            registered_at: wall,
            renewed_at: wall,
            lease_duration_s: MEMBER_LEASE_S,
            deadline: wall.plus_ms(585_000),
            admission: None,
            epoch: None,
            quiesced_at: None,
            thawed_at: None,
            steady: shared::boot_time::SteadySpan::default(),
            quiesce: shared::quiesce::QuiesceKinds::default(),
            let_go: None,
            resident: self.resident.then_some(Resident { ready: true, why: None }),
            failure: None,
            agent_version: "model".into(),
        }
    }

    /// A resident starts: what an earlier one held is let go, and it stands by.
    pub fn start_resident(&mut self, api: &mut Api, nonce: u64, wall: WallTime) {
        let Some(pod) = api.pods.get(&self.pod) else { return };
        let attempt = AttemptId { pod_uid: pod.uid.of_pod().unwrap(), nonce: Nonce::from_bits(nonce) };
        (self.resident, self.waiting) = (true, None);
        self.thawed(wall);
        let lease = self.lease(attempt, MemberPhase::Done, wall);
        api.write_member(&MemberLease { lease_duration_s: STANDBY_LEASE_S, ..lease });
    }

    /// Its resident looks at its group's Lease: holds still when it is called, lets go at its cut.
    pub fn hear(&mut self, api: &mut Api, nonce: u64, wall: WallTime) -> bool {
        let Some((_, group)) = api.groups.get(&self.group).cloned() else { return false };
        let key = member_key(&self.pod.namespace, self.pod.name.as_str());
        let Some((_, own)) = api.members.get(&key).cloned() else { return false };
        let holds = own.phase == MemberPhase::Quiesced && own.quiesced_at.is_some() && own.thawed_at.is_none();
        if holds && (group.is_cut(&own.attempt) || group.verdict(&own.attempt) == Some(AttemptVerdict::Ended)) {
            let let_go = if group.is_cut(&own.attempt) { LetGo::Cut } else { LetGo::ByItself };
            let phase = if self.resident { MemberPhase::Done } else { own.phase };
            let own_attempt = own.attempt.clone();
            api.write_member(&MemberLease { phase, thawed_at: Some(wall), let_go: Some(let_go), ..own });
            self.thawed(wall);
            // A hook that still waits is late: Velero cut without it.
            self.waiting = self.waiting.take().filter(|waiting| *waiting != own_attempt);
            return true;
        }
        // Its round is over and never released it: it holds for nothing, and its hook registers anew.
        let over = |e: Epoch| group.epoch > e || (group.epoch == e && group.phase == RoundPhase::Closed);
        if holds && self.waiting.as_ref() == Some(&own.attempt) && own.epoch.is_some_and(over) {
            self.thawed(wall);
            self.arrive(api, nonce, wall);
            return true;
        }
        let called = self.resident && !self.deaf && group.call_to(&self.pod.name).is_some();
        if !called || group.epoch <= self.obeyed || holds {
            return false;
        }
        let Some(pod) = api.pods.get(&self.pod) else { return false };
        self.obeyed = group.epoch;
        let registered = own.phase == MemberPhase::Waiting && pod.uid == own.attempt.pod_uid;
        let attempt = if registered {
            own.attempt
        } else {
            AttemptId { pod_uid: pod.uid.of_pod().unwrap(), nonce: Nonce::from_bits(nonce) }
        };
        let lease = self.lease(attempt, MemberPhase::Quiesced, wall);
        self.holds.push((wall, None));
        api.write_member(&MemberLease {
            admission: Some(Admission::Released),
            epoch: Some(group.epoch),
            quiesced_at: Some(wall),
            lease_duration_s: QUIESCED_LEASE_S,
            ..lease
        });
        true
    }

    fn thawed(&mut self, wall: WallTime) {
        if let Some((_, to @ None)) = self.holds.last_mut() {
            *to = Some(wall);
        }
    }

    /// Velero starts the pre hook.
    pub fn arrive(&mut self, api: &mut Api, nonce: u64, wall: WallTime) {
        let Some(pod) = api.pods.get(&self.pod) else { return };
        if pod.label(LABEL_SNAPSHOT_GROUP).is_none() {
            return;
        }
        let attempt = AttemptId { pod_uid: pod.uid.of_pod().unwrap(), nonce: Nonce::from_bits(nonce) };
        self.went = None;
        let key = member_key(&self.pod.namespace, self.pod.name.as_str());
        let own = api.members.get(&key).map(|(_, lease)| lease.clone());
        // A hook whose resident was called by the round that runs waits for its release; any other hold ends with a new run of the hook.
        let runs = api.groups.get(&self.group).map(|(_, lease)| (lease.epoch, lease.phase));
        let called = |own: &MemberLease| {
            let by_this = |(epoch, phase)| own.epoch == Some(epoch) && phase != RoundPhase::Closed;
            own.phase == MemberPhase::Quiesced && own.attempt.pod_uid == attempt.pod_uid && runs.is_some_and(by_this)
        };
        if let Some(own) = own.filter(|own| self.resident && called(own)) {
            self.waiting = Some(own.attempt);
            return;
        }
        self.thawed(wall);
        self.waiting = Some(attempt.clone());
        let lease = self.lease(attempt, MemberPhase::Waiting, wall);
        api.write_member(&lease);
    }

    /// It looks at its group's Lease: goes if it is admitted, gives up if it is ended.
    pub fn look(&mut self, api: &mut Api, wall: WallTime) -> bool {
        let Some(attempt) = &self.waiting else { return false };
        let group = api.groups.get(&self.group).map(|(_, lease)| lease.clone());
        let word = group.as_ref().and_then(|lease| Some((lease.verdict(attempt)?, lease.epoch)));
        let unheld = group.as_ref().and_then(|lease| lease.attempts.get(attempt)).is_some_and(|entry| entry.unheld);
        let calling = group.is_some_and(|lease| lease.phase == RoundPhase::Calling);
        match word {
            Some(_) if calling => return false,
            Some((AttemptVerdict::Admitted, epoch)) if unheld => self.go_unheld(api, epoch, wall),
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

    fn go(&mut self, api: &mut Api, admission: Admission, epoch: Option<Epoch>, wall: WallTime) {
        let attempt = self.waiting.take().expect("only a waiting hook goes");
        self.went = Some(admission);
        let mut held = false;
        self.change(api, |lease| {
            if lease.attempt == attempt && lease.phase == MemberPhase::Waiting {
                lease.phase = MemberPhase::Quiesced;
                lease.admission = Some(admission);
                lease.epoch = epoch;
                lease.quiesced_at = Some(wall);
                held = true;
                lease.lease_duration_s = QUIESCED_LEASE_S;
                lease.renewed_at = wall;
            }
        });
        if held {
            self.holds.push((wall, None));
        }
    }

    fn go_unheld(&mut self, api: &mut Api, epoch: Epoch, wall: WallTime) {
        self.waiting = None;
        self.went = Some(Admission::Released);
        self.change(api, |lease| {
            lease.phase = MemberPhase::Quiesced;
            (lease.admission, lease.epoch) = (Some(Admission::Released), Some(epoch));
            lease.lease_duration_s = QUIESCED_LEASE_S;
            lease.renewed_at = wall;
        });
    }

    /// Velero starts the post hook.
    pub fn post(&mut self, api: &mut Api, wall: WallTime) {
        self.thawed(wall);
        self.change(api, |lease| {
            lease.phase = MemberPhase::Done;
            lease.thawed_at = lease.thawed_at.or(Some(wall));
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
