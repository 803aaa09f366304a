//! Lead mode in the pod's resident: stands by in the pod's Lease, hears its group's, holds still when a round calls; and tells pre hooks what it does.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures::StreamExt;
use shared::admission::RoundPhase;
use shared::deadline::STANDBY_HEARTBEAT_MS;
use shared::group_lease::{Epoch, GroupLease};
use shared::identity::LeaseName;
use shared::member_lease::{FAILURE_CHARS_MAX, Resident};
use shared::names::{LABEL_SNAPSHOT_GROUP, group_lease};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::decide::{CallTo, is_over};
use crate::group::{self, Known};
use crate::keeper::place::Place;
use crate::keeper::record::Record;
use crate::keeper::spawn::StandsBy;
use crate::leases::Leases;
use crate::lines::{Lines, chain};
use crate::pre::nonce;
use crate::quiesce::plan::Plan;
use crate::resident::duty::{Duty, OnCall, duty};
use crate::resident::find::{FindError, find};
use crate::resident::readiness;
use crate::resident::registration::{Here, Registration};
use crate::resident::wire::{Called, PreWord};
use crate::settings::{QuiesceSettings, ResidentSettings};
use crate::watch_group::{Heard, group_words};

/// How often it is tried to find out who and where this pod is, ms: its label may come a moment after the pod, and its file a minute later.
const FIND_AGAIN_MS: u64 = 10_000;

/// A watch of the group's Lease lasts this long, s. One that died unnoticed hears no call meanwhile, and the round goes on without this pod.
const WATCH_S: u32 = 60;

/// How long after the end of a hold the Lease is looked at, ms: its keeper and its post hook write their parts first.
const SETTLE_MS: u64 = 1_500;

/// While a hook is at work, the Lease is its own; it is looked at again after this, ms.
const HOOK_RUNS_MS: u64 = 5_000;

/// A pre hook asks what the resident does, or has it obey a call.
pub struct Wish {
    /// The call.
    pub call: Option<CallTo>,
    /// Where the answer goes.
    pub say: oneshot::Sender<(PreWord, Running)>,
}

/// The pre hooks at work in this pod.
#[derive(Debug, Default)]
pub struct Hooks {
    running: Cell<u32>,
    /// The last round whose call one of them obeyed.
    obeyed: Cell<Epoch>,
    changed: Notify,
}

/// A pre hook at work, for as long as this lives.
#[derive(Debug)]
pub struct Running(Rc<Hooks>);

impl Running {
    fn begin(hooks: &Rc<Hooks>) -> Self {
        hooks.running.set(hooks.running.get() + 1);
        Self(Rc::clone(hooks))
    }

    /// It obeys this round's call itself.
    pub fn obeys(&self, epoch: Epoch) {
        self.0.obeyed.set(self.0.obeyed.get().max(epoch));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.set(self.0.running.get().saturating_sub(1));
        self.0.changed.notify_one();
    }
}

/// What the resident works with.
pub struct Lead {
    /// Flags.
    pub settings: ResidentSettings,
    /// How it holds still.
    pub plan: Plan,
    /// The same, with what annotations say.
    pub quiesce: QuiesceSettings,
    /// Where keepers are.
    pub place: Place,
    /// The keeper that stands by for the next call.
    pub keeper: RefCell<Option<StandsBy>>,
    /// Why nothing may be frozen, if the sweep failed.
    pub unswept: Option<String>,
    /// How it talks.
    pub lines: Lines,
    /// Pre hooks that ask.
    pub wishes: mpsc::Receiver<Wish>,
    /// Pre hooks at work.
    pub hooks: Rc<Hooks>,
    /// Where it stands by, once it does: for the last word.
    pub standing: Rc<RefCell<Option<(Leases, LeaseName)>>>,
}

/// What it does because it was called.
pub(super) struct Doing {
    /// What it obeyed.
    pub call: OnCall,
    /// How the pod stands, for people.
    pub words: String,
    /// A keeper holds. Else a hook joins once, and the next one registers anew.
    pub held: bool,
}

impl Lead {
    /// For ever.
    pub async fn run(mut self) {
        let mut told = String::new();
        loop {
            let why = match find(&self.settings).await {
                Ok(found) => {
                    told.clear();
                    self.lines.say(format_args!("stands by for calls of group {}", found.group));
                    self.serve(found).await
                }
                Err(FindError::NoGroup) => format!("no label {LABEL_SNAPSHOT_GROUP}: in no snapshot group yet"),
                Err(e) => chain(&e),
            };
            if why != told {
                self.lines.say(format_args!("cannot be called: {why}"));
                told = why;
            }
            let again = Instant::now() + Duration::from_millis(FIND_AGAIN_MS);
            loop {
                tokio::select! {
                    wish = self.wishes.recv() => match wish {
                        Some(wish) => self.answer(wish, PreWord::default()),
                        None => return,
                    },
                    () = sleep_until(again) => break,
                }
            }
        }
    }

    fn answer(&self, wish: Wish, word: PreWord) {
        // A hook that is gone by now is none that runs: what is not sent is dropped.
        let _ = wish.say.send((word, Running::begin(&self.hooks)));
    }

