//! The keeper's life: one hold, from the hook that asks for it to the end, whatever brings that about.

use std::io::Write;
use std::os::fd::AsFd;
use std::pin::pin;
use std::time::Duration;

use shared::duration::format_ms;
use shared::exit_code::ExitCode;
use shared::quiesce::LetGo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, ChildStdin};
use tokio::time::timeout;

use crate::clock::Moment;
use crate::keeper::boot_clock::{self, Bell};
use crate::keeper::cut::told;
use crate::keeper::ending::{Reach, from_record, in_words};
use crate::keeper::guard::DISMISSED;
use crate::keeper::hold::Holding;
use crate::keeper::outcome::Outcome;
use crate::keeper::place::Place;
use crate::keeper::record::Record;
use crate::keeper::report::report;
use crate::keeper::watch::{Cause, Watch};
use crate::keeper::wire::{Answer, Hold, ReportTo};
use crate::keeper::{alarm, spawn};
use crate::lines::{chain, seconds};
use crate::retry::Pauses;
use crate::signals::Signals;

/// A keeper that nobody wants for so long, ms, was started by a hook that is gone.
const UNWANTED_MS: u64 = 10_000;

/// How long a guard may take to be ready, ms. It is this program; a busy node starts it in a second at worst.
const GUARD_READY_MS: u64 = 5_000;

/// How often a guard that was killed is replaced. More means that somebody kills it on purpose.
const GUARDS_MAX: u32 = 4;

/// How often a failure to let go is cried out, ms.
const ALARM_EVERY_MS: u64 = 60_000;

/// Runs a keeper in `place`, if there is none. One that stands by does nothing until it is wanted, and ends when nobody can want it any more.
pub async fn run(place: Place, stands_by: bool) -> ExitCode {
    spawn::leave_session();
    let Ok(mut signals) = Signals::listen() else { return ExitCode::Internal };
    let mut guard = None;
    if stands_by {
        spawn::call_oneself(spawn::STANDS_BY);
        guard = Guard::start(&place).ok();
        if !is_wanted(&mut signals).await {
            return unwanted(guard).await;
        }
    }
    spawn::call_oneself("agent-keeper");
    let Ok(Some(lock)) = place.only_keeper() else { return unwanted(guard).await };
    // What a killed keeper left, whose guard was killed too: first things first.
    if let Ok(Some(record)) = Record::read(&place) {
        let log = record.hold.alarm_file.clone();
        let failed = |e: &_| alarm::say(&log, format_args!("ALARM: {}; tries again", in_words(e)));
        let _ = from_record(&place, record, &[], ("its keeper and guard were killed", false), Reach::All, None, failed)
            .await;
    }
    // A socket that nobody listens on is in the way of a new one.
    let _ = std::fs::remove_file(place.socket());
    let Ok(listener) = UnixListener::bind(place.socket()) else { return ExitCode::Internal };
    let mut watch = Watch::new(listener, signals);
    // Who started this process need not look again and again. Nobody may be there to read it.
    let _ = writeln!(std::io::stdout(), "listens");
    // While the hook connects and asks.
    let guard = guard.or_else(|| Guard::start(&place).ok());
    let wanted = timeout(Duration::from_millis(UNWANTED_MS), watch.first_hold()).await;
    let Ok(Some(hold)) = wanted else {
        for asker in &watch.askers {
            asker.answer(&Answer::Busy).await;
        }
        let _ = std::fs::remove_file(place.socket());
        return unwanted(guard).await;
    };
    let reported = keep(&place, hold, &mut watch, guard).await;
    let _ = std::fs::remove_file(place.socket());
    drop(lock);
    if let Some((to, outcome)) = reported {
        report(&to, &outcome).await;
    }
    ExitCode::Ok
}

/// Waits for the word of who started this process in advance. False: that one is gone, or a signal came.
async fn is_wanted(signals: &mut Signals) -> bool {
    let Ok(mut line) = std::io::stdin().as_fd().try_clone_to_owned().and_then(Receiver::from_owned_fd) else {
        return false;
    };
    let mut word = [0; 1];
    tokio::select! {
        biased;
        read = line.read(&mut word) => matches!(read, Ok(1..)) && word[0] == spawn::WANTED,
        _ = signals.next() => false,
    }
}

/// Ends without having held anything.
async fn unwanted(guard: Option<Guard>) -> ExitCode {
    if let Some(mut guard) = guard {
        guard.dismiss().await;
    }
    ExitCode::Ok
}

