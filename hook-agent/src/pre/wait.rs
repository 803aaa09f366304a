//! Waiting for the release: hears the coordinator, shows signs of life, says what it waits for.

use std::cell::Cell;
use std::fmt;
use std::pin::pin;

use futures::{Stream, StreamExt};
use shared::deadline::{CALL_TIMEOUT_MS, HEARTBEAT_MS};
use shared::group_lease::WaitReason;
use shared::identity::AttemptId;
use shared::names::group_lease;

use crate::decide::{News, Next, Stance, Unreleased, View, decide, news_for, rests, word_about};
use crate::failure::Cause;
use crate::lines::{Progress, chain, seconds};
use crate::member::{Change, Member, TakenOver, Written};
use crate::pre::{Hook, Pass};
use crate::retry::{Pauses, call_limit};
use crate::settings::Policy;
use crate::watch_group::{Heard, WATCH_S, group_words};

/// Waits until the coordinator, the Lease or the clock ends it.
pub async fn wait(hook: &Hook, member: &mut Member) -> Pass {
    let contact_ms = Cell::new(hook.clock.elapsed_ms());
    let words = group_words(member.leases().clone(), group_lease(member.group()), WATCH_S);
    let attempt = member.attempt().clone();
    let stance = Stance::Waits(member.pod().clone());
    tokio::select! {
        biased;
        pass = listen(hook, &attempt, &stance, words, &contact_ms) => pass,
        taken = heartbeats(hook, member, &contact_ms) => Pass::Taken(taken),
    }
}

/// Waits for what is said about an attempt of this pod that is still already. It shows no sign of life: who is still has a Lease that lasts, and
/// its keeper may write into that.
pub async fn listen_about(hook: &Hook, member: &Member, attempt: &AttemptId, stance: Stance) -> Pass {
    let contact_ms = Cell::new(hook.clock.elapsed_ms());
    let words = group_words(member.leases().clone(), group_lease(member.group()), WATCH_S);
    listen(hook, attempt, &stance, words, &contact_ms).await
}

/// Hears the coordinator and decides, until there is something to do.
async fn listen(
    hook: &Hook,
    attempt: &AttemptId,
    stance: &Stance,
    words: impl Stream<Item = Heard>,
    contact_ms: &Cell<u64>,
) -> Pass {
    let Hook { limits, clock, lines, .. } = hook;
    let mut words = pin!(words);
    let mut ear = Ear::new(attempt, stance, View::new(clock.elapsed_ms()));
    let mut progress = Progress::new();
    loop {
        ear.view.contact(contact_ms.get());
        let now_ms = clock.elapsed_ms();
        let until_ms = match decide(&ear.view, limits, now_ms) {
            Next::Wait { until_ms } => until_ms,
            Next::Released(release) => return Pass::Released(release),
            Next::Unreleased(why) => return Pass::Unreleased(why, ear.trouble_for(why)),
            Next::Follow => return Pass::Superseded,
            Next::Ended => return Pass::Ended,
        };
        match ear.news_of_round.take() {
            Some(News::Called(call)) => return Pass::Called(call),
            Some(News::RoundOver) => return Pass::RoundOver,
            Some(News::Late) => return Pass::Ended,
            None => {}
        }
        let rested_at_ms = ear.rests_since_ms.map_or(u64::MAX, |since_ms| since_ms.saturating_add(RESTS_MS));
        if now_ms >= rested_at_ms {
            return Pass::RoundOver;
        }
        let until_ms = until_ms.min(rested_at_ms);
        // The first moments are silent: most hooks are released before there is anything to say.
        if now_ms >= progress.next_ms().max(FIRST_LINE_MS) || ear.news() {
            lines.say(format_args!("waits: {}; {}", ear.waits_for, then(hook, now_ms)));
            progress.said(now_ms);
        }
        tokio::select! {
            biased;
            heard = words.next() => if let Some(heard) = heard { ear.hear(heard, clock.elapsed_ms()) },
            () = clock.sleep_until_ms(until_ms.min(progress.next_ms().max(FIRST_LINE_MS))) => {}
        }
    }
}

/// The first "waits" line comes after this, ms: a coordinator with room answers sooner.
const FIRST_LINE_MS: u64 = 1_000;

/// A round that called and gave its share back may take it again within this, ms: coordinators agree in moments.
const RESTS_MS: u64 = 5_000;

fn then(hook: &Hook, now_ms: u64) -> String {
    let left = seconds(hook.limits.deadline_ms.saturating_sub(now_ms));
    match hook.limits.on_deadline {
        Policy::Go => format!("goes on by itself in {left}"),
        Policy::Fail => format!("fails in {left}"),
    }
}