    /// Stands by and obeys until the pod is in another group, or in none; says so.
    async fn serve(&mut self, mut own: Registration) -> String {
        let mut obeyed = own.obeyed().await.unwrap_or_default();
        let mut words = pin!(group_words(own.leases.clone(), group_lease(&own.group), WATCH_S));
        let mut heard: Option<Box<GroupLease>> = None;
        let mut doing: Option<Doing> = None;
        let mut failed: Option<(Epoch, String)> = None;
        let mut due = Instant::now();
        let mut failing = false;
        loop {
            let runs = self.hooks.running.get() > 0;
            obeyed = obeyed.max(self.hooks.obeyed.get());
            let asked = heard.as_ref().map_or(Duty::Nothing, |lease| {
                duty(lease, &own.who.pod, obeyed, doing.as_ref().map(|doing| &doing.call), runs)
            });
            match asked {
                Duty::Nothing => {}
                Duty::HoldStill(call) => {
                    obeyed = call.epoch;
                    (doing, failed) = self.obey(&own, call).await;
                    continue;
                }
                Duty::LetGo => {
                    if let Some(done) = doing.take() {
                        self.let_go_of(&own, &done).await;
                    }
                    due = due.min(after(SETTLE_MS));
                    continue;
                }
                Duty::Over => {
                    doing = None;
                    due = due.min(after(SETTLE_MS));
                    continue;
                }
            }
            tokio::select! {
                biased;
                wish = self.wishes.recv() => match wish {
                    Some(wish) => {
                        if let Some(call) = wish.call.filter(|call| call.epoch > obeyed) {
                            obeyed = call.epoch;
                            (doing, failed) = self.obey(&own, call).await;
                        }
                        let called = self.joined(&mut doing);
                        let resident = Some(self.resident());
                        let over = |epoch: Epoch| heard.as_ref().is_some_and(|lease| is_over(lease, epoch));
                        failed = failed.filter(|(epoch, _)| !over(*epoch));
                        let failed = failed.as_ref().map(|(_, why)| why.clone());
                        self.answer(wish, PreWord { resident, called, has_steps: !self.plan.is_empty(), failed });
                    }
                    None => return "nobody asks any more".to_owned(),
                },
                () = self.hooks.changed.notified() => {}
                said = words.next() => match said {
                    Some(Heard::Lease(lease)) => {
                        if lease.phase == RoundPhase::Closed {
                            due = due.min(after(SETTLE_MS));
                        }
                        heard = Some(lease);
                    }
                    Some(Heard::Absent) => heard = None,
                    Some(Heard::Refused(e)) if !failing => {
                        failing = true;
                        self.lines.say(format_args!("the group's Lease cannot be watched: {}", chain(&e)));
                    }
                    _ => {}
                },
                () = sleep_until(due) => {
                    if runs {
                        due = after(HOOK_RUNS_MS);
                        continue;
                    }
                    if let Some(why) = self.moved(&own) {
                        return why;
                    }
                    due = after(STANDBY_HEARTBEAT_MS);
                    let stood = self.stand_by(&mut own, heard.as_deref()).await;
                    if let Err(why) = &stood && !failing {
                        self.lines.say(format_args!("cannot stand by, tries again: {why}"));
                    }
                    failing = stood.is_err();
                    if failing {
                        due = after(FIND_AGAIN_MS);
                    } else if !self.is_held() {
                        self.have_a_keeper_stand_by();
                    }
                },
            }
        }
    }

    async fn stand_by(&self, own: &mut Registration, group: Option<&GroupLease>) -> Result<(), String> {
        let resident = self.resident();
        let here = Here { resident: &resident, quiesce: self.plan.kinds(), held: self.is_held(), group };
        let nonce = nonce().map_err(|e| chain(&e))?;
        own.stand_by(&here, nonce).await.map_err(|e| chain(&e))?;
        self.standing.replace(Some((own.leases.clone(), own.name.clone())));
        Ok(())
    }

    /// Why the pod is not what it was, if so. A file that cannot be read changes nothing.
    fn moved(&self, own: &Registration) -> Option<String> {
        match group::from_here(&self.settings.names) {
            Ok(Known::In(group)) if group != own.group => Some(format!("the pod is in group {group} now")),
            Ok(Known::NoGroup) => Some(format!("the pod has no label {LABEL_SNAPSHOT_GROUP} any more")),
            Ok(Known::In(_) | Known::Unknown) | Err(_) => None,
        }
    }

    pub(super) fn resident(&self) -> Resident {
        // What hooks hold by steps of their own, a resident without any would only claim to hold.
        let nothing = self.plan.is_empty().then(|| "it has no steps to hold still by (QUIESCE)".to_owned());
        let why = self.unswept.clone().or(nothing).or_else(|| readiness::why_not(&self.plan, &self.place));
        Resident { ready: why.is_none(), why: why.map(|why| why.chars().take(FAILURE_CHARS_MAX).collect()) }
    }

    fn is_held(&self) -> bool {
        let places = Place::existing(self.quiesce.state_dir.as_deref());
        places.iter().any(|place| matches!(Record::read(place), Ok(Some(_))))
    }

    /// What a hook that begins now is to wait for.
    fn joined(&self, doing: &mut Option<Doing>) -> Option<Called> {
        let Doing { call: OnCall { attempt, epoch }, words, held } = doing.as_ref()?;
        let (words, steps) = (words.clone(), self.plan.steps.clone());
        let called = Called { attempt: attempt.clone(), epoch: *epoch, words, steps };
        if *held {
            let ours =
                matches!(Record::read(&self.place), Ok(Some(record)) if record.hold.attempt == attempt.to_string());
            return ours.then_some(called);
        }
        *doing = None;
        Some(called)
    }
}

fn after(ms: u64) -> Instant {
    Instant::now() + Duration::from_millis(ms)
}