/// Holds and lets go. Gives what is to be reported, when no hook is there to do it.
async fn keep(place: &Place, hold: Hold, watch: &mut Watch, guard: Option<Guard>) -> Option<(ReportTo, Outcome)> {
    let limit_ms = hold.limit_ms;
    let mut holding = match Holding::new(place.clone(), hold) {
        Ok(holding) => holding,
        Err(e) => {
            refuse(watch, format!("the record of what is held cannot be written: {e}")).await;
            unwanted(guard).await;
            return None;
        }
    };
    let mut guard = match Guard::ready(guard, place).await {
        Ok(guard) => guard,
        Err(why) => {
            Record::forget(place);
            refuse(watch, why).await;
            return None;
        }
    };
    match Bell::at_ms(holding.record().end_boot_ms) {
        Ok(bell) => watch.set_bell(bell),
        Err(e) => {
            Record::forget(place);
            refuse(watch, format!("no timer to be had: {e}")).await;
            return None;
        }
    }
    let (cause, failure) = until_a_cause(place, &mut holding, watch, &mut guard).await;
    let outcome = end(place, &mut holding, watch, &cause, failure, limit_ms).await;
    holding.dismiss_resident().await;
    guard.dismiss().await;
    let to = holding.record().hold.report_to.clone()?;
    // A hook that asked, or that hears of the failure, writes the Lease itself.
    (!matches!(cause, Cause::Asked | Cause::Failed)).then_some((to, outcome))
}

async fn refuse(watch: &Watch, why: String) {
    if let Some(pre) = watch.pre() {
        pre.answer(&Answer::NotHeld { why }).await;
    }
}

/// Begins to hold, tells pre, and holds until there is a reason to let go; with what failed, if that is the reason.
async fn until_a_cause(
    place: &Place,
    holding: &mut Holding,
    watch: &mut Watch,
    guard: &mut Guard,
) -> (Cause, Option<String>) {
    let begun = tokio::select! {
        biased;
        cause = watch.stop() => return (cause, None),
        begun = holding.begin() => begun,
    };
    let Moment { wall: at, boot } = match begun {
        Ok(at) => at,
        Err((step, e)) => return (Cause::Failed, Some(format!("{step}: {}", chain(&e)))),
    };
    let held = Answer::Held { at, boot, notes: std::mem::take(&mut holding.notes) };
    match watch.pre() {
        Some(pre) if pre.answer(&held).await => {}
        _ => return (Cause::PreGone, None),
    }
    let (attempt, to) = (holding.record().hold.attempt.clone(), holding.record().hold.report_to.clone());
    let mut told = pin!(told(&attempt, to.as_ref()));
    loop {
        tokio::select! {
            biased;
            cause = watch.stop() => return (cause, None),
            cause = &mut told => return (cause, None),
            how = holding.lost() => return (Cause::Lost(how), None),
            () = guard.gone() => guard.replace(place).await,
        }
    }
}

/// Lets go, for as long as it takes; tells whoever asks, and leaves word for who asks later.
async fn end(
    place: &Place,
    holding: &mut Holding,
    watch: &mut Watch,
    cause: &Cause,
    failure: Option<String>,
    limit_ms: u64,
) -> Outcome {
    let Moment { wall: thawed_at, boot: thawed_boot } = Moment::now();
    let held_ms = boot_clock::now_ms().saturating_sub(holding.record().began_boot_ms);
    let log = holding.record().hold.alarm_file.clone();
    let what = holding.record().hold.steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut pauses = Pauses::new();
    let mut alarm_at_ms = 0;
    let mut failure = failure;
    let proven = loop {
        let (step, error) = match holding.let_go().await {
            Ok(proven) => break proven,
            Err(failed) => failed,
        };
        let why = format!("{step} may STILL BE HELD: {}", in_words(&error));
        if boot_clock::now_ms() >= alarm_at_ms {
            alarm::say(&log, format_args!("ALARM: {why}; tries again"));
            alarm_at_ms = boot_clock::now_ms() + ALARM_EVERY_MS;
        }
        for asker in &watch.askers {
            asker.answer(&Answer::Failing { why: why.clone() }).await;
        }
        if let Some(first) = failure.take() {
            refuse(watch, format!("{first}; and {why}")).await;
        }
        watch.pause(Duration::from_millis(pauses.next_ms(None))).await;
    };
    let mut words = format!("{what}, after {}: {}", seconds(held_ms), in_short(cause, limit_ms));
    for note in holding.notes.drain(..) {
        words = format!("{words}; {note}");
    }
    let let_go = match (proven, cause) {
        (false, _) => LetGo::Unproven,
        (true, Cause::Asked) => LetGo::Asked,
        (true, Cause::Cut) => LetGo::Cut,
        (true, _) => LetGo::ByItself,
    };
    let attempt = holding.record().hold.attempt.clone();
    let outcome = Outcome { attempt, thawed_at, thawed_boot, let_go, words, held_ms: Some(held_ms) };
    let _ = outcome.leave(place);
    Record::forget(place);
    if let Some(first) = failure {
        refuse(watch, first).await;
    }
    for asker in &watch.askers {
        asker.answer(&Answer::Gone(outcome.clone())).await;
    }
    if !matches!(cause, Cause::Asked | Cause::Failed | Cause::Cut) {
        alarm::say(&log, format_args!("let go of {}", outcome.words));
    }
    outcome
}

