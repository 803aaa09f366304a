//! `hook-agent post`: lets go, and marks the pod's registration as done. One request when all is well.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use serde_json::{Value, json};
use shared::admission::MemberPhase;
use shared::boot_time::BootTime;
use shared::deadline::POST_DEADLINE_MS;
use shared::exit_code::ExitCode;
use shared::identity::{GroupId, LeaseName, PodUid};
use shared::member_lease::{FAILURE_CHARS_MAX, MemberLease, annotations, let_go_annotations};
use shared::names::{LABEL_SNAPSHOT_GROUP, member_lease};
use shared::quiesce::LetGo;

use crate::access;
use crate::call::CallError;
use crate::client::Client;
use crate::clock::{Clock, Moment};
use crate::decide::Unreleased;
use crate::failure::{Cause, Failure, said};
use crate::group::{self, Known};
use crate::identity::{IdentityFailure, Sources};
use crate::keeper::{self, ask::Found};
use crate::leases::Leases;
use crate::lines::{Lines, Progress, chain};
use crate::retry::{self, GaveUp};
use crate::settings::{Policy, PostSettings};

/// How long letting go may take, ms: what is left of post's time is for the registration.
const LOCAL_MS: u64 = 12_000;

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
    let began = Moment::now();
    // Before anything can be wrong with names or networks.
    let limit = Duration::from_millis(LOCAL_MS);
    let found =
        keeper::ask::let_go(settings.state_dir.as_deref(), "the post hook asked, and no keeper was there", limit).await;
    let done = end_registration(settings, clock, lines, began, &found).await;
    match found {
        // Whatever became of the registration, this is worse.
        Found::StillHeld(why) => Err(Failure::StillHeld(why)),
        Found::Nothing | Found::LetGo(_) | Found::Earlier(_) => done,
    }
}

async fn end_registration(
    settings: &PostSettings,
    clock: &Clock,
    lines: &mut Lines,
    began: Moment,
    found: &Found,
) -> Result<(), Failure> {
    let mut sources = Sources::new(&settings.names, settings.access.token_file.clone());
    let who = sources.who();
    if let Ok(who) = &who {
        *lines = lines.about(who);
    }
    match group::from_here(&settings.names) {
        Ok(Known::NoGroup) => {
            lines.say(format_args!("no label {LABEL_SNAPSHOT_GROUP}: in no snapshot group, {}", local(found)));
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
        Err(e) => return unanswered(settings, lines, found, Unreleased::Unreachable, e.into()),
    };
    let client = match Client::new(access) {
        Ok(client) => client,
        Err(e) => return unanswered(settings, lines, found, Unreleased::Unreachable, e.into()),
    };
    let leases = Leases::new(client, who.namespace);
    // Where the uid cannot be told, whoever is registered under this name is taken for this pod.
    let pod_uid = sources.uid().ok();
    let mut ending =
        Ending { leases, name, pod_uid, evidence: Evidence::of(found, began.clone()), began, tried: false };
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
            lines.say(format_args!("{}; {}", ended.line(), local(found)));
            Ok(())
        }
        Err(e @ GaveUp::Refused(_)) => unanswered(settings, lines, found, Unreleased::Refused, e.into()),
        Err(e @ GaveUp::OutOfTime { .. }) => unanswered(settings, lines, found, Unreleased::Unreachable, e.into()),
    }
}

