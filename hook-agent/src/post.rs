//! `hook-agent post`: lets go, and marks the pod's registration as done. One request when all is well.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use serde_json::{Value, json};
use shared::admission::MemberPhase;
use shared::deadline::POST_DEADLINE_MS;
use shared::exit_code::ExitCode;
use shared::identity::{GroupId, LeaseName};
use shared::member_lease::{MemberLease, annotations};
use shared::names::{LABEL_SNAPSHOT_GROUP, member_lease};
use shared::time::WallTime;

use crate::access;
use crate::call::CallError;
use crate::client::Client;
use crate::clock::Clock;
use crate::decide::Unreleased;
use crate::failure::{Cause, Failure, said};
use crate::group::{self, Known};
use crate::identity::{IdentityFailure, Sources};
use crate::leases::Leases;
use crate::lines::{Lines, Progress, chain};
use crate::retry::{self, GaveUp};
use crate::settings::{Policy, PostSettings};

/// Runs `post` and says how it ended.
pub async fn run(settings: &PostSettings, clock: Clock) -> ExitCode {
    let mut lines = Lines::of("post");
    match let_go(settings, &clock, &mut lines).await {
        Ok(()) => ExitCode::Ok,
        Err(failure) => {
            lines.say(failure.line());
            failure.exit_code()
        }
    }
}

async fn let_go(settings: &PostSettings, clock: &Clock, lines: &mut Lines) -> Result<(), Failure> {
    let thawed_at = Clock::wall();
    let mut sources = Sources::new(&settings.names, settings.access.token_file.clone());
    let who = sources.who();
    if let Ok(who) = &who {
        *lines = lines.about(who);
    }
    match group::from_here(&settings.names) {
        Ok(Known::NoGroup) => {
            lines.say(format_args!("no label {LABEL_SNAPSHOT_GROUP}: in no snapshot group, nothing to let go"));
            return Ok(());
        }
        Ok(Known::In(group)) => *lines = lines.in_group(&group),
        // Which group it was does not matter here: what is registered is ended, also when the label is wrong by now.
        Ok(Known::Unknown) | Err(_) => {}
    }
    let who = who?;
    let name = member_lease(&who.pod)
        .map_err(|source| IdentityFailure::Illegal { origin: "the pod's name".to_owned(), source })?;
    let access = match access::find(&settings.access) {
        Ok(access) => access,
        Err(e) if e.is_usage() => return Err(Failure::Kubeconfig(e)),
        Err(e) => return unanswered(settings, lines, Unreleased::Unreachable, e.into()),
    };
    let client = match Client::new(access) {
        Ok(client) => client,
        Err(e) => return unanswered(settings, lines, Unreleased::Unreachable, e.into()),
    };
    let mut ending = Ending { leases: Leases::new(client, who.namespace), name, thawed_at, tried: false };
    let mut progress = Progress::new();
    let ended = retry::until(
        clock,
        POST_DEADLINE_MS,
        async |limit| ending.attempt(limit).await,
        |error| {
            if progress.due(clock) {
                lines.say(format_args!("cannot end the registration yet: {}", chain(error)));
            }
        },
    )
    .await;
    match ended {
        Ok(ended) => {
            lines.say(ended.line());
            Ok(())
        }
        Err(e @ GaveUp::Refused(_)) => unanswered(settings, lines, Unreleased::Refused, e.into()),
        Err(e @ GaveUp::OutOfTime { .. }) => unanswered(settings, lines, Unreleased::Unreachable, e.into()),
    }
}

/// Nothing is held by this process any more, so the backup goes on; the grant returns when the Lease expires.
fn unanswered(settings: &PostSettings, lines: &Lines, why: Unreleased, cause: Cause) -> Result<(), Failure> {
    if settings.on_unreachable == Policy::Fail {
        return Err(Failure::Unreleased { why, cause: Some(cause) });
    }
    lines.say(format_args!(
        "COULD NOT END THE REGISTRATION: {} ({}); it expires by itself, the budget is short of it until then",
        said(why),
        chain(cause.as_ref())
    ));
    Ok(())
}

/// How the registration ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// It is done; whether the pod was quiesced before.
    Done { quiesced: bool, group: Option<GroupId> },
    /// There is none.
    NoRegistration,
    /// A newer run of `pre` registered while this `post` tried: that one's registration is not this one's to end.
    LeftToNewer,
}

impl Ended {
    fn line(&self) -> String {
        match self {
            Self::Done { quiesced: true, group } => format!("done{}: let go", of(group.as_ref())),
            Self::Done { quiesced: false, group } => {
                format!(
                    "done{}, but pre had not quiesced this pod: its snapshot is crash-consistent at best",
                    of(group.as_ref())
                )
            }
            Self::NoRegistration => "no registration: nothing to end".to_owned(),
            Self::LeftToNewer => "a newer run of pre has registered meanwhile: left alone".to_owned(),
        }
    }
}

fn of(group: Option<&GroupId>) -> String {
    group.map_or_else(String::new, |group| format!(" in group {group}"))
}

/// Ending one registration, over as many tries as it takes.
struct Ending {
    leases: Leases,
    name: LeaseName,
    thawed_at: WallTime,
    tried: bool,
}

impl Ending {
    async fn attempt(&mut self, limit: Duration) -> Result<Ended, CallError> {
        let known = if self.tried { Some(self.leases.get(&self.name, limit).await) } else { None };
        self.tried = true;
        let version = match known {
            // The first try needs no look: nothing newer can have registered since this process began.
            None => None,
            Some(Ok(lease)) => match self.look(&lease) {
                Some(ended) => return Ok(ended),
                None => lease.metadata.resource_version,
            },
            Some(Err(CallError::NotFound { .. })) => return Ok(Ended::NoRegistration),
            Some(Err(e)) => return Err(e),
        };
        match self.leases.merge(&self.name, &self.patch(version.as_deref()), limit).await {
            Ok(lease) => Ok(done(&lease)),
            Err(CallError::NotFound { .. }) => Ok(Ended::NoRegistration),
            Err(e) => Err(e),
        }
    }

    /// What an earlier try may have come to without an answer, or whether the Lease is another run's by now. Both times
    /// compared here were written by this pod's own clock.
    fn look(&self, lease: &Lease) -> Option<Ended> {
        let member = MemberLease::decode(lease).ok()?;
        if member.phase == MemberPhase::Done && member.thawed_at == Some(self.thawed_at) {
            return Some(done(lease));
        }
        (member.registered_at > self.thawed_at).then_some(Ended::LeftToNewer)
    }

    fn patch(&self, version: Option<&str>) -> Value {
        let now = self.thawed_at.to_string();
        let mut patch = json!({
            "metadata": { "annotations": { annotations::PHASE: MemberPhase::Done.as_str(), annotations::THAWED_AT: now } },
            "spec": { "renewTime": now },
        });
        if let Some(version) = version {
            patch["metadata"]["resourceVersion"] = json!(version);
        }
        patch
    }
}

fn done(lease: &Lease) -> Ended {
    let member = MemberLease::decode(lease).ok();
    Ended::Done { quiesced: member.as_ref().is_some_and(|m| m.quiesced_at.is_some()), group: member.map(|m| m.group) }
}

#[cfg(test)]
mod tests;
