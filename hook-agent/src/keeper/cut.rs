//! What the coordinator says while something is held: that all of it is cut, or that the hold is over for another reason.

use std::pin::pin;

use futures::StreamExt;
use shared::admission::AttemptVerdict;
use shared::group_lease::GroupLease;
use shared::identity::{AttemptId, GroupId};
use shared::names::group_lease;

use crate::access;
use crate::client::Client;
use crate::keeper::watch::Cause;
use crate::keeper::wire::ReportTo;
use crate::leases::Leases;
use crate::watch_group::{Heard, WATCH_S, group_words};

/// Waits until the coordinator says that whoever holds `attempt` lets go, for ever if need be: without a registration, a group, a network or the
/// right to watch there is nothing to hear, and the local limit ends the hold.
pub async fn told(attempt: &str, to: Option<&ReportTo>) -> Cause {
    match hear(attempt, to).await {
        Some(cause) => cause,
        None => std::future::pending().await,
    }
}

async fn hear(attempt: &str, to: Option<&ReportTo>) -> Option<Cause> {
    let attempt: AttemptId = attempt.parse().ok()?;
    let to = to?;
    let group: &GroupId = to.group.as_ref()?;
    let client = Client::new(access::find(&to.access).ok()?).ok()?;
    let mut words = pin!(group_words(Leases::new(client, to.namespace.clone()), group_lease(group), WATCH_S));
    loop {
        match words.next().await? {
            Heard::Lease(lease) => {
                if let Some(cause) = word_about(&lease, &attempt) {
                    return Some(cause);
                }
            }
            Heard::Refused(_) => return None,
            Heard::Connected | Heard::Absent | Heard::Nonsense(_) | Heard::Lost(_) => {}
        }
    }
}

/// An attempt's name is drawn at random by its own run of the hook: a word about an earlier one never means this hold (invariant I5).
fn word_about(lease: &GroupLease, attempt: &AttemptId) -> Option<Cause> {
    if lease.is_cut(attempt) {
        return Some(Cause::Cut);
    }
    match lease.verdict(attempt)? {
        AttemptVerdict::Ended => {
            Some(Cause::Told("the coordinator ended it (the group was held as long as it may be)".to_owned()))
        }
        AttemptVerdict::Superseded => Some(Cause::Told("a later run of the hook has its place".to_owned())),
        AttemptVerdict::Waiting | AttemptVerdict::Admitted => None,
    }
}