fn in_short(cause: &Cause, limit_ms: u64) -> String {
    match cause {
        Cause::Asked => "asked to".to_owned(),
        Cause::Cut => "all that it was held for is cut".to_owned(),
        Cause::Limit => {
            format!("its limit of {} (--quiesce-max) was over and no post hook had come", format_ms(limit_ms))
        }
        Cause::Signal(signal) => format!("{signal} came"),
        Cause::Told(why) => why.clone(),
        Cause::PreGone => "the pre hook ended before it was through".to_owned(),
        Cause::Lost(how) => format!("what held it is gone: {how}"),
        Cause::Failed => "a step failed".to_owned(),
    }
}

/// What came of telling a guard to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    /// It guards.
    Ready,
    /// It was killed.
    Gone,
}

/// The keeper's end of its guard.
struct Guard {
    child: Child,
    line: Option<ChildStdin>,
    started: u32,
    given_up: bool,
}

impl Guard {
    /// Starts one, which does nothing yet.
    fn start(place: &Place) -> Result<Self, String> {
        let mut child = spawn::guard(place).map_err(|e| format!("the keeper's guard cannot be started: {e}"))?;
        let line = child.stdin.take();
        Ok(Self { child, line, started: 1, given_up: false })
    }

    /// One that guards what is written down: this one, or another where it was killed before it was wanted.
    async fn ready(started: Option<Self>, place: &Place) -> Result<Self, String> {
        if let Some(mut guard) = started
            && guard.begin().await? == Begun::Ready
        {
            return Ok(guard);
        }
        let mut guard = Self::start(place)?;
        match guard.begin().await? {
            Begun::Ready => Ok(guard),
            Begun::Gone => Err("the keeper's guard did not get ready".to_owned()),
        }
    }

    /// Has it read what is written down, and waits until it has. Errs when that takes too long.
    async fn begin(&mut self) -> Result<Begun, String> {
        let (Some(line), Some(out)) = (&mut self.line, &mut self.child.stdout) else { return Ok(Begun::Gone) };
        let ready = timeout(Duration::from_millis(GUARD_READY_MS), async {
            line.write_all(&[spawn::WANTED]).await?;
            out.read(&mut [0; 1]).await
        });
        match ready.await {
            Ok(Ok(1..)) => Ok(Begun::Ready),
            Ok(Ok(0) | Err(_)) => Ok(Begun::Gone),
            Err(_) => {
                // It may be slow, not dead: then it must not take the end of this line for the end of the keeper.
                let _ = line.write_all(&[DISMISSED]).await;
                Err("the keeper's guard did not get ready".to_owned())
            }
        }
    }

    /// Waits until it was killed.
    async fn gone(&mut self) {
        if self.given_up {
            return std::future::pending().await;
        }
        let _ = self.child.wait().await;
    }

    async fn replace(&mut self, place: &Place) {
        let started = self.started + 1;
        // Without a guard the keeper still lets go in time; only its own violent end would then wait for post or a next pre.
        let next = if started <= GUARDS_MAX { Self::ready(None, place).await.ok() } else { None };
        match next {
            Some(guard) => *self = Self { started, ..guard },
            None => self.given_up = true,
        }
    }

    async fn dismiss(&mut self) {
        if let Some(mut line) = self.line.take() {
            let _ = line.write_all(&[DISMISSED]).await;
        }
        // So that no remains of it are left to a first process that does not reap.
        let _ = timeout(Duration::from_millis(GUARD_READY_MS), self.child.wait()).await;
    }
}
