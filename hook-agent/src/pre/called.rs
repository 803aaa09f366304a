//! Lead mode as a hook sees it: it holds still when the coordinator calls, or finds that the pod's resident does; and goes on at the release.

use std::time::Duration;

use shared::admission::Admission;

use crate::decide::{CallTo, Release, Stance};
use crate::failure::{Failure, said};
use crate::lines::{chain, seconds};
use crate::member::{Change, Member, Written};
use crate::pre::go::{REPORT_RELEASED_MS, REPORT_UNRELEASED_MS};
use crate::pre::go::{fail_if_wanted, hold_still, keep, quiesced, report, warn_of};
use crate::pre::wait::listen_about;
use crate::pre::{Hook, Pass, Turn};
use crate::resident::ask::Engaged;
use crate::resident::wire::Called;
use crate::settings::Policy;

/// What a resident may take beyond the call's own time, ms: it lets go of what was left, starts a keeper, writes one Lease.
const RESIDENT_MS: u64 = 5_000;

/// What came of it.
pub enum After {
    /// The hook is through, or is to register anew.
    Turn(Turn),
    /// Something else ended the wait; nothing is held.
    Pass(Pass),
}

/// Holds still because the round calls, and waits until the others do.
pub async fn obey(hook: &Hook, member: &mut Member, call: CallTo) -> Result<After, Failure> {
    let CallTo { epoch, within_ms } = call;
    if hook.plan.is_empty() && hook.resident.as_ref().is_some_and(|resident| resident.word.has_steps) {
        let limit = Duration::from_millis(within_ms + RESIDENT_MS);
        let obeying = Engaged::by_obeying(hook.quiesce.state_dir.as_deref(), call, limit).await;
        if let Some(called) = obeying.as_ref().and_then(|resident| resident.word.called.as_ref()) {
            return join(hook, member, called).await.map(After::Turn);
        }
        if let Some(why) = obeying.and_then(|resident| resident.word.failed) {
            return Err(Failure::Quiesce(why));
        }
        // It holds nothing and says why in its own log. Whoever has the Lease by now decides what comes next.
    }
    if let Some(resident) = &hook.resident {
        resident.obeys(epoch);
    }
    let still = hold_still(hook, Some(member), within_ms).await;
    fail_if_wanted(hook, Some(member), &still, Some(epoch)).await?;
    let change = quiesced(hook, &still, Admission::Released, Some(epoch));
    let reported = match report(hook, member, &change, REPORT_RELEASED_MS).await {
        Ok(Written::Stored) => "reported".to_owned(),
        // What is held goes with `still`: the keeper lets go when its line ends.
        Ok(Written::TakenOver(taken)) => return Ok(After::Pass(Pass::Taken(taken))),
        Err(e) => format!("NOT reported, so the receipt will not count it: {}", chain(&e)),
    };
    hook.lines.say(format_args!("round {epoch} calls: {}, {reported}; waits for the others", still.in_words()));
    let pass = listen_about(hook, member, &member.attempt().clone(), Stance::Called(epoch)).await;
    match pass {
        Pass::Released(Release { epoch, .. }) => {
            let how = keep(hook, member, still, Admission::Released, Some(epoch)).await?;
            let waited = seconds(hook.clock.elapsed_ms());
            hook.lines.say(format_args!("released in round {epoch} after {waited}, with all who were called; {how}"));
            Ok(After::Turn(Turn::Through))
        }
        Pass::Unreleased(why, cause) if why.policy(&hook.limits) == Policy::Fail => {
            let change = Change::Failed { why: said(why).to_owned(), epoch: Some(epoch) };
            let _ = report(hook, member, &change, REPORT_UNRELEASED_MS).await;
            Err(Failure::Unreleased { why, cause })
        }
        Pass::Unreleased(why, cause) => {
            let how = keep(hook, member, still, Admission::Released, Some(epoch)).await?;
            warn_of(hook, why, cause.as_ref(), &how);
            Ok(After::Turn(Turn::Through))
        }
        Pass::RoundOver => Ok(After::Turn(Turn::Again("the round that called it ended before it was released"))),
        other => Ok(After::Pass(other)),
    }
}

/// Goes on at the release of what the pod's resident holds, or tried to, in its place. The Lease is the resident's to write.
pub async fn join(hook: &Hook, member: &Member, called: &Called) -> Result<Turn, Failure> {
    let Called { attempt, epoch, words, steps } = called;
    if !hook.plan.is_empty() && hook.plan.steps != *steps {
        return Ok(Turn::Again(
            "the pod's resident was called and holds by other steps than this hook's (QUIESCE); lets go of those",
        ));
    }
    hook.lines.say(format_args!("the pod's resident was called in round {epoch}: {words}; waits for the others"));
    match listen_about(hook, member, attempt, Stance::Called(*epoch)).await {
        Pass::Released(Release { epoch, .. }) => {
            let waited = seconds(hook.clock.elapsed_ms());
            hook.lines.say(format_args!("released in round {epoch} after {waited}; {words}"));
            Ok(Turn::Through)
        }
        Pass::Unreleased(why, cause) if why.policy(&hook.limits) == Policy::Fail => {
            Err(Failure::Unreleased { why, cause })
        }
        Pass::Unreleased(why, cause) => {
            warn_of(hook, why, cause.as_ref(), words);
            Ok(Turn::Through)
        }
        Pass::Ended => Err(Failure::Ended("what the pod's resident held was cut, or let go, without it".to_owned())),
        Pass::RoundOver | Pass::Superseded | Pass::Called(_) | Pass::Taken(_) => {
            Ok(Turn::Again("the resident's round ended before it was released"))
        }
    }
}
