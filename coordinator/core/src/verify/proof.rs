//! What a receipt's facts prove: each member by itself, then all of them together.
//!
//! Two facts may be missing, the clocks' error and members that did not fit. Then a range is proven: what would hold in the best and in the
//! worst case of what is missing.

use std::collections::BTreeSet;

use shared::quiesce::LetGo;
use shared::receipt::{CutReceipt, MemberEnd, MemberReceipt, Receipt};
use shared::time::WallTime;
use shared::verdict::Verdict;

/// What the facts allow. Both are the same where no fact is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The weakest verdict.
    pub weakest: Verdict,
    /// The strongest verdict.
    pub strongest: Verdict,
}

/// One member against its own cuts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Every volume's cut lies in its hold, wherever the cut really was.
    Sound,
    /// It may have been so.
    Doubtful,
    /// It was not held, or a cut lies outside its hold for certain.
    Torn,
}

/// What a receipt's facts allow.
pub fn of(receipt: &Receipt) -> Proof {
    let (least_ms, most_ms) = receipt.clock_error_ms.map_or((0, u64::MAX), |error_ms| (error_ms, error_ms));
    // A larger error turns what is certain into doubt and nothing else: the best case is the smallest.
    let complete = receipt.members_omitted == 0;
    let strongest = proven(&receipt.members, least_ms, complete);
    let weakest = proven(&receipt.members, most_ms, complete);
    if complete {
        return Proof { weakest, strongest };
    }
    let listed_nothing = receipt.members.is_empty();
    Proof {
        weakest: match weakest {
            // Nothing that another member did mends a cut that is torn.
            Verdict::CrashConsistent | Verdict::Failed => weakest,
            Verdict::GroupConsistent | Verdict::MemberConsistent | Verdict::Unknown => Verdict::Unknown,
        },
        strongest: match strongest {
            Verdict::Failed if listed_nothing => Verdict::GroupConsistent,
            // One that is torn for certain takes precedence over doubts, and may be among those that did not fit.
            Verdict::Failed | Verdict::Unknown => Verdict::CrashConsistent,
            Verdict::GroupConsistent | Verdict::MemberConsistent | Verdict::CrashConsistent => strongest,
        },
    }
}

/// The verdict of these members, if the clocks of pods and EC2 are at most so far apart. Without any cut there is nothing whose consistency
/// could be claimed; of a list that is not complete others may have them.
fn proven(members: &[MemberReceipt], clock_error_ms: u64, complete: bool) -> Verdict {
    if !members.iter().any(|member| held_from(member).is_some() || !member.cuts.is_empty()) {
        return Verdict::Failed;
    }
    let standings: Vec<Standing> = members.iter().map(|member| standing(member, clock_error_ms)).collect();
    if standings.contains(&Standing::Torn) {
        return Verdict::CrashConsistent;
    }
    let cuts: Vec<Window> =
        members.iter().flat_map(|member| &member.cuts).map(|cut| Window::of(cut, clock_error_ms)).collect();
    if standings.contains(&Standing::Doubtful) || (complete && cuts.is_empty()) {
        return Verdict::Unknown;
    }
    let all_over = |member: &MemberReceipt| cuts.iter().all(|cut| cut.is_inside(member));
    if members.iter().all(all_over) { Verdict::GroupConsistent } else { Verdict::MemberConsistent }
}

fn standing(member: &MemberReceipt, clock_error_ms: u64) -> Standing {
    if held_from(member).is_none() {
        return Standing::Torn;
    }
    if is_set_meanwhile(member, clock_error_ms) {
        return Standing::Doubtful;
    }
    let cuts = || member.cuts.iter().map(|cut| Window::of(cut, clock_error_ms));
    if cuts().any(|cut| cut.is_outside(member)) {
        return Standing::Torn;
    }
    let seen: BTreeSet<&str> = member.cuts.iter().map(|cut| cut.claim.as_str()).collect();
    let all_seen = u32::try_from(seen.len()).is_ok_and(|seen| seen >= member.volumes);
    if all_seen && held_to(member).is_some() && cuts().all(|cut| cut.is_inside(member)) {
        Standing::Sound
    } else {
        Standing::Doubtful
    }
}

/// Since when a member was held, if anybody vouches for it: who never came was not, and a keeper that was killed vouches for nothing.
pub(super) fn held_from(member: &MemberReceipt) -> Option<WallTime> {
    member.quiesced_at.filter(|_| member.end != MemberEnd::NeverArrived && member.let_go != Some(LetGo::Unproven))
}

/// Until when, if that is known: what is written in the name of a pod that is gone is not its own word.
fn held_to(member: &MemberReceipt) -> Option<WallTime> {
    member.thawed_at.filter(|_| member.end != MemberEnd::PodGone)
}

/// Whether the pod's wall clock shows another length of its hold than the clock of its machine that nobody can set. ms that were cut off at both
/// ends of the one, and as much as clocks may be apart, are let be.
pub(super) fn is_set_meanwhile(member: &MemberReceipt, clock_error_ms: u64) -> bool {
    let (Some(from), Some(to), Some(steady_ms)) = (held_from(member), held_to(member), member.steady_ms) else {
        return false;
    };
    let shown_us = i128::from(to.as_micros()) - i128::from(from.as_micros());
    let most_us = (i128::from(clock_error_ms) + 2) * 1_000;
    !(-most_us..=most_us).contains(&(shown_us - i128::from(steady_ms) * 1_000))
}

/// When a cut may have been, by a pod's clock; both ends included, µs. Wide enough for any sum of what a receipt can hold.
#[derive(Clone, Copy)]
struct Window {
    earliest: i128,
    latest: i128,
}

impl Window {
    /// EC2's word is the beginning of a second or a millisecond in which the cut was, by another clock than the pod's.
    fn of(cut: &CutReceipt, clock_error_ms: u64) -> Self {
        let at = i128::from(cut.at.as_micros());
        let (resolution_us, error_us) = (i128::from(cut.resolution_ms) * 1_000, i128::from(clock_error_ms) * 1_000);
        Self { earliest: at - error_us, latest: at + resolution_us + error_us }
    }

    /// Whether the member was held wherever the cut was.
    fn is_inside(self, member: &MemberReceipt) -> bool {
        held_from(member).is_some_and(|from| i128::from(from.as_micros()) <= self.earliest)
            && held_to(member).is_some_and(|to| self.latest <= i128::from(to.as_micros()))
    }

    /// Whether the member was not held wherever the cut was.
    fn is_outside(self, member: &MemberReceipt) -> bool {
        held_from(member).is_none_or(|from| self.latest < i128::from(from.as_micros()))
            || held_to(member).is_some_and(|to| i128::from(to.as_micros()) < self.earliest)
    }
}
