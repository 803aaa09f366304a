//! The resident's life: sweeps, listens, watches, and lets go of everything when the pod is told to stop.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use shared::exit_code::ExitCode;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep, timeout};

use crate::failure::Failure;
use crate::keeper::ask::{Found, stop};
use crate::keeper::place::Place;
use crate::keeper::wire::{line, next};
use crate::lines::{Lines, chain};
use crate::quiesce::choose::{annotations_in, choose, in_short};
use crate::quiesce::plan::Plan;
use crate::resident::lead::{Lead, Wish};
use crate::resident::oversee::Watchman;
use crate::resident::readiness;
use crate::resident::registration::leave;
use crate::resident::wire::{Answer, Ask};
use crate::settings::ResidentSettings;
use crate::signals::{Children, Signals};
use crate::sweep::sweep;

/// How long the sweep may take, ms.
const SWEEP_MS: u64 = 20_000;

/// How long to wait for the lock, ms: a resident that was killed while it started a program leaves it to that one until it is really another program.
const LOCK_MS: u64 = 500;

/// How often to try, ms.
const LOCK_POLL_MS: u64 = 20;

/// How long letting go may take when the pod is told to stop, ms: within Kubernetes' default grace of 30 s.
const STOP_MS: u64 = 20_000;

/// Who does not read an answer for so long, ms, is not there any more.
const ANSWER_MS: u64 = 1_000;

/// How many pre hooks may wait for an answer while a call is obeyed; the next ones wait for these.
const WISHES_MAX: usize = 16;

/// How long the last word in the pod's Lease may take, ms.
const LEAVE_MS: u64 = 1_000;

/// What a conversation needs to know.
struct Resident {
    watchman: Rc<Watchman>,
    plan: Plan,
    unswept: Option<String>,
    lead: mpsc::Sender<Wish>,
}

/// Runs until it is told to stop.
pub async fn run(settings: &ResidentSettings) -> ExitCode {
    let lines = Lines::of("sidecar");
    // Conversations share this one thread, and what they await need not be sendable to another.
    match LocalSet::new().run_until(Box::pin(work(settings, &lines))).await {
        Ok(()) => ExitCode::Ok,
        Err(failure) => {
            lines.say(failure.line());
            failure.exit_code()
        }
    }
}

async fn work(settings: &ResidentSettings, lines: &Lines) -> Result<(), Failure> {
    let internal = |what| move |e: std::io::Error| Failure::Internal { what, cause: e.into() };
    let mut signals = Signals::listen().map_err(internal("signals cannot be caught"))?;
    let mut children = Children::listen().map_err(internal("signals cannot be caught"))?;
    let quiesce = &settings.quiesce;
    let said = annotations_in(&quiesce.annotations_file)?;
    let origin = quiesce.annotations_file.display().to_string();
    let plan = choose(quiesce.plan.as_deref(), said.plan.as_deref(), &origin)?;
    let state_dir = quiesce.state_dir.as_deref();
    let place = Place::make(state_dir).map_err(|e| Failure::NotReady(chain(&e)))?;
    let alone = alone_in(&place).await.map_err(|e| Failure::NotReady(format!("its lock cannot be had: {e}")))?;
    let Some(lock) = alone else {
        return Err(Failure::NotReady(format!(
            "another resident uses {}: one `hook-agent sidecar` a pod is enough",
            place.dir().display()
        )));
    };
    let (claims, unswept) = match sweep(&plan, state_dir, Duration::from_millis(SWEEP_MS)).await {
        Ok(swept) => {
            swept.found.iter().for_each(|found| lines.say(found));
            (swept.claims, None)
        }
        Err(e) => {
            let failure = Failure::from(e);
            lines.say(failure.line());
            (Vec::new(), Some(chain(&failure)))
        }
    };
    // A socket that nobody listens on is in the way of a new one.
    let _ = std::fs::remove_file(place.resident_socket());
    let listener = UnixListener::bind(place.resident_socket())
        .map_err(|e| Failure::NotReady(format!("cannot listen at {}: {e}", place.resident_socket().display())))?;
    let (alarm_file, access) = (quiesce.alarm_file.clone(), settings.access.clone());
    let watchman = Rc::new(Watchman { place: place.clone(), claims, lines: lines.clone(), alarm_file, access });
    spawn_local(Rc::clone(&watchman).oversee_earlier());
    lines.say(format_args!("watches over this pod ({}), listens at {}", in_short(&plan), place.dir().display()));
    let (lead, wishes) = mpsc::channel(WISHES_MAX);
    let standing = Rc::new(RefCell::new(None));
    let serving = Lead {
        settings: settings.clone(),
        plan: plan.clone(),
        quiesce: quiesce.with_annotations(&said, &settings.limits)?,
        place: place.clone(),
        keeper: RefCell::new(None),
        unswept: unswept.clone(),
        lines: lines.clone(),
        wishes,
        hooks: Rc::default(),
        standing: Rc::clone(&standing),
    };
    spawn_local(Box::pin(serving.run()));
    let resident = Rc::new(Resident { watchman, plan, unswept, lead });
    let signal = loop {
        tokio::select! {
            biased;
            signal = signals.next() => break signal,
            () = children.reap() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(spawn_local(talk(Rc::clone(&resident), stream))),
                // Too many open files, say: that passes when a line ends.
                Err(_) => sleep(Duration::from_millis(ANSWER_MS)).await,
            },
        }
    };
    let _ = std::fs::remove_file(place.resident_socket());
    let stands = standing.take();
    if let Some((leases, name)) = stands {
        // Who is not heard here is missed when a round calls, and the round goes on without it.
        let limit = Duration::from_millis(LEAVE_MS);
        let _ = timeout(limit, leave(&leases, &name, limit)).await;
    }
    let why = format!("{signal} came to the pod's resident");
    let found = stop(state_dir, &why, Duration::from_millis(STOP_MS)).await;
    drop(lock);
    match found {
        Found::Nothing | Found::Earlier(_) => lines.say(format_args!("{signal} came: nothing is held")),
        Found::LetGo(outcome) => lines.say(format_args!("{signal} came: let go of {}", outcome.words)),
        Found::StillHeld(why) => return Err(Failure::StillHeld(why)),
    }
    Ok(())
}

