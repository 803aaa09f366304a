//! Going on to the cut: quiesce, report it, say it; or, where the policy says so, fail.

use shared::admission::Admission;
use shared::duration::format_ms;
use shared::group_lease::Epoch;

use crate::clock::Clock;
use crate::decide::Unreleased;
use crate::failure::{Cause, Failure, said};
use crate::lines::{chain, seconds};
use crate::member::{Change, Member, TakenOver, Written};
use crate::pre::Hook;
use crate::quiesce::Quiesce;
use crate::retry::{self, GaveUp};
use crate::settings::Policy;

/// The report of a released member may take this long, ms: without it the receipt cannot count the member as quiesced.
const REPORT_RELEASED_MS: u64 = 10_000;

/// The report of a member that goes without a release may take this long, ms: nobody may be there to hear it.
const REPORT_UNRELEASED_MS: u64 = 2_000;

/// The process ends this long before Velero's timeout at the latest, ms: what it printed must still get through.
const EXIT_RESERVE_MS: u64 = 300;

/// Goes on under a round's grant. Gives back who took over in the last moment, if somebody did.
pub async fn released(hook: &Hook, member: &mut Member, epoch: Epoch) -> Option<TakenOver> {
    let waited = seconds(hook.clock.elapsed_ms());
    let held = Quiesce::Nothing.begin();
    let change = quiesced(hook, Admission::Released, Some(epoch));
    let reported = match report(hook, member, &change, REPORT_RELEASED_MS).await {
        Ok(Written::Stored) => "reported".to_owned(),
        Ok(Written::TakenOver(taken)) => return Some(taken),
        Err(e) => format!("NOT reported, so the receipt will not count it: {}", chain(&e)),
    };
    let at_most = format_ms(u64::from(hook.limits.hold_s) * 1_000);
    hook.lines.say(format_args!(
        "released in round {epoch} after {waited}; quiesced ({held}), {reported}; counts until post runs, {at_most} at most"
    ));
    None
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
        let change = Change::Failed(format!("{} in {waited}", said(why)));
        if why != Unreleased::Refused && member.is_stored() {
            // Without this note the coordinator finds out when the Lease expires: later, but all the same.
            let _ = report(hook, member, &change, REPORT_UNRELEASED_MS).await;
        }
        return Err(Failure::Unreleased { why, cause });
    }
    let admission = why.admission();
    let held = Quiesce::Nothing.begin();
    let change = quiesced(hook, admission, None);
    let reported = if why == Unreleased::Refused {
        "not reported".to_owned()
    } else {
        match report(hook, member, &change, REPORT_UNRELEASED_MS).await {
            Ok(Written::Stored) => "reported".to_owned(),
            Ok(Written::TakenOver(_)) => "not reported: another run of the hook has the Lease".to_owned(),
            Err(_) => "not reported".to_owned(),
        }
    };
    hook.lines.say(format_args!(
        "GOES ON WITHOUT A RELEASE after {waited} ({admission}): {}{because}; quiesced ({held}), {reported}",
        said(why)
    ));
    Ok(())
}

/// There was no way to register at all.
pub fn unregistered(hook: &Hook, why: Unreleased, cause: Cause) -> Result<(), Failure> {
    if why.policy(&hook.limits) == Policy::Fail {
        return Err(Failure::Unreleased { why, cause: Some(cause) });
    }
    let held = Quiesce::Nothing.begin();
    hook.lines.say(format_args!(
        "GOES ON WITHOUT A RELEASE ({}): {} ({}); quiesced ({held}), not reported",
        why.admission(),
        said(why),
        chain(cause.as_ref())
    ));
    Ok(())
}

/// The deadline came while this run followed a later one, which still waits. The Lease is the later run's to write.
pub fn behind_another(hook: &Hook) -> Result<(), Failure> {
    let why = Unreleased::Deadline;
    if why.policy(&hook.limits) == Policy::Fail {
        return Err(Failure::Unreleased { why, cause: None });
    }
    let held = Quiesce::Nothing.begin();
    hook.lines.say(format_args!(
        "GOES ON WITHOUT A RELEASE ({}): {}, while a later run of the hook still waits; quiesced ({held}), not reported",
        why.admission(),
        said(why)
    ));
    Ok(())
}

fn quiesced(hook: &Hook, admission: Admission, epoch: Option<Epoch>) -> Change {
    Change::Quiesced { at: Clock::wall(), admission, epoch, hold_s: hook.limits.hold_s }
}

/// Writes a change, for `within_ms` at most and never so long that Velero's timeout would come first.
async fn report(hook: &Hook, member: &mut Member, change: &Change, within_ms: u64) -> Result<Written, GaveUp> {
    let latest_ms = hook.limits.hook_timeout_ms.saturating_sub(EXIT_RESERVE_MS);
    let end_ms = hook.clock.elapsed_ms().saturating_add(within_ms).min(latest_ms);
    retry::until(&hook.clock, end_ms, async |limit| member.write(change, limit).await, |_| ()).await
}
