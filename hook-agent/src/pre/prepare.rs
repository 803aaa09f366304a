//! What must be known before anything is registered: the pod, its group, how it is held still, a way to the API server.

use std::time::Duration;

use shared::identity::PodUid;
use shared::names::LABEL_SNAPSHOT_GROUP;

use crate::access;
use crate::client::Client;
use crate::decide::Unreleased;
use crate::failure::{Cause, Failure};
use crate::group::{self, AskFailure, Known, OfPod};
use crate::identity::{Sources, Who};
use crate::keeper::ask::{Found, let_go};
use crate::keeper::outcome::Outcome;
use crate::keeper::place::Place;
use crate::leases::Leases;
use crate::member::{Member, Registrant};
use crate::pre::{Hook, nonce};
use crate::quiesce::choose::{Said, annotations_in, choose};
use crate::resident::ask::Engaged;
use crate::retry::GaveUp;
use crate::settings::{PreSettings, deadline_for};

/// How long letting go of what an earlier attempt left may take, ms: most of it is the user's own programs.
const SWEEP_MS: u64 = 10_000;

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
    let limit_ms = settings.limits.deadline_ms.saturating_sub(hook.clock.elapsed_ms());
    hook.resident = Engaged::before_pre(settings.quiesce.state_dir.as_deref(), Duration::from_millis(limit_ms)).await;
    hook.resident_holds = Engaged::holds_instead(hook.resident.as_ref(), settings.quiesce.state_dir.as_deref());
    let called = hook.resident.as_ref().is_some_and(|resident| resident.word.called.is_some());
    if !called {
        sweep(hook).await;
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
    let said = annotations_in(&settings.quiesce.annotations_file)?;
    plan_by(settings, hook, &said, &settings.quiesce.annotations_file.display().to_string())?;
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
            Ok(OfPod { group: Some(group), said: of_pod }) => {
                hook.lines = hook.lines.in_group(&group);
                if said == Said::default() {
                    plan_by(settings, hook, &of_pod, "the Pod")?;
                }
                group
            }
            Ok(OfPod { group: None, .. }) => {
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
    let resident = hook.resident.as_ref().and_then(|resident| resident.word.resident.clone());
    let registrant = Registrant { who, uid, group, left_ms, quiesce: hook.plan.kinds(), resident };
    let member = Member::new(leases, registrant, nonce()?)
        .map_err(|source| crate::identity::IdentityFailure::Illegal { origin: "the pod's name".to_owned(), source })?;
    Ok(Prepared::Member(Box::new(member)))
}

/// A fresh attempt begins in a pod that holds nothing: whatever an earlier one left is let go first.
pub(super) async fn sweep(hook: &Hook) {
    let state_dir = hook.quiesce.state_dir.as_deref();
    let limit = Duration::from_millis(SWEEP_MS.min(hook.limits.deadline_ms));
    match let_go(state_dir, "a new run of the pre hook began", limit).await {
        Found::Nothing | Found::Earlier(_) => {}
        Found::LetGo(outcome) => {
            hook.lines.say(format_args!("an earlier run had left something held; let go of {}", outcome.words));
        }
        Found::StillHeld(why) => {
            hook.lines.say(format_args!("AN EARLIER RUN LEFT SOMETHING HELD THAT CANNOT BE LET GO: {why}"));
        }
    }
    // What is left from here on is this run's.
    for place in Place::existing(state_dir) {
        Outcome::forget(&place);
    }
}

/// Takes plan and policy of flags and annotations, and makes the wait short enough for it.
fn plan_by(settings: &PreSettings, hook: &mut Hook, said: &Said, origin: &str) -> Result<(), Failure> {
    hook.quiesce = settings.quiesce.with_annotations(said, &settings.limits)?;
    hook.plan = choose(settings.quiesce.plan.as_deref(), said.plan.as_deref(), origin)?;
    hook.limits.deadline_ms = deadline_for(&hook.plan, &settings.limits)?;
    Ok(())
}

async fn ask(
    settings: &PreSettings,
    hook: &Hook,
    leases: &Leases,
    who: &Who,
    uid: &PodUid,
) -> Result<OfPod, AskFailure> {
    let end_ms = hook.limits.silence_ms.min(hook.limits.deadline_ms);
    group::from_pod(leases, who, Some(uid), &settings.names, &hook.clock, end_ms).await
}

fn say_no_group(hook: &Hook) {
    let unused = if hook.quiesce.plan.is_some() { ", and nothing is held still" } else { "" };
    hook.lines.say(format_args!("no label {LABEL_SNAPSHOT_GROUP}: in no snapshot group, nothing to wait for{unused}"));
}
