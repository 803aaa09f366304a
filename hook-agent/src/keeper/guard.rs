//! The keeper's guard: a second process that does nothing but outlive the keeper, and lets go when that is killed or stuck.

use std::io::Write;
use std::os::fd::AsFd;
use std::time::Duration;

use shared::exit_code::ExitCode;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::time::Instant;

use crate::keeper::boot_clock::{self, Bell};
use crate::keeper::ending::{Reach, from_record, in_words, take_over};
use crate::keeper::mark::ProcessMark;
use crate::keeper::place::Place;
use crate::keeper::record::Record;
use crate::keeper::report::report;
use crate::keeper::{alarm, spawn};
use crate::quiesce::freeze::Target;
use crate::quiesce::plan::Step;
use crate::signals::Signals;

/// How long after the hold's limit a keeper that still holds counts as stuck, ms: letting go takes it milliseconds, a user's
/// program that lets go takes its time, in which the keeper lives and the record shrinks.
const STUCK_AFTER_MS: u64 = 1_000;

/// How long letting go may take beyond what the steps' own timeouts allow, ms. After that the guard goes on in its place.
const LETTING_GO_GRACE_MS: u64 = 10_000;

/// How long to wait for a killed keeper to be gone, ms. In the kernel it may hang longer; then go on without.
const GONE_WAIT_MS: u64 = 5_000;

/// What the keeper writes when all is well.
pub const DISMISSED: u8 = b'd';

/// Runs until the keeper dismisses it or is gone.
pub async fn run(place: Place) -> ExitCode {
    spawn::leave_session();
    spawn::call_oneself(spawn::STANDS_BY);
    // A signal to everybody in the container is the keeper's to follow; the guard follows the keeper.
    let Ok(mut signals) = Signals::listen() else { return ExitCode::Internal };
    let Ok(mut keeper) = std::io::stdin().as_fd().try_clone_to_owned().and_then(Receiver::from_owned_fd) else {
        return ExitCode::Internal;
    };
    let mut word = [0; 1];
    // It is started before there is anything to guard, so that nobody waits for that then.
    loop {
        tokio::select! {
            biased;
            read = keeper.read(&mut word) => match read {
                Ok(1..) if word[0] == spawn::WANTED => break,
                _ => return ExitCode::Ok,
            },
            _ = signals.next() => {}
        }
    }
    spawn::call_oneself("agent-guard");
    let Ok(Some(record)) = Record::read(&place) else { return ExitCode::Ok };
    let attempt = record.hold.attempt.clone();
    let opened = open_all(&record);
    let Ok(mut bell) = Bell::at_ms(record.end_boot_ms.saturating_add(STUCK_AFTER_MS)) else {
        return ExitCode::Internal;
    };
    let mut patient = true;
    // The keeper begins nothing before it has read this.
    // Nobody may be there to read it any more: then the loop below sees that too.
    let _ = writeln!(std::io::stdout(), "ready");
    let why = loop {
        tokio::select! {
            biased;
            read = keeper.read(&mut word) => match read {
                Ok(1..) if word[0] == DISMISSED => return ExitCode::Ok,
                _ => break "its keeper was killed",
            },
            _ = signals.next() => {}
            () = bell.rung() => match more_time(&place).filter(|_| patient) {
                Some(later) => (bell, patient) = (later, false),
                None => break "its keeper was stuck past its limit and was killed",
            },
        }
    };
    let Ok(Some(record)) = Record::read(&place) else { return ExitCode::Ok };
    if record.hold.attempt != attempt {
        return ExitCode::Ok;
    }
    if let Some(keeper) = record.keeper {
        keeper.kill();
    }
    let lock = take_over(&place, Instant::now() + Duration::from_millis(GONE_WAIT_MS)).await;
    // Post or the next pre may have been quicker.
    let Ok(Some(record)) = Record::read(&place) else { return ExitCode::Ok };
    if record.hold.attempt != attempt {
        return ExitCode::Ok;
    }
    let (log, report_to) = (record.hold.alarm_file.clone(), record.hold.report_to.clone());
    let failed = |e: &_| alarm::say(&log, format_args!("ALARM: {}; tries again", in_words(e)));
    if let Ok(outcome) = from_record(&place, record, &opened, (why, false), Reach::All, None, failed).await {
        alarm::say(&log, format_args!("let go of {}", outcome.words));
        drop(lock);
        if let Some(to) = report_to {
            report(&to, &outcome).await;
        }
    }
    ExitCode::Ok
}

/// A later bell, when the keeper is at work letting go.
fn more_time(place: &Place) -> Option<Bell> {
    let record = Record::read(place).ok().flatten()?;
    let at_work = record.letting_go && record.keeper.is_some_and(ProcessMark::goes_on);
    let steps_ms: u64 = record.hold.steps.iter().map(Step::timeout_ms).sum();
    at_work.then(|| Bell::at_ms(boot_clock::now_ms() + steps_ms + LETTING_GO_GRACE_MS).ok()).flatten()
}

/// Opens the file systems before they freeze, so that neither a path nor a mount that goes away is in the way later.
fn open_all(record: &Record) -> Vec<Target> {
    let paths = record.hold.steps.iter().filter_map(|step| match step {
        Step::Fsfreeze(paths) => Some(paths),
        Step::Sync(_) | Step::Exec(_) | Step::Session(_) => None,
    });
    // What cannot be opened will be refused by the keeper.
    paths.flatten().filter_map(|path| Target::open(path).ok()).collect()
}
