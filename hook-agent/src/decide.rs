//! What a waiting hook does next, from what it knows and what time it is. Pure: no client, no clock.

use serde::{Deserialize, Serialize};
use shared::admission::{Admission, AttemptVerdict, RoundPhase};
use shared::group_lease::{Epoch, GroupLease};
use shared::identity::{AttemptId, PodName};

use crate::settings::{Limits, Policy};

/// What the coordinator says about this attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// The verdict.
    pub verdict: AttemptVerdict,
    /// The round that it belongs to.
    pub epoch: Epoch,
    /// Whether it goes on without holding still once it is admitted.
    pub unheld: bool,
}

/// A round's leave to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// The round.
    pub epoch: Epoch,
    /// Without holding still: the group's policy lets only so many members be held at once.
    pub unheld: bool,
}

/// What the group Lease says about `attempt`, if anything that counts.
///
/// An admission counts only while its round holds the grant: a hook that slept through its round (a stopped process, a
/// suspended machine) must not go on under a grant that was given back (invariant I5). While the round still calls, it says only that its
/// member is still already, and its hook waits until the others are.
pub fn word_about(lease: &GroupLease, attempt: &AttemptId) -> Option<Word> {
    let verdict = match (lease.verdict(attempt)?, lease.phase) {
        (AttemptVerdict::Admitted, RoundPhase::Calling) => AttemptVerdict::Waiting,
        (verdict, _) => verdict,
    };
    let stale = verdict == AttemptVerdict::Admitted && lease.phase != RoundPhase::Released;
    let unheld = lease.attempts.get(attempt).is_some_and(|entry| entry.unheld);
    (!stale).then_some(Word { verdict, epoch: lease.epoch, unheld })
}

/// A call to hold still, in lead mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallTo {
    /// The round that calls.
    pub epoch: Epoch,
    /// Who is not still so long after it heard this, ms, gives up.
    pub within_ms: u64,
}

/// How a hook waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stance {
    /// Nothing is held yet, and this pod may be called.
    Waits(PodName),
    /// It is still because this round called it.
    Called(Epoch),
}

/// What the group Lease says beside the word about the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// This pod is to hold still at once.
    Called(CallTo),
    /// The round that called it is over and never released it: what it holds, it holds for nothing.
    RoundOver,
    /// All that it was held for is cut already: Velero did not wait for this hook.
    Late,
}

/// Looks for them. A word that ends the wait goes before.
pub fn news_for(lease: &GroupLease, attempt: &AttemptId, stance: &Stance) -> Option<News> {
    match stance {
        Stance::Waits(pod) => {
            let call = lease.call_to(pod)?;
            Some(News::Called(CallTo { epoch: lease.epoch, within_ms: call.within_ms }))
        }
        Stance::Called(_) if lease.is_cut(attempt) => Some(News::Late),
        Stance::Called(epoch) => is_over(lease, *epoch).then_some(News::RoundOver),
    }
}

/// Whether the round that called gave its share back: nobody that its coordinator knew of was left when this pod obeyed. Two coordinators may say so
/// for a moment while they come to agree; where it stays so, nobody will release what is held.
pub fn rests(lease: &GroupLease, stance: &Stance) -> bool {
    matches!(stance, Stance::Called(epoch) if lease.epoch == *epoch && lease.phase == RoundPhase::Waiting)
}

/// Whether a round came to its end.
pub fn is_over(lease: &GroupLease, epoch: Epoch) -> bool {
    lease.epoch > epoch || (lease.epoch == epoch && lease.phase == RoundPhase::Closed)
}

/// What a waiting hook knows. All times are ms since its start.
#[derive(Clone, Debug)]
pub struct View {
    word: Option<Word>,
    heard: bool,
    quiet_since_ms: u64,
    contact_ms: u64,
    refused: bool,
}

impl View {
    /// Nothing is known yet at `now_ms`.
    pub fn new(now_ms: u64) -> Self {
        Self { word: None, heard: false, quiet_since_ms: now_ms, contact_ms: now_ms, refused: false }
    }

    /// The group Lease says `word` now, or nothing.
    pub fn hear(&mut self, word: Option<Word>, now_ms: u64) {
        if word.is_none() && self.word.is_some() {
            self.quiet_since_ms = now_ms;
        }
        self.heard |= word.is_some();
        self.word = word;
    }

    /// The API server answered something at `at_ms`.
    pub fn contact(&mut self, at_ms: u64) {
        self.contact_ms = self.contact_ms.max(at_ms);
    }

    /// The API server will not let this pod hear the coordinator.
    pub fn refuse(&mut self) {
        self.refused = true;
    }
}

/// Why a hook stopped waiting without being released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreleased {
    /// It waited as long as it may.
    Deadline,
    /// API server or coordinator did not answer.
    Unreachable,
    /// The API server refused.
    Refused,
}

impl Unreleased {
    /// What the user wants then.
    pub fn policy(self, limits: &Limits) -> Policy {
        match self {
            Self::Deadline => limits.on_deadline,
            Self::Unreachable | Self::Refused => limits.on_unreachable,
        }
    }

    /// How it is recorded when the hook goes on all the same.
    pub fn admission(self) -> Admission {
        match self {
            Self::Deadline => Admission::OverBudget,
            Self::Unreachable | Self::Refused => Admission::Unreachable,
        }
    }
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing before this time, ms since the start, unless something new is heard.
    Wait {
        /// When to decide again.
        until_ms: u64,
    },
    /// Quiesce and go: a round admitted the attempt.
    Released(Release),
    /// Stop waiting; the policy says how.
    Unreleased(Unreleased),
    /// A later run of the hook took this one's place: follow it.
    Follow,
    /// The attempt was ended from outside.
    Ended,
}

/// Decides. A verdict wins over a deadline that passes at the same moment; nothing waits past its deadline (invariant I4).
pub fn decide(view: &View, limits: &Limits, now_ms: u64) -> Next {
    let late = now_ms >= limits.deadline_ms;
    let verdict = view.word.map(|word| (word.verdict, Release { epoch: word.epoch, unheld: word.unheld }));
    match verdict {
        Some((AttemptVerdict::Admitted, release)) => return Next::Released(release),
        Some((AttemptVerdict::Ended, _)) => return Next::Ended,
        Some((AttemptVerdict::Superseded, _)) if !late => return Next::Follow,
        Some((AttemptVerdict::Superseded | AttemptVerdict::Waiting, _)) | None => {}
    }
    if view.refused {
        return Next::Unreleased(Unreleased::Refused);
    }
    // Who was heard may take its time, as long as the API server lives; who never was, or fell silent, may not.
    let silent_since_ms = if verdict.is_some() { view.contact_ms } else { view.quiet_since_ms };
    let silence_ends_ms = silent_since_ms.saturating_add(limits.silence_ms);
    if late {
        let why = if view.heard { Unreleased::Deadline } else { Unreleased::Unreachable };
        return Next::Unreleased(why);
    }
    if now_ms >= silence_ends_ms {
        return Next::Unreleased(Unreleased::Unreachable);
    }
    Next::Wait { until_ms: silence_ends_ms.min(limits.deadline_ms) }
}

#[cfg(test)]
mod tests;
