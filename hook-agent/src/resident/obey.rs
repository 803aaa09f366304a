//! How a resident holds the pod still because a round calls, and ends a hold that was for nothing.

use std::time::Duration;

use shared::admission::Admission;
use shared::group_lease::Epoch;
use shared::quiesce::LetGo;
use tokio::time::timeout;

use crate::clock::{Clock, Moment};
use crate::decide::CallTo;
use crate::keeper::ask::{Found, let_go};
use crate::keeper::outcome::Outcome;
use crate::keeper::place::Place;
use crate::keeper::report::report;
use crate::keeper::spawn::{self, StandsBy};
use crate::keeper::wire::ReportTo;
use crate::lines::chain;
use crate::member::{Change, Member, Written};
use crate::pre::nonce;
use crate::quiesce::{self, not_held};
use crate::resident::duty::OnCall;
use crate::resident::lead::{Doing, Lead};
use crate::resident::registration::Registration;
use crate::retry;
use crate::settings::Policy;

/// How long letting go of what an earlier attempt left may take, ms: of a call's time, so that most of it is for holding still.
const LET_GO_MS: u64 = 5_000;

/// How long the end of a hold that was for nothing is reported at most, ms. The next look at the Lease does it otherwise.
const REPORT_MS: u64 = 5_000;

impl Lead {
    /// Obeys a call: what it does afterwards, or why it could not, where the policy calls that a failure.
    pub(super) async fn obey(&self, own: &Registration, call: CallTo) -> (Option<Doing>, Option<(Epoch, String)>) {
        match self.hold_still(own, call).await {
            Ok(doing) => (doing, None),
            Err(why) => (None, Some((call.epoch, why))),
        }
    }

    /// Holds the pod still because a round calls, and says so; what it holds afterwards.
    async fn hold_still(&self, own: &Registration, call: CallTo) -> Result<Option<Doing>, String> {
        let CallTo { epoch, within_ms } = call;
        let clock = Clock::start();
        self.forget_earlier().await;
        let resident = self.resident();
        let kinds = self.plan.kinds();
        let member = nonce().ok().and_then(|nonce| own.attempt(nonce, within_ms, &resident, kinds.clone()).ok());
        let Some(mut member) = member else {
            self.lines.say(format_args!("round {epoch} calls: no attempt can be made here"));
            return Ok(None);
        };
        let attempt = member.attempt().clone();
        let limit = Duration::from_millis(within_ms.saturating_sub(clock.elapsed_ms()));
        let to = Some(self.report_to(own));
        let stands_by = self.keeper.take();
        let still = quiesce::begin(&self.plan, &self.quiesce, attempt.to_string(), to, stands_by, limit).await;
        let fails = self.quiesce.on_failure == Policy::Fail;
        if let Some(why) = still.failure.clone().filter(|_| fails) {
            self.lines.say(format_args!("round {epoch} calls: could not hold still: {why}"));
            let change = Change::Failed { why: why.clone(), epoch: Some(epoch) };
            let _ = self.tell(&clock, within_ms, &mut member, &change).await;
            return Err(why);
        }
        let mut words = still.in_words();
        let told = self
            .tell(&clock, within_ms, &mut member, &self.quiesced(still.at.clone(), still.failure.clone(), epoch))
            .await;
        if let Err(why) = told {
            // Nobody waits for what nobody knows of: its keeper lets go when this line ends.
            self.lines.say(format_args!("round {epoch} calls: {words}, and let go again: {why}"));
            return Ok(None);
        }
        let held = kinds.hold() && still.failure.is_none();
        if let Some(lost) = still.keep().await {
            words = not_held(&lost);
            let _ = self.tell(&clock, within_ms, &mut member, &self.quiesced(None, Some(lost), epoch)).await;
        }
        self.lines.say(format_args!("round {epoch} calls: {words}"));
        Ok(Some(Doing { call: OnCall { attempt, epoch }, words, held }))
    }

    /// Starts a keeper that stands by for the next call, with its guard: at a call, when all pods of the group do the same at once, starting two
    /// processes would be most of the time until the pod is still.
    pub(super) fn have_a_keeper_stand_by(&self) {
        let is_there = self.keeper.borrow().as_ref().is_some_and(StandsBy::is_there);
        if is_there || !self.plan.kinds().hold() {
            return;
        }
        // Without one a call starts it.
        self.keeper.replace(spawn::standby_keeper(&self.place).ok());
    }

    fn quiesced(&self, at: Option<Moment>, failure: Option<String>, epoch: Epoch) -> Change {
        Change::Quiesced {
            at,
            failure,
            admission: Admission::Released,
            epoch: Some(epoch),
            hold_s: self.settings.limits.hold_s,
        }
    }

    async fn tell(&self, clock: &Clock, end_ms: u64, member: &mut Member, change: &Change) -> Result<(), String> {
        let wrote = retry::until(clock, end_ms, async |limit| member.write(change, limit).await, |_| ()).await;
        match wrote {
            Ok(Written::Stored) => Ok(()),
            Ok(Written::TakenOver(_)) => Err("a hook registered meanwhile".to_owned()),
            Err(e) => Err(chain(&e)),
        }
    }

    /// Whatever an earlier attempt left is let go first, as a pre hook does.
    async fn forget_earlier(&self) {
        let state_dir = self.quiesce.state_dir.as_deref();
        let found = let_go(state_dir, "a round calls the pod", Duration::from_millis(LET_GO_MS)).await;
        match found {
            Found::Nothing | Found::Earlier(_) => {}
            Found::LetGo(outcome) => {
                let words = outcome.words;
                self.lines.say(format_args!("an earlier attempt had left something held; let go of {words}"));
            }
            Found::StillHeld(why) => {
                self.lines.say(format_args!("AN EARLIER ATTEMPT LEFT SOMETHING HELD THAT CANNOT BE LET GO: {why}"));
            }
        }
        for place in Place::existing(state_dir) {
            Outcome::forget(&place);
        }
    }

    /// The round is over and released nobody for it.
    pub(super) async fn let_go_of(&self, own: &Registration, doing: &Doing) {
        let state_dir = self.quiesce.state_dir.as_deref();
        let attempt = doing.call.attempt.to_string();
        let found = let_go(state_dir, "its round ended before it was released", Duration::from_millis(LET_GO_MS)).await;
        let now = Moment::now();
        let outcome = match found {
            Found::LetGo(outcome) | Found::Earlier(outcome) if outcome.attempt == attempt => outcome,
            Found::StillHeld(why) => {
                self.lines.say(format_args!("round {} is over: NOT let go: {why}", doing.call.epoch));
                return;
            }
            Found::Nothing | Found::LetGo(_) | Found::Earlier(_) => Outcome {
                attempt,
                thawed_at: now.wall,
                thawed_boot: now.boot,
                let_go: LetGo::NothingFound,
                words: "nothing that was held".to_owned(),
                held_ms: None,
            },
        };
        self.lines
            .say(format_args!("round {} is over and released nobody: let go of {}", doing.call.epoch, outcome.words));
        let _ = timeout(Duration::from_millis(REPORT_MS), report(&self.report_to(own), &outcome)).await;
    }

    fn report_to(&self, own: &Registration) -> ReportTo {
        ReportTo {
            access: self.settings.access.clone(),
            namespace: own.who.namespace.clone(),
            lease: own.name.clone(),
            group: Some(own.group.clone()),
        }
    }
}
