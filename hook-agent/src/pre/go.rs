//! Going on to the cut: quiesce, report it, say it; or, where the policy says so, fail.

use std::time::Duration;

use shared::admission::Admission;
use shared::duration::format_ms;
use shared::group_lease::Epoch;

use crate::decide::{Release, Unreleased};
use crate::failure::{Cause, Failure, said};
use crate::keeper::wire::ReportTo;
use crate::lines::{chain, seconds};
use crate::member::{Change, Member, TakenOver, Written};
use crate::pre::Hook;
use crate::quiesce::{self, Still, not_held};
use crate::retry::{self, GaveUp};
use crate::settings::Policy;

/// The report of a released member may take this long, ms: without it the receipt cannot count the member as quiesced.
pub(super) const REPORT_RELEASED_MS: u64 = 10_000;

/// The report of a member that goes without a release may take this long, ms: nobody may be there to hear it.
pub(super) const REPORT_UNRELEASED_MS: u64 = 2_000;

/// The process ends this long before Velero's timeout at the latest, ms: what it printed must still get through.
const EXIT_RESERVE_MS: u64 = 300;

/// What is left for the report when holding still took as long as it may, ms: one small write and the word to the keeper.
const REPORT_RESERVE_MS: u64 = 700;

/// What the steps' own timeouts leave out, ms: starting the keeper, letting go of what was begun when a step fails.
const KEEPER_MS: u64 = 5_000;

/// Goes on under a round's grant, held still unless the group's policy says otherwise. Gives back who took over in the last moment, if somebody did.
pub async fn released(
    hook: &Hook,
    member: &mut Member,
    Release { epoch, unheld }: Release,
) -> Result<Option<TakenOver>, Failure> {
    let waited = seconds(hook.clock.elapsed_ms());
    let still = if unheld && hook.plan.kinds().hold() {
        Still::unheld(&hook.plan)
    } else {
        let still = hold_still(hook, Some(member), u64::MAX).await;
        fail_if_wanted(hook, Some(member), &still, Some(epoch)).await?;
        still
    };
    let change = quiesced(hook, &still, Admission::Released, Some(epoch));
    let reported = match report(hook, member, &change, REPORT_RELEASED_MS).await {
        Ok(Written::Stored) => "reported".to_owned(),
        // What is held goes with `still`: the keeper lets go when its line ends.
        Ok(Written::TakenOver(taken)) => return Ok(Some(taken)),
        Err(e) => format!("NOT reported, so the receipt will not count it: {}", chain(&e)),
    };
    let at_most = format_ms(u64::from(hook.limits.hold_s) * 1_000);
    let how = keep(hook, member, still, Admission::Released, Some(epoch)).await?;
    hook.lines.say(format_args!(
        "released in round {epoch} after {waited}; {how}, {reported}; counts until post runs, {at_most} at most"
    ));
    Ok(None)
}

/// Goes on without a release, or fails, as the policy for `why` says.
pub async fn unreleased(
    hook: &Hook,
    member: &mut Member,
    why: Unreleased,
    cause: Option<Cause>,
) -> Result<(), Failure> {
    let waited = seconds(hook.clock.elapsed_ms());
    let because = cause.as_ref().map_or_else(String::new, |cause| format!(" ({})", chain(cause.as_ref())));
    if why.policy(&hook.limits) == Policy::Fail {
        let change = Change::Failed { why: format!("{} in {waited}", said(why)), epoch: None };
        if why != Unreleased::Refused && member.is_stored() {
            // Without this note the coordinator finds out when the Lease expires: later, but all the same.
            let _ = report(hook, member, &change, REPORT_UNRELEASED_MS).await;
        }
        return Err(Failure::Unreleased { why, cause });
    }
    let admission = why.admission();
    let still = hold_still(hook, Some(member), u64::MAX).await;
    fail_if_wanted(hook, Some(member), &still, None).await?;
    let change = quiesced(hook, &still, admission, None);
    let reported = if why == Unreleased::Refused {
        "not reported".to_owned()
    } else {
        match report(hook, member, &change, REPORT_UNRELEASED_MS).await {
            Ok(Written::Stored) => "reported".to_owned(),
            Ok(Written::TakenOver(_)) => "not reported: another run of the hook has the Lease".to_owned(),
            Err(_) => "not reported".to_owned(),
        }
    };
    let how = keep(hook, member, still, admission, None).await?;
    hook.lines.say(format_args!(
        "GOES ON WITHOUT A RELEASE after {waited} ({admission}): {}{because}; {how}, {reported}",
        said(why)
    ));
    Ok(())
}

/// There was no way to register at all.
pub async fn unregistered(hook: &Hook, why: Unreleased, cause: Cause) -> Result<(), Failure> {
    if why.policy(&hook.limits) == Policy::Fail {
        return Err(Failure::Unreleased { why, cause: Some(cause) });
    }
    let still = hold_still(hook, None, u64::MAX).await;
    fail_if_wanted(hook, None, &still, None).await?;
    let how = unclaimed(hook, still).await?;
    hook.lines.say(format_args!(
        "GOES ON WITHOUT A RELEASE ({}): {} ({}); {how}, not reported",
        why.admission(),
        said(why),
        chain(cause.as_ref())
    ));
    Ok(())
}

/// The deadline came while this run followed a later one, which still waits. The Lease is the later run's to write.
pub async fn behind_another(hook: &Hook, member: &Member) -> Result<(), Failure> {
    let why = Unreleased::Deadline;
    if why.policy(&hook.limits) == Policy::Fail {
        return Err(Failure::Unreleased { why, cause: None });
    }
    let still = hold_still(hook, Some(member), u64::MAX).await;
    fail_if_wanted(hook, None, &still, None).await?;
    let how = unclaimed(hook, still).await?;
    hook.lines.say(format_args!(
        "GOES ON WITHOUT A RELEASE ({}): {}, while a later run of the hook still waits; {how}, not reported",
        why.admission(),
        said(why)
    ));
    Ok(())
}

