//! What must be known before anything is registered: the pod, its group, a way to the API server.

use shared::identity::{GroupId, PodUid};
use shared::names::LABEL_SNAPSHOT_GROUP;

use crate::access;
use crate::client::Client;
use crate::decide::Unreleased;
use crate::failure::{Cause, Failure};
use crate::group::{self, AskFailure, Known};
use crate::identity::{Sources, Who};
use crate::leases::Leases;
use crate::member::{Member, Registrant};
use crate::pre::{Hook, nonce};
use crate::retry::GaveUp;
use crate::settings::PreSettings;

/// What preparing came to.
pub enum Prepared {
    /// The pod is in no group; that was said.
    NoGroup,
    /// There is no way to register.
    Cut(Unreleased, Cause),
    /// Ready to register.
    Member(Box<Member>),
}

/// Finds out who, which group and whom to ask. `hook.lines` names more of it from step to step.
pub async fn prepare(settings: &PreSettings, hook: &mut Hook) -> Result<Prepared, Failure> {
    let mut sources = Sources::new(&settings.names, settings.access.token_file.clone());
    let who = sources.who();
    if let Ok(who) = &who {
        hook.lines = hook.lines.about(who);
    }
    // A pod without a group needs no identity: it is let go before anything can be wrong with that.
    let known = group::from_here(&settings.names)?;
    match &known {
        Known::NoGroup => {
            say_no_group(hook);
            return Ok(Prepared::NoGroup);
        }
        Known::In(group) => hook.lines = hook.lines.in_group(group),
        Known::Unknown => {}
    }
    let (who, uid) = (who?, sources.uid()?);
    let access = match access::find(&settings.access) {
        Ok(access) => access,
        Err(e) if e.is_usage() => return Err(Failure::Kubeconfig(e)),
        Err(e) => return Ok(Prepared::Cut(Unreleased::Unreachable, e.into())),
    };
    let client = match Client::new(access) {
        Ok(client) => client,
        Err(e) => return Ok(Prepared::Cut(Unreleased::Unreachable, e.into())),
    };
    let leases = Leases::new(client, who.namespace.clone());
    let group = match known {
        Known::In(group) => group,
        Known::NoGroup | Known::Unknown => match ask(settings, hook, &leases, &who, &uid).await {
            Ok(Some(group)) => {
                hook.lines = hook.lines.in_group(&group);
                group
            }
            Ok(None) => {
                say_no_group(hook);
                return Ok(Prepared::NoGroup);
            }
            Err(AskFailure::Group(e)) => return Err(e.into()),
            Err(AskFailure::Identity(e)) => return Err(e.into()),
            Err(AskFailure::Unanswered(gave_up)) => {
                let why = match gave_up {
                    GaveUp::Refused(_) => Unreleased::Refused,
                    GaveUp::OutOfTime { .. } => Unreleased::Unreachable,
                };
                return Ok(Prepared::Cut(why, AskFailure::Unanswered(gave_up).into()));
            }
        },
    };
    let left_ms = hook.limits.deadline_ms.saturating_sub(hook.clock.elapsed_ms());
    let registrant = Registrant { who, uid, group, left_ms };
    let member = Member::new(leases, registrant, nonce()?)
        .map_err(|source| crate::identity::IdentityFailure::Illegal { origin: "the pod's name".to_owned(), source })?;
    Ok(Prepared::Member(Box::new(member)))
}

async fn ask(
    settings: &PreSettings,
    hook: &Hook,
    leases: &Leases,
    who: &Who,
    uid: &PodUid,
) -> Result<Option<GroupId>, AskFailure> {
    let end_ms = hook.limits.silence_ms.min(hook.limits.deadline_ms);
    group::from_pod(leases, who, Some(uid), &settings.names, &hook.clock, end_ms).await
}

fn say_no_group(hook: &Hook) {
    hook.lines.say(format_args!("no label {LABEL_SNAPSHOT_GROUP}: in no snapshot group, nothing to wait for"));
}