/// Makes this process the pod's only resident. `None`: there is one.
async fn alone_in(place: &Place) -> io::Result<Option<File>> {
    let until = Instant::now() + Duration::from_millis(LOCK_MS);
    loop {
        let lock = place.only_resident()?;
        if lock.is_some() || Instant::now() >= until {
            return Ok(lock);
        }
        sleep(Duration::from_millis(LOCK_POLL_MS)).await;
    }
}

/// One conversation.
async fn talk(resident: Rc<Resident>, stream: UnixStream) {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    match next(&mut reader).await {
        Some(Ask::Ready) => {
            let why_not = resident.unswept.clone();
            let place = &resident.watchman.place;
            let why_not = why_not.or_else(|| readiness::why_not(&resident.plan, place));
            answer(&mut writer, &Answer::Ready(why_not)).await;
        }
        Some(Ask::Oversee { attempt, end_boot_ms }) => {
            let watchman = &resident.watchman;
            if answer(&mut writer, &Answer::Overseeing(watchman.reach())).await {
                let dismissed = async { matches!(next(&mut reader).await, Some(Ask::LetGone)) };
                watchman.oversee(&attempt, end_boot_ms, dismissed).await;
            }
        }
        Some(ask @ (Ask::Pre | Ask::Obey(_))) => {
            let (say, said) = oneshot::channel();
            let call = if let Ask::Obey(call) = ask { Some(call) } else { None };
            let wish = Wish { call, say };
            if !answer(&mut writer, &Answer::Working).await || resident.lead.send(wish).await.is_err() {
                return;
            }
            let Ok((word, running)) = said.await else { return };
            if answer(&mut writer, &Answer::Pre(word)).await {
                while let Some(Ask::Obeys(epoch)) = next(&mut reader).await {
                    running.obeys(epoch);
                }
            }
            // The line has ended, and so has the hook.
            drop(running);
        }
        Some(Ask::LetGone | Ask::Obeys(_)) | None => {}
    }
}

/// Whether somebody is there to read it.
async fn answer(writer: &mut OwnedWriteHalf, answer: &Answer) -> bool {
    let bytes = line(answer);
    let wrote = timeout(Duration::from_millis(ANSWER_MS), writer.write_all(&bytes));
    wrote.await.is_ok_and(|wrote| wrote.is_ok())
}