/// What the hook waits for, as far as it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum WaitsFor {
    /// Nobody has said anything about this attempt.
    Coordinator,
    /// The coordinator knows about it and says why it waits.
    Turn(Option<WaitReason>),
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Coordinator => f.write_str("the coordinator has not answered yet"),
            Self::Turn(None) => f.write_str("the coordinator knows and has not released it yet"),
            Self::Turn(Some(reason)) => fmt::Display::fmt(reason, f),
        }
    }
}

/// What was heard, and what of it is still to be said.
struct Ear<'a> {
    attempt: &'a AttemptId,
    stance: &'a Stance,
    /// What follows from the Lease as it was last heard, beside the word about the attempt.
    news_of_round: Option<News>,
    /// Since when the round that called this pod has rested.
    rests_since_ms: Option<u64>,
    view: View,
    waits_for: WaitsFor,
    said: WaitsFor,
    trouble: Option<String>,
}

impl<'a> Ear<'a> {
    fn new(attempt: &'a AttemptId, stance: &'a Stance, view: View) -> Self {
        let (waits_for, said) = (WaitsFor::Coordinator, WaitsFor::Coordinator);
        Self { attempt, stance, news_of_round: None, rests_since_ms: None, view, waits_for, said, trouble: None }
    }

    fn hear(&mut self, heard: Heard, now_ms: u64) {
        if !matches!(&heard, Heard::Lost(e) if !e.is_contact()) {
            self.view.contact(now_ms);
        }
        match heard {
            Heard::Connected => {}
            Heard::Lease(lease) => {
                let word = word_about(&lease, self.attempt);
                self.news_of_round = news_for(&lease, self.attempt, self.stance);
                self.rests_since_ms = rests(&lease, self.stance).then(|| self.rests_since_ms.unwrap_or(now_ms));
                self.waits_for = if word.is_some() { WaitsFor::Turn(lease.wait) } else { WaitsFor::Coordinator };
                self.view.hear(word, now_ms);
                self.trouble = None;
            }
            Heard::Absent => self.silence(now_ms),
            Heard::Nonsense(e) => {
                self.silence(now_ms);
                self.trouble = Some(chain(&e));
            }
            Heard::Lost(e) => self.trouble = Some(chain(&e)),
            Heard::Refused(e) => {
                self.trouble = Some(format!("the group's Lease cannot be watched: {}", chain(&e)));
                self.view.refuse();
            }
        }
    }

    fn silence(&mut self, now_ms: u64) {
        self.waits_for = WaitsFor::Coordinator;
        self.view.hear(None, now_ms);
    }

    /// Whether the reason to wait is another one than was said last; changed numbers within a reason are no news.
    fn news(&mut self) -> bool {
        let kind = |waits: &WaitsFor| match waits {
            WaitsFor::Coordinator => None,
            WaitsFor::Turn(reason) => Some(reason.as_ref().map(std::mem::discriminant)),
        };
        let news = kind(&self.waits_for) != kind(&self.said);
        self.said = self.waits_for.clone();
        news
    }

    /// What went wrong last, where that explains why nobody was heard.
    fn trouble_for(&mut self, why: Unreleased) -> Option<Cause> {
        match why {
            Unreleased::Deadline => None,
            Unreleased::Refused => self.trouble.take().map(Cause::from),
            Unreleased::Unreachable => Some(
                self.trouble.take().unwrap_or_else(|| "the coordinator said nothing about this pod".to_owned()).into(),
            ),
        }
    }
}

/// Renews the Lease for ever; ends when it is no longer this attempt's.
async fn heartbeats(hook: &Hook, member: &mut Member, contact_ms: &Cell<u64>) -> TakenOver {
    let clock = &hook.clock;
    let mut pauses = Pauses::new();
    let mut next_ms = clock.elapsed_ms() + HEARTBEAT_MS;
    let mut failing = false;
    loop {
        clock.sleep_until_ms(next_ms).await;
        match member.write(&Change::Beat, call_limit(CALL_TIMEOUT_MS)).await {
            Ok(Written::TakenOver(taken)) => return taken,
            Ok(Written::Stored) => {
                contact_ms.set(clock.elapsed_ms());
                next_ms = clock.elapsed_ms() + HEARTBEAT_MS;
                pauses = Pauses::new();
                failing = false;
            }
            Err(e) => {
                if e.is_contact() {
                    contact_ms.set(clock.elapsed_ms());
                }
                if !failing {
                    hook.lines.say(format_args!("cannot renew its registration, tries again: {}", chain(&e)));
                }
                failing = true;
                // A refusal does not pass in milliseconds.
                let pause_ms = if e.is_final(1) { HEARTBEAT_MS } else { pauses.next_ms(e.retry_after()) };
                next_ms = clock.elapsed_ms() + pause_ms;
            }
        }
    }
}
