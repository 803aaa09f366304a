//! One Backup from its first hook to its last snapshot: waiting for release, held still, cut volume by volume, let go.
//!
//! Lengths as seen on Velero 1.18.3 with driver v1.64.0: 0.6 s from a VolumeSnapshot to the driver's call, Velero's look at the handle every 5 s
//! (the first one at once and too early), the driver's retries 2, 4, 8 … 20 s apart, the sidecar's 1, 2, 4 … s. The driver's shared rate limiter is left out: it would
//! refuse itself some calls that are counted as throttled here, so the model counts too many rather than too few.

use coordinator_core::admission::{Request, grant_from_head};
use coordinator_core::objects::ObjectKey;
use shared::identity::{GroupKey, Namespace};

use crate::ec2::Refusal;
use crate::night::{Event, Night};
use crate::scenario::{Way, pending_ms};

/// A group's pre hooks, ms: held still at the end of them.
const PRE_MS: u64 = 200;
/// From a VolumeSnapshot to the driver's call, ms: its batching window and the controllers' watches.
const ASK_MS: u64 = 600;
/// Velero looks for the handle this often, ms.
const POLL_MS: u64 = 5_000;
/// One native call, ms.
const NATIVE_MS: u64 = 70;
/// The plugin's SDK calls this often.
const NATIVE_TRIES: u32 = 3;
/// The longest pause of the driver between two attempts, ms.
const DRIVER_PAUSE_MAX_MS: u64 = 20_000;
/// The longest pause of the sidecar between two tries, ms (the EBS chart's `--retry-interval-max`).
const SIDECAR_PAUSE_MAX_MS: u64 = 1_800_000;
/// After the post hooks, ms: the archive is uploaded.
const UPLOAD_MS: u64 = 3_000;
/// How exactly the omniscient waits for a token, ms.
const FORESIGHT_MS: u64 = 100;
/// Rounds that are granted in one decision at most (as in the coordinator).
const GRANTS_MAX: usize = 1_000;

/// What happens to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// Its first hook registers.
    Arrive,
    /// That hook's deadline.
    Deadline,
    /// Velero asks for a volume's snapshot.
    Ask,
    /// The driver calls EC2.
    Call,
    /// Velero looks for the handle.
    Poll,
    /// The Backup leaves InProgress.
    Leave,
    /// A volume's snapshot is complete.
    Ready,
}

/// A run of a group.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) group: usize,
    first_volume: u32,
    arrived: u64,
    held: Option<u64>,
    granted: bool,
    asked: u64,
    tries: u32,
    /// The volume that is being cut is cut.
    cut: bool,
    pending: u32,
    has_left: bool,
}

impl Run {
    pub(crate) const fn new(group: usize, first_volume: u32) -> Self {
        Self {
            group,
            first_volume,
            arrived: 0,
            held: None,
            granted: false,
            asked: 0,
            tries: 0,
            cut: false,
            pending: 0,
            has_left: false,
        }
    }
}

