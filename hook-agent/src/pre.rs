//! `hook-agent pre`: who am I, register, wait, quiesce, report, return. Each step is a file; this one puts them in order.

mod called;
mod go;
mod prepare;
mod register;
mod wait;

use shared::duration::format_ms;
use shared::exit_code::ExitCode;
use shared::identity::Nonce;

use crate::clock::Clock;
use crate::decide::{CallTo, Release, Unreleased};
use crate::failure::{Cause, Failure};
use crate::follow::{Followed, follow};
use crate::lines::Lines;
use crate::member::{Change, Member, TakenOver};
use crate::quiesce::plan::Plan;
use crate::resident::ask::Engaged;
use crate::retry::call_limit;
use crate::settings::{AccessFlags, Limits, Policy, PreSettings, QuiesceSettings};
use crate::signals::Signals;
use called::After;
use prepare::Prepared;

/// How often one run of the hook registers, at most. More means that something (a wrong pod uid, whose Lease is collected
/// at once; two hooks that fight) takes the registration away each time.
const REGISTRATIONS_MAX: u32 = 3;

/// How long a signal's withdrawal may take, ms: whoever sent the signal waits, and the Lease expires by itself anyway.
const WITHDRAW_MS: u64 = 1_000;

/// What every step of `pre` needs.
pub struct Hook {
    /// How long it waits for what.
    pub limits: Limits,
    /// The time.
    pub clock: Clock,
    /// How it talks.
    pub lines: Lines,
    /// How the pod is held still, once that is known.
    pub plan: Plan,
    /// The rest about holding still.
    pub quiesce: QuiesceSettings,
    /// How the API server is reached; the keeper must know it too.
    pub access: AccessFlags,
    /// The pod's resident, where one answers. It leaves calls to this hook as long as this lives.
    pub resident: Option<Engaged>,
    /// Why the pod is not still though this hook has no steps: its resident has them.
    pub resident_holds: Option<&'static str>,
}

/// How a wait ended.
#[derive(Debug)]
pub enum Pass {
    /// Released, in this round.
    Released(Release),
    /// Not released; what was seen last.
    Unreleased(Unreleased, Option<Cause>),
    /// Lead mode: the round calls this pod, so hold still at once.
    Called(CallTo),
    /// The round that called it is over and never released it.
    RoundOver,
    /// The coordinator says that a later run of the hook took over.
    Superseded,
    /// The coordinator says that the attempt was ended.
    Ended,
    /// The Lease says that somebody else took over.
    Taken(TakenOver),
}