/// Holds still by the plan, within this time, and for no longer than Velero's timeout allows.
pub(super) async fn hold_still(hook: &Hook, member: Option<&Member>, within_ms: u64) -> Still {
    if let Some(why) = hook.resident_holds.filter(|_| hook.plan.is_empty()) {
        return Still::left_to_resident(why);
    }
    let latest_ms = hook.limits.hook_timeout_ms.saturating_sub(EXIT_RESERVE_MS + REPORT_RESERVE_MS);
    let left_ms = latest_ms.saturating_sub(hook.clock.elapsed_ms());
    let limit = Duration::from_millis(left_ms.min(hook.plan.quiesce_ms_max() + KEEPER_MS).min(within_ms));
    let attempt = member.map_or_else(|| "unregistered".to_owned(), |member| member.attempt().to_string());
    let report_to = member.map(|member| ReportTo {
        access: hook.access.clone(),
        namespace: member.namespace().clone(),
        lease: member.lease_name().clone(),
        group: Some(member.group().clone()),
    });
    quiesce::begin(&hook.plan, &hook.quiesce, attempt, report_to, None, limit).await
}

/// Fails when it could not be held still and the user wants that to be a failure.
pub(super) async fn fail_if_wanted(
    hook: &Hook,
    member: Option<&mut Member>,
    still: &Still,
    epoch: Option<Epoch>,
) -> Result<(), Failure> {
    let Some(why) = still.failure.as_ref().filter(|_| hook.quiesce.on_failure == Policy::Fail) else {
        return Ok(());
    };
    if let Some(member) = member.filter(|member| member.is_stored()) {
        // Without this note the coordinator finds out when the Lease expires: later, but all the same.
        let _ = report(hook, member, &Change::Failed { why: why.clone(), epoch }, REPORT_UNRELEASED_MS).await;
    }
    Err(Failure::Quiesce(why.clone()))
}

/// Says that it goes on without a release, held still by a call.
pub(super) fn warn_of(hook: &Hook, why: Unreleased, cause: Option<&Cause>, how: &str) {
    let because = cause.map_or_else(String::new, |cause| format!(" ({})", chain(cause.as_ref())));
    let waited = seconds(hook.clock.elapsed_ms());
    hook.lines.say(format_args!("GOES ON WITHOUT A RELEASE after {waited}: {}{because}; {how}", said(why)));
}

/// Hands over to the keeper, and says how the pod stands; or why it is no longer held.
async fn kept(hook: &Hook, still: Still) -> Result<String, String> {
    if let Some(why) = &still.failure {
        return Ok(not_held(why));
    }
    let words = still.words.clone();
    let at_most = if hook.plan.kinds().hold() {
        format!(", let go after {} at most", format_ms(hook.quiesce.max_ms))
    } else {
        String::new()
    };
    match still.keep().await {
        None => Ok(format!("quiesced ({words}{at_most})")),
        Some(why) => Err(format!("{words} was held and is let go again: {why}")),
    }
}

/// The same, where the Lease claims that the pod is still: what is lost is taken back there.
pub(super) async fn keep(
    hook: &Hook,
    member: &mut Member,
    still: Still,
    admission: Admission,
    epoch: Option<Epoch>,
) -> Result<String, Failure> {
    match kept(hook, still).await {
        Ok(how) => Ok(how),
        Err(lost) => take_back(hook, member, lost, admission, epoch).await,
    }
}

/// The same where nothing was claimed in the Lease.
async fn unclaimed(hook: &Hook, still: Still) -> Result<String, Failure> {
    match kept(hook, still).await {
        Err(lost) if hook.quiesce.on_failure == Policy::Fail => Err(Failure::Quiesce(lost)),
        Err(lost) => Ok(not_held(&lost)),
        Ok(how) => Ok(how),
    }
}

/// Takes back the claim that the pod is still: the keeper ended, or reached its limit, before it could go on without pre.
async fn take_back(
    hook: &Hook,
    member: &mut Member,
    lost: String,
    admission: Admission,
    epoch: Option<Epoch>,
) -> Result<String, Failure> {
    let failed = hook.quiesce.on_failure == Policy::Fail;
    let change = if failed {
        Change::Failed { why: lost.clone(), epoch }
    } else {
        let (failure, hold_s) = (Some(lost.clone()), hook.limits.hold_s);
        Change::Quiesced { at: None, failure, admission, epoch, hold_s }
    };
    // If this does not get through, the keeper or post still says until when it was held.
    let _ = report(hook, member, &change, REPORT_UNRELEASED_MS).await;
    if failed { Err(Failure::Quiesce(lost)) } else { Ok(not_held(&lost)) }
}

pub(super) fn quiesced(hook: &Hook, still: &Still, admission: Admission, epoch: Option<Epoch>) -> Change {
    Change::Quiesced {
        at: still.at.clone(),
        failure: still.failure.clone(),
        admission,
        epoch,
        hold_s: hook.limits.hold_s,
    }
}

/// Writes a change, for `within_ms` at most and never so long that Velero's timeout would come first.
pub(super) async fn report(
    hook: &Hook,
    member: &mut Member,
    change: &Change,
    within_ms: u64,
) -> Result<Written, GaveUp> {
    let latest_ms = hook.limits.hook_timeout_ms.saturating_sub(EXIT_RESERVE_MS);
    let end_ms = hook.clock.elapsed_ms().saturating_add(within_ms).min(latest_ms);
    retry::until(&hook.clock, end_ms, async |limit| member.write(change, limit).await, |_| ()).await
}
