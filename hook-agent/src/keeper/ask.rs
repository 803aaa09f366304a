//! The hooks' side: has the keeper hold, has it let go, and does the latter in its place when it is gone or does not answer.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout, timeout_at};

use crate::clock::Moment;
use crate::keeper::ending::{Reach, from_record, in_words, take_over};
use crate::keeper::outcome::Outcome;
use crate::keeper::place::Place;
use crate::keeper::record::Record;
use crate::keeper::spawn::{self, StandsBy};
use crate::keeper::wire::{Answer, Ask, Hold, line, next};
use crate::lines::chain;

/// How long a living keeper may take to say that it heard, ms. A stopped one never does.
const HEARD_MS: u64 = 5_000;

/// How often to look whether a keeper listens that somebody else started, or that is just ending, ms.
const CONNECT_POLL_MS: u64 = 5;

/// How long to wait for a keeper that was started before another is, ms: it may have found one that was just ending.
const START_AGAIN_MS: u64 = 1_000;

/// How long the last word between pre and keeper may take, ms.
const KEEP_MS: u64 = 2_000;

/// Why nothing is held.
#[derive(Debug, thiserror::Error)]
pub enum HoldFailure {
    /// The keeper says why.
    #[error("{0}")]
    NotHeld(String),
    /// No keeper can be started.
    #[error("the keeper cannot be started")]
    Spawn(#[source] io::Error),
    /// It takes too long.
    #[error("it was not still within {0} ms; what was begun is let go again")]
    Late(u128),
    /// The keeper was killed.
    #[error("the keeper ended before it said so; its guard lets go")]
    Gone,
}

/// A keeper that holds for this process, and only as long as this lives, until [`Held::keep`].
#[derive(Debug)]
pub struct Held {
    line: BufReader<UnixStream>,
    /// Since when everything is still, by the pod's clock.
    pub at: Moment,
    /// What else is to be said.
    pub notes: Vec<String>,
}

impl Held {
    /// Lets the keeper go on without this process.
    pub async fn keep(mut self) -> Result<(), HoldFailure> {
        let said = timeout(Duration::from_millis(KEEP_MS), async {
            self.line.write_all(&line(&Ask::Keep)).await.ok()?;
            next(&mut self.line).await
        });
        match said.await {
            Ok(Some(Answer::Kept)) => Ok(()),
            _ => Err(HoldFailure::Gone),
        }
    }
}

/// Has a keeper hold: the one that is there, the one that stands by for it, or a new one.
pub async fn hold(
    place: &Place,
    wanted: Hold,
    mut stands_by: Option<StandsBy>,
    limit: Duration,
) -> Result<Held, HoldFailure> {
    let ask = line(&Ask::Hold(Box::new(wanted)));
    let start_again = Duration::from_millis(START_AGAIN_MS);
    let held = timeout(limit, async {
        let mut started: Option<Instant> = None;
        loop {
            if let Ok(stream) = UnixStream::connect(place.socket()).await {
                let mut line = BufReader::new(stream);
                let answer = match line.write_all(&ask).await {
                    Ok(()) => next(&mut line).await,
                    Err(_) => None,
                };
                match answer {
                    Some(Answer::Held { at: wall, boot, notes }) => {
                        return Ok(Held { line, at: Moment { wall, boot }, notes });
                    }
                    Some(Answer::NotHeld { why }) => return Err(HoldFailure::NotHeld(why)),
                    // It holds for another run of the hook, whose claim ended with this one's registration.
                    Some(Answer::Busy) => drop(ask_keeper(place, &Ask::LetGo, Instant::now() + limit).await),
                    // It was killed: whoever comes next has to let go first.
                    _ => started = None,
                }
            } else if started.is_none_or(|at| at.elapsed() >= start_again) {
                let mut keeper = match stands_by.take().and_then(StandsBy::wanted) {
                    Some(keeper) => keeper,
                    None => spawn::keeper(place).map_err(HoldFailure::Spawn)?,
                };
                started = Some(Instant::now());
                if keeper.listens(start_again).await {
                    continue;
                }
            }
            tokio::time::sleep(Duration::from_millis(CONNECT_POLL_MS)).await;
        }
    });
    held.await.unwrap_or(Err(HoldFailure::Late(limit.as_millis())))
}

/// What was found when something was to be let go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing was held.
    Nothing,
    /// It is let go now.
    LetGo(Outcome),
    /// It had been let go before.
    Earlier(Outcome),
    /// It may still be held; whoever can goes on trying.
    StillHeld(String),
}