/// What could be let go is let go, so the backup goes on; the grant returns when the Lease expires.
fn unanswered(
    settings: &PostSettings,
    lines: &Lines,
    found: &Found,
    why: Unreleased,
    cause: Cause,
) -> Result<(), Failure> {
    if settings.on_unreachable == Policy::Fail {
        if *found != Found::Nothing {
            lines.say(local(found));
        }
        return Err(Failure::Unreleased { why, cause: Some(cause) });
    }
    lines.say(format_args!(
        "COULD NOT END THE REGISTRATION: {} ({}); it expires by itself, the budget is short of it until then; {}",
        said(why),
        chain(cause.as_ref()),
        local(found)
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
    /// Another pod of this name registered, and is gone: Velero finds the pod of a post hook by name.
    OfAnotherPod,
    /// A newer run of `pre` registered while this `post` tried: that one's registration is not this one's to end.
    LeftToNewer,
}

impl Ended {
    fn line(&self) -> String {
        match self {
            Self::Done { quiesced: true, group } => format!("done{}", of(group.as_ref())),
            Self::Done { quiesced: false, group } => {
                format!(
                    "done{}, but this pod is not proven to have been quiesced: its snapshot counts as crash-consistent",
                    of(group.as_ref())
                )
            }
            Self::OfAnotherPod => {
                "what is registered is an earlier pod's of this name: left alone, this pod was not there for the cut"
                    .to_owned()
            }
            Self::NoRegistration => "no registration: nothing to end".to_owned(),
            Self::LeftToNewer => "a newer run of pre has registered meanwhile: left alone".to_owned(),
        }
    }
}

fn of(group: Option<&GroupId>) -> String {
    group.map_or_else(String::new, |group| format!(" in group {group}"))
}

/// What the registration's end says about the hold.
struct Evidence {
    thawed: Moment,
    let_go: LetGo,
    failure: Option<String>,
}

impl Evidence {
    fn of(found: &Found, began: Moment) -> Self {
        match found {
            Found::Nothing => Self { thawed: began, let_go: LetGo::NothingFound, failure: None },
            Found::LetGo(outcome) | Found::Earlier(outcome) => Self {
                thawed: Moment { wall: outcome.thawed_at, boot: outcome.thawed_boot.clone() },
                let_go: outcome.let_go,
                failure: (!matches!(outcome.let_go, LetGo::Asked | LetGo::Cut)).then(|| outcome.words.clone()),
            },
            Found::StillHeld(why) => {
                Self { thawed: began, let_go: LetGo::Unproven, failure: Some(format!("not let go: {why}")) }
            }
        }
    }
}

/// What became of what was held here, for people.
fn local(found: &Found) -> String {
    match found {
        Found::Nothing => "no keeper here, so nothing was held to let go".to_owned(),
        Found::LetGo(outcome) => format!("let go of {}", outcome.words),
        Found::Earlier(outcome) if outcome.let_go == LetGo::Cut => format!("let go before: {}", outcome.words),
        Found::Earlier(outcome) => format!("HAD BEEN LET GO BEFORE: {}", outcome.words),
        Found::StillHeld(why) => format!("NOT let go: {why}"),
    }
}

/// Ending one registration, over as many tries as it takes.
struct Ending {
    leases: Leases,
    name: LeaseName,
    pod_uid: Option<PodUid>,
    began: Moment,
    evidence: Evidence,
    tried: bool,
}

impl Ending {
    async fn attempt(&mut self, limit: Duration) -> Result<Ended, CallError> {
        let tried = std::mem::replace(&mut self.tried, true);
        let ended = match self.at_once(tried, limit).await {
            Some(ended) => ended,
            None => self.after_a_look(limit).await,
        };
        match ended {
            Err(CallError::NotFound { .. }) => Ok(Ended::NoRegistration),
            other => other,
        }
    }

    /// The first try needs no look: nothing newer can have registered since this process began, and whose it is the API server tests.
    async fn at_once(&self, tried: bool, limit: Duration) -> Option<Result<Ended, CallError>> {
        let uid = self.pod_uid.as_ref().filter(|_| !tried)?;
        match self.leases.change(&self.name, &self.steps(uid), limit).await {
            // It is another pod's, or not as this one wrote it.
            Err(CallError::Refused { status: 422, .. }) => None,
            changed => Some(changed.map(|lease| done(&lease))),
        }
    }

    async fn after_a_look(&self, limit: Duration) -> Result<Ended, CallError> {
        let lease = self.leases.get(&self.name, limit).await?;
        if let Some(ended) = self.look(&lease) {
            return Ok(ended);
        }
        let patch = self.patch(lease.metadata.resource_version.as_deref());
        self.leases.merge(&self.name, &patch, limit).await.map(|lease| done(&lease))
    }

    /// What an earlier try may have come to without an answer, or whether the Lease is another run's by now.
    fn look(&self, lease: &Lease) -> Option<Ended> {
        let owner = lease.metadata.owner_references.iter().flatten().find(|owner| owner.kind == "Pod");
        if let (Some(owner), Some(uid)) = (owner, &self.pod_uid)
            && owner.uid != uid.as_str()
        {
            return Some(Ended::OfAnotherPod);
        }
        let member = MemberLease::decode(lease).ok()?;
        if member.phase == MemberPhase::Done
            && member.thawed_at == Some(self.evidence.thawed.wall)
            && member.renewed_at == self.began.wall
        {
            return Some(done(lease));
        }
        self.registered_later(lease, &member).then_some(Ended::LeftToNewer)
    }

    /// Whether this attempt registered after this process began: by the machine's own clock, because the wall clock may have been set since. Another
    /// start of the machine was an earlier one, for this process runs in the latest. Agents of earlier versions left their wall clock alone.
    fn registered_later(&self, lease: &Lease, member: &MemberLease) -> bool {
        let said = lease.metadata.annotations.as_ref().and_then(|said| said.get(annotations::REGISTERED_BOOT));
        match (said.and_then(|said| said.parse::<BootTime>().ok()), &self.began.boot) {
            (Some(registered), Some(began)) => registered.start == began.start && registered.ms > began.ms,
            _ => member.registered_at > self.began.wall,
        }
    }

    /// [`Self::patch`] as steps that only count while the Lease is this pod's own.
    fn steps(&self, uid: &PodUid) -> Value {
        let patch = self.patch(None);
        let set = |path: String, value: &Value| json!({"op": "add", "path": path, "value": value});
        let annotations = patch["metadata"]["annotations"].as_object().into_iter().flatten();
        let annotations =
            annotations.map(|(key, value)| set(format!("/metadata/annotations/{}", key.replace('/', "~1")), value));
        let test = json!({"op": "test", "path": "/metadata/ownerReferences/0/uid", "value": uid});
        let renew = set("/spec/renewTime".to_owned(), &patch["spec"]["renewTime"]);
        std::iter::once(test).chain(annotations).chain([renew]).collect()
    }

    fn patch(&self, version: Option<&str>) -> Value {
        let Evidence { thawed, let_go, failure } = &self.evidence;
        let [nearest, exact] = let_go_annotations(Some(*let_go));
        let mut patch = json!({
            "metadata": { "annotations": {
                annotations::PHASE: MemberPhase::Done.as_str(),
                annotations::THAWED_AT: thawed.wall.to_string(),
                annotations::THAWED_BOOT: thawed.boot.as_ref().map(ToString::to_string).unwrap_or_default(),
                nearest.0: nearest.1,
                exact.0: exact.1,
            } },
            "spec": { "renewTime": self.began.wall.to_string() },
        });
        if let Some(failure) = failure {
            let kept: String = failure.chars().take(FAILURE_CHARS_MAX).collect();
            patch["metadata"]["annotations"][annotations::FAILURE] = json!(kept);
        }
        if let Some(version) = version {
            patch["metadata"]["resourceVersion"] = json!(version);
        }
        patch
    }
}

fn done(lease: &Lease) -> Ended {
    let member = MemberLease::decode(lease).ok();
    Ended::Done {
        quiesced: member.as_ref().is_some_and(|m| m.proven_quiesced_at().is_some()),
        group: member.map(|m| m.group),
    }
}

#[cfg(test)]
mod tests;