impl Night<'_> {
    pub(crate) fn step(&mut self, run: usize, volume: u32, step: Step) {
        match step {
            Step::Arrive => {
                self.runs[run].arrived = self.now;
                self.asking.push_back(run);
                self.send(self.scenario.hook_deadline_ms, Event::Of(run, 0, Step::Deadline));
                self.admit();
            }
            Step::Deadline => {
                if let Some(place) = self.asking.iter().position(|asking| *asking == run) {
                    self.asking.remove(place);
                    self.outcome.over_budget += 1;
                    self.hold(run);
                    self.admit();
                }
            }
            Step::Ask => self.ask(run, volume),
            Step::Call => self.call(run, volume),
            Step::Poll => self.poll(run, volume),
            Step::Leave => {
                self.runs[run].has_left = true;
                self.left(run);
                self.end_if_over(run);
            }
            Step::Ready => self.ready(run, volume),
        }
    }

    fn weight(&self, run: usize) -> u32 {
        u32::try_from(self.scenario.groups[self.runs[run].group].changed_mib.len()).unwrap_or(u32::MAX)
    }

    /// Releases from the head of the queue what the limit allows: the product's own admission.
    pub(crate) fn admit(&mut self) {
        let mut head = Vec::new();
        let mut sum = self.granted.saturating_add(self.pending);
        for run in &self.asking {
            // No more of the queue than can be granted: it may be thousands long.
            let weight = self.weight(*run);
            head.push(Request { group: nobody(), weight });
            sum = sum.saturating_add(weight);
            if sum > self.budget.limit() {
                break;
            }
        }
        let count = grant_from_head(self.budget.limit(), self.granted, self.pending, GRANTS_MAX, &head);
        for _ in 0..count {
            let Some(run) = self.asking.pop_front() else { return };
            self.runs[run].granted = true;
            self.granted = self.granted.saturating_add(self.weight(run));
            self.outcome.released_peak = self.outcome.released_peak.max(self.granted);
            self.hold(run);
        }
    }

    fn hold(&mut self, run: usize) {
        self.outcome.waited_max_ms = self.outcome.waited_max_ms.max(self.now - self.runs[run].arrived);
        self.runs[run].held = Some(self.now + PRE_MS);
        self.send(PRE_MS, Event::Of(run, 0, Step::Ask));
    }

    fn ask(&mut self, run: usize, volume: u32) {
        if volume >= self.weight(run) {
            self.let_go(run);
            return;
        }
        (self.runs[run].asked, self.runs[run].tries, self.runs[run].cut) = (self.now, 0, false);
        match self.scenario.way {
            Way::Csi => {
                self.budget.content(self.snapshot(run, volume), false, false, None, self.now);
                self.send(ASK_MS, Event::Of(run, volume, Step::Call));
                self.send(POLL_MS, Event::Of(run, volume, Step::Poll));
            }
            Way::Native => self.send(NATIVE_MS, Event::Of(run, volume, Step::Call)),
        }
    }

    fn call(&mut self, run: usize, volume: u32) {
        let state = &self.runs[run];
        let is_given_up = self.scenario.way == Way::Csi
            && (state.cut || self.now - state.asked >= self.scenario.csi_snapshot_timeout_ms);
        if is_given_up {
            return;
        }
        let id = state.first_volume + volume;
        if self.budget.is_omniscient() && self.account.foresee(id, self.now).is_err() {
            self.send(FORESIGHT_MS, Event::Of(run, volume, Step::Call));
            return;
        }
        let pending = pending_ms(self.scenario.groups[state.group].changed_mib[volume as usize]);
        let answer = self.account.create_snapshot(id, pending, self.now);
        self.outcome.calls += 1;
        let in_use = self.usage().volumes;
        let is_throttled = answer == Err(Refusal::RequestLimitExceeded);
        self.budget.answered(answer.err().map(Refusal::code), is_throttled, in_use);
        self.note_limit();
        match answer {
            Ok(()) => self.is_cut(run, volume, pending),
            Err(refusal) => self.is_refused(run, volume, refusal),
        }
    }

    fn is_cut(&mut self, run: usize, volume: u32, pending: u64) {
        self.outcome.cuts += 1;
        let state = &mut self.runs[run];
        state.cut = true;
        state.pending += 1;
        if !state.granted {
            self.pending += 1;
        }
        self.send(pending, Event::Of(run, volume, Step::Ready));
        match self.scenario.way {
            Way::Csi => self.budget.content(self.snapshot(run, volume), true, false, None, self.now),
            Way::Native => self.send(0, Event::Of(run, volume + 1, Step::Ask)),
        }
    }

    fn is_refused(&mut self, run: usize, volume: u32, refusal: Refusal) {
        self.runs[run].tries += 1;
        let tries = self.runs[run].tries;
        if refusal == Refusal::RequestLimitExceeded {
            self.outcome.note_throttled(self.now);
        } else {
            self.outcome.over_quota += 1;
        }
        let doubled = |first_ms: u64, max_ms: u64| first_ms.saturating_mul(1 << (tries - 1).min(20)).min(max_ms);
        let pause_ms = match (self.scenario.way, refusal) {
            (Way::Native, refusal) => {
                if tries >= NATIVE_TRIES || refusal != Refusal::RequestLimitExceeded {
                    self.outcome.failed_volumes += 1;
                    self.send(0, Event::Of(run, volume + 1, Step::Ask));
                    return;
                }
                doubled(1_000, DRIVER_PAUSE_MAX_MS)
            }
            (Way::Csi, Refusal::RequestLimitExceeded) => doubled(2_000, DRIVER_PAUSE_MAX_MS),
            (Way::Csi, refusal) => {
                let text = format!("api error {}: refused", refusal.code());
                self.budget.content(self.snapshot(run, volume), false, false, Some(&text), self.now);
                doubled(1_000, SIDECAR_PAUSE_MAX_MS) + 500
            }
        };
        // Half of it is left to chance, so that those who were refused together do not come back together.
        let pause_ms = pause_ms / 2 + self.dice.below(pause_ms / 2 + 1);
        self.send(pause_ms, Event::Of(run, volume, Step::Call));
    }

    fn poll(&mut self, run: usize, volume: u32) {
        if self.runs[run].cut {
            self.send(0, Event::Of(run, volume + 1, Step::Ask));
        } else if self.now - self.runs[run].asked >= self.scenario.csi_snapshot_timeout_ms {
            self.outcome.failed_volumes += 1;
            self.budget.content_gone(self.snapshot(run, volume), self.now);
            self.send(0, Event::Of(run, volume + 1, Step::Ask));
        } else {
            self.send(POLL_MS, Event::Of(run, volume, Step::Poll));
        }
    }

    fn let_go(&mut self, run: usize) {
        let weight = self.weight(run);
        let state = &mut self.runs[run];
        let frozen_ms = self.now - state.held.take().unwrap_or(self.now);
        self.outcome.frozen_ms += frozen_ms;
        self.outcome.frozen_max_ms = self.outcome.frozen_max_ms.max(frozen_ms);
        if state.granted {
            state.granted = false;
            self.granted -= weight;
            self.pending += state.pending;
        }
        self.send(UPLOAD_MS, Event::Of(run, 0, Step::Leave));
        self.admit();
    }

    fn ready(&mut self, run: usize, volume: u32) {
        let state = &mut self.runs[run];
        state.pending -= 1;
        if !state.granted {
            self.pending -= 1;
        }
        self.budget.content(self.snapshot(run, volume), true, true, None, self.now);
        self.end_if_over(run);
        self.admit();
    }

    fn end_if_over(&mut self, run: usize) {
        // True once: after it left no call is made, so what is pending only becomes less.
        if self.runs[run].has_left && self.runs[run].pending == 0 {
            self.over();
        }
    }

    fn snapshot(&self, run: usize, volume: u32) -> ObjectKey {
        ObjectKey { namespace: somewhere(), name: format!("{run}-{}", self.runs[run].first_volume + volume) }
    }
}

/// Admission goes by order and weight; names are for those who read grants.
fn nobody() -> GroupKey {
    "simulated/group".parse().unwrap_or_else(|_| unreachable!("a legal name"))
}

fn somewhere() -> Namespace {
    "simulated".parse().unwrap_or_else(|_| unreachable!("a legal name"))
}