/// Lets go of whatever is held in any place, within `limit`: by the keeper, else without it. `why` is said about the latter.
pub async fn let_go(given: Option<&Path>, why: &str, limit: Duration) -> Found {
    everywhere(given, &Ask::LetGo, Reach::All, why, limit).await
}

/// The same from another container, because the pod is told to stop: no hook asks, and the workload's own programs are not here.
pub async fn stop(given: Option<&Path>, why: &str, limit: Duration) -> Found {
    everywhere(given, &Ask::Stop { why: why.to_owned() }, Reach::FileSystems, why, limit).await
}

async fn everywhere(given: Option<&Path>, ask: &Ask, reach: Reach, why: &str, limit: Duration) -> Found {
    let until = Instant::now() + limit;
    let mut found = Found::Nothing;
    for place in Place::existing(given) {
        match let_go_in(&place, ask, reach, why, until).await {
            Found::Nothing => {}
            // What is wrong anywhere is what must be said.
            still @ Found::StillHeld(_) => return still,
            other => found = other,
        }
    }
    found
}

async fn let_go_in(place: &Place, ask: &Ask, reach: Reach, why: &str, until: Instant) -> Found {
    match ask_keeper(place, ask, until).await {
        Asked::Done(outcome) => return Found::LetGo(outcome),
        Asked::Failing(why) => return Found::StillHeld(why),
        Asked::Nobody => {}
        Asked::Deaf => {
            // It is stopped, or hangs. Killed it can do no harm later, and its guard or this process lets go.
            if let Ok(Some(record)) = Record::read(place)
                && let Some(keeper) = record.keeper
            {
                keeper.kill();
            }
        }
    }
    match Record::read(place) {
        Ok(None) => return Outcome::left(place).map_or(Found::Nothing, Found::Earlier),
        Err(e) => return Found::StillHeld(chain(&e)),
        Ok(Some(_)) => {}
    }
    let lock = take_over(place, until).await;
    let found = match Record::read(place) {
        // The guard was quicker.
        Ok(None) => Outcome::left(place).map_or(Found::Nothing, Found::Earlier),
        Err(e) => Found::StillHeld(chain(&e)),
        Ok(Some(record)) => {
            match from_record(place, record, &[], (why, *ask == Ask::LetGo), reach, Some(until), |_| ()).await {
                Ok(outcome) => Found::LetGo(outcome),
                Err(e) => Found::StillHeld(format!("{}: {}", e, in_words(&e.source))),
            }
        }
    };
    drop(lock);
    found
}

/// What came of asking the keeper.
enum Asked {
    Done(Outcome),
    Failing(String),
    Nobody,
    Deaf,
}

async fn ask_keeper(place: &Place, ask: &Ask, until: Instant) -> Asked {
    let Ok(stream) = UnixStream::connect(place.socket()).await else { return Asked::Nobody };
    let mut line_ = BufReader::new(stream);
    if line_.write_all(&line(ask)).await.is_err() {
        return Asked::Nobody;
    }
    let heard_until = until.min(Instant::now() + Duration::from_millis(HEARD_MS));
    match timeout_at(heard_until, next(&mut line_)).await {
        Ok(Some(Answer::Working)) => {}
        Ok(_) => return Asked::Nobody,
        Err(_) => return Asked::Deaf,
    }
    let mut failing = None;
    loop {
        match timeout_at(until, next(&mut line_)).await {
            Ok(Some(Answer::Gone(outcome))) => return Asked::Done(outcome),
            Ok(Some(Answer::Failing { why })) => failing = Some(why),
            Ok(Some(_)) => {}
            // It was killed meanwhile.
            Ok(None) => return Asked::Nobody,
            Err(_) => {
                let slow = || "the keeper has not let go yet and goes on trying".to_owned();
                return Asked::Failing(failing.unwrap_or_else(slow));
            }
        }
    }
}