/// What an attempt came to.
enum Turn {
    /// The hook is through.
    Through,
    /// The place is free again: register anew.
    Again(&'static str),
}

/// Runs `pre` and says how it ended.
pub async fn run(settings: &PreSettings, clock: Clock) -> ExitCode {
    let mut hook = Hook {
        limits: settings.limits,
        clock,
        lines: Lines::of("pre"),
        plan: Plan::default(),
        quiesce: settings.quiesce.clone(),
        access: settings.access.clone(),
        resident: None,
        resident_holds: None,
    };
    match hold(settings, &mut hook).await {
        Ok(()) => ExitCode::Ok,
        Err(failure) => {
            hook.lines.say(failure.line());
            failure.exit_code()
        }
    }
}

async fn hold(settings: &PreSettings, hook: &mut Hook) -> Result<(), Failure> {
    let mut signals =
        Signals::listen().map_err(|e| Failure::Internal { what: "signals cannot be caught", cause: e.into() })?;
    let prepared = tokio::select! {
        biased;
        signal = signals.next() => return Err(Failure::Withdrawn { signal, done: "nothing was registered yet" }),
        prepared = prepare::prepare(settings, hook) => prepared?,
    };
    let mut member = match prepared {
        Prepared::NoGroup => return Ok(()),
        Prepared::Cut(why, cause) => {
            return tokio::select! {
                biased;
                signal = signals.next() => Err(Failure::Withdrawn { signal, done: "nothing was registered" }),
                gone = go::unregistered(hook, why, cause) => gone,
            };
        }
        Prepared::Member(member) => *member,
    };
    say_what_comes(hook);
    tokio::select! {
        biased;
        signal = signals.next() => Err(withdraw(signal, &mut member).await),
        ended = attempts(hook, &mut member) => ended,
    }
}

fn say_what_comes(hook: &Hook) {
    let Limits { hook_timeout_ms, deadline_ms, on_deadline, .. } = hook.limits;
    let then = match on_deadline {
        Policy::Go => "goes on by itself",
        Policy::Fail => "fails",
    };
    hook.lines.say(format_args!(
        "registers and waits for the group's release; {then} after {} (hook timeout {})",
        format_ms(deadline_ms),
        format_ms(hook_timeout_ms)
    ));
}

/// Runs attempts until one is through.
async fn attempts(hook: &Hook, member: &mut Member) -> Result<(), Failure> {
    let mut reason = "";
    let failed = hook.resident.as_ref().and_then(|resident| resident.word.failed.as_ref());
    if let Some(why) = failed.filter(|_| hook.plan.is_empty()) {
        return Err(Failure::Quiesce(format!("the pod's resident: {why}")));
    }
    if let Some(called) = hook.resident.as_ref().and_then(|resident| resident.word.called.as_ref()) {
        match called::join(hook, member, called).await? {
            Turn::Through => return Ok(()),
            Turn::Again(why) => {
                hook.lines.say(format_args!("registers by itself: {why}"));
                prepare::sweep(hook).await;
            }
        }
    }
    for turn in 0..REGISTRATIONS_MAX {
        if turn > 0 {
            hook.lines.say(format_args!("registers again: {reason}"));
            member.start_over(nonce()?);
        }
        match attempt(hook, member).await? {
            Turn::Through => return Ok(()),
            Turn::Again(why) => reason = why,
        }
    }
    Err(Failure::Ended(format!("registered {REGISTRATIONS_MAX} times, and each time {reason} (is POD_UID right?)")))
}

/// One attempt: from registration to the report, or to whatever came in between.
async fn attempt(hook: &Hook, member: &mut Member) -> Result<Turn, Failure> {
    let mut pass = match register::register(hook, member).await {
        Ok(()) => wait::wait(hook, member).await,
        Err((why, cause)) => Pass::Unreleased(why, Some(cause)),
    };
    loop {
        pass = match pass {
            Pass::Released(release) => match go::released(hook, member, release).await? {
                None => return Ok(Turn::Through),
                Some(taken) => Pass::Taken(taken),
            },
            Pass::Unreleased(why, cause) => {
                return go::unreleased(hook, member, why, cause).await.map(|()| Turn::Through);
            }
            Pass::Called(call) => match called::obey(hook, member, call).await? {
                After::Turn(turn) => return Ok(turn),
                After::Pass(pass) => pass,
            },
            Pass::RoundOver => return Ok(Turn::Again("its round ended before it was released")),
            Pass::Ended => return Err(Failure::Ended("the coordinator saw its end".to_owned())),
            Pass::Taken(TakenOver::Ended(phase)) => {
                return Err(Failure::Ended(format!("its Lease says `{phase}`")));
            }
            Pass::Taken(TakenOver::Deleted) => return Ok(Turn::Again("its Lease was deleted")),
            Pass::Superseded | Pass::Taken(TakenOver::By(_)) => match successor(hook, member).await {
                Followed::Through(phase) => {
                    hook.lines
                        .say(format_args!("a later run of the hook got through ({phase}); nothing is left to do"));
                    return Ok(Turn::Through);
                }
                Followed::Free(why) => return Ok(Turn::Again(why)),
                Followed::Deadline => return go::behind_another(hook, member).await.map(|()| Turn::Through),
            },
        };
    }
}

async fn successor(hook: &Hook, member: &Member) -> Followed {
    let (leases, name, own) = (member.leases(), member.lease_name(), member.attempt());
    follow(leases, name, own, &hook.clock, hook.limits.deadline_ms, &hook.lines).await
}

async fn withdraw(signal: &'static str, member: &mut Member) -> Failure {
    if !member.may_be_stored() {
        return Failure::Withdrawn { signal, done: "nothing was registered yet" };
    }
    let limit = call_limit(WITHDRAW_MS);
    let done = match tokio::time::timeout(limit, member.write(&Change::Withdrawn, limit)).await {
        Ok(Ok(crate::member::Written::Stored)) => "the registration is withdrawn",
        Ok(Ok(crate::member::Written::TakenOver(_))) => "the registration was somebody else's already",
        Ok(Err(_)) | Err(_) => "the registration could not be withdrawn and will expire",
    };
    Failure::Withdrawn { signal, done }
}

/// 64 random bits from the system.
pub fn nonce() -> Result<Nonce, Failure> {
    let mut bytes = [0; 8];
    getrandom::getrandom(&mut bytes)
        .map_err(|e| Failure::Internal { what: "the system gives no random bytes", cause: e.into() })?;
    Ok(Nonce::from_bits(u64::from_le_bytes(bytes)))
}
