//! What the keeper holds: begins the steps in order, writes each down first, and lets go of them in reverse.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;

use crate::clock::Moment;
use crate::keeper::boot_clock;
use crate::keeper::mark::ProcessMark;
use crate::keeper::place::Place;
use crate::keeper::record::{Record, StepState};
use crate::keeper::undo::{UndoError, undo};
use crate::keeper::wire::Hold;
use crate::lines::chain;
use crate::quiesce::command::{self, CommandError};
use crate::quiesce::freeze::{self, FreezeError, Freezer, Target};
use crate::quiesce::plan::Step;
use crate::quiesce::session::{Session, SessionError};
use crate::resident::ask::{Overseer, RingMissing};

/// Why a step does not hold.
#[derive(Debug, thiserror::Error)]
pub enum StepFailure {
    /// Its program failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// Its session failed.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// Its file systems failed.
    #[error(transparent)]
    Freeze(#[from] FreezeError),
    /// The disk is too slow.
    #[error("the disk was not done within {0} ms")]
    Slow(u64),
    /// Nobody would thaw what outlives its container, and the user did not accept that.
    #[error(transparent)]
    Rings(#[from] RingMissing),
    /// Without a record nobody else could let go.
    #[error("the record of what is held cannot be written")]
    Record(#[source] io::Error),
}

/// What is needed in memory to let go of a step.
enum Hand {
    Nothing,
    Session(Box<Session>),
    Freezer(Freezer),
}

/// Everything that this keeper holds.
pub struct Holding {
    place: Place,
    record: Record,
    hands: Vec<Hand>,
    unbroken: bool,
    whole: bool,
    overseer: Option<Overseer>,
    /// What is to be said besides.
    pub notes: Vec<String>,
}

impl Holding {
    /// Writes down what will be held.
    pub fn new(place: Place, hold: Hold) -> io::Result<Self> {
        let now_ms = boot_clock::now_ms();
        let record = Record {
            keeper: ProcessMark::own(),
            boot_id: boot_clock::boot_id(),
            began_boot_ms: now_ms,
            end_boot_ms: now_ms.saturating_add(hold.limit_ms),
            letting_go: false,
            letting_go_from: None,
            steps: hold.steps.iter().map(|_| (StepState::Pending, None)).collect(),
            hold,
        };
        record.write(&place)?;
        let hands = record.steps.iter().map(|_| Hand::Nothing).collect();
        Ok(Self { place, record, hands, unbroken: true, whole: false, overseer: None, notes: Vec::new() })
    }

    /// What is written down.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Begins every step, in order. An error names the step; what was begun before is for the caller to let go.
    pub async fn begin(&mut self) -> Result<Moment, (String, StepFailure)> {
        for i in 0..self.record.steps.len() {
            let step = self.record.hold.steps[i].clone();
            let begun = self.begin_step(i, &step).await;
            begun.map_err(|e| (step.to_string(), e))?;
        }
        self.whole = true;
        Ok(Moment::now())
    }

    async fn begin_step(&mut self, i: usize, step: &Step) -> Result<(), StepFailure> {
        // What is refused before anything froze is not to be thawed later.
        let cleared = if let Step::Fsfreeze(paths) = step { Some(self.cleared(paths).await?) } else { None };
        self.mark(i, StepState::Begun).map_err(StepFailure::Record)?;
        let limit = Duration::from_millis(step.timeout_ms());
        let slow = |_| StepFailure::Slow(step.timeout_ms());
        match step {
            Step::Sync(paths) => {
                let paths = paths.clone();
                let synced = tokio::task::spawn_blocking(move || freeze::sync(&paths));
                timeout(limit, synced).await.map_err(slow)?.unwrap_or(Err(FreezeError::CalledOff))?;
            }
            Step::Exec(exec) => command::run(&exec.freeze, limit, |child| self.note_child(i, child)).await?,
            Step::Session(session) => {
                let begun = Session::begin(session, limit, |child| self.note_child(i, child)).await?;
                self.hands[i] = Hand::Session(Box::new(begun));
            }
            Step::Fsfreeze(_) => {
                // In hand before it is waited for: whoever drops this wait must still be able to thaw.
                self.hands[i] = Hand::Freezer(Freezer::begin(cleared.unwrap_or_default()));
                if let Hand::Freezer(freezer) = &mut self.hands[i] {
                    timeout(limit, freezer.frozen()).await.map_err(slow)??;
                }
            }
        }
        self.mark(i, StepState::Held).map_err(StepFailure::Record)
    }

    /// The file systems that may be frozen: the pod's resident watches from here on, and a sweep would find them at the pod's next start.
    async fn cleared(&mut self, paths: &[PathBuf]) -> Result<Vec<Target>, StepFailure> {
        let accepted = self.record.hold.freeze_accepted;
        match Overseer::engage(&self.place, &self.record).await {
            Ok(overseer) => self.overseer = Some(overseer),
            Err(_) if accepted => {}
            Err(e) => return Err(e.into()),
        }
        let cleared = freeze::clear(paths, self.place.dir())?;
        self.notes.extend(
            cleared
                .were_frozen
                .iter()
                .map(|path| format!("{} had been frozen by somebody else and was thawed by the trial", path.display())),
        );
        if let Some(overseer) = self.overseer.as_ref().filter(|_| !accepted) {
            overseer.covers(&self.place, &cleared.targets)?;
        }
        Ok(cleared.targets)
    }

    /// Everything is let go: the resident need not watch any longer.
    pub async fn dismiss_resident(&mut self) {
        if let Some(overseer) = self.overseer.take() {
            overseer.dismiss().await;
        }
    }

    fn mark(&mut self, i: usize, state: StepState) -> io::Result<()> {
        self.record.steps[i].0 = state;
        self.record.write(&self.place)
    }

    fn note_child(&mut self, i: usize, child: ProcessMark) {
        self.record.steps[i].1 = Some(child);
        // If it cannot be written, only a keeper that is killed within this step would leave the child running.
        let _ = self.record.write(&self.place);
    }

    /// Waits until something that holds ends by itself, and says what. May be dropped and called again.
    pub async fn lost(&mut self) -> String {
        let sessions = self.hands.iter_mut().filter_map(|hand| match hand {
            Hand::Session(session) => Some(Box::pin(session.lost())),
            Hand::Nothing | Hand::Freezer(_) => None,
        });
        let sessions: Vec<_> = sessions.collect();
        if sessions.is_empty() {
            return std::future::pending().await;
        }
        let (how, ..) = futures::future::select_all(sessions).await;
        self.unbroken = false;
        how
    }

    /// Lets go of what is left, last first. `Ok(true)`: everything was held until this began. To be called again on an error.
    pub async fn let_go(&mut self) -> Result<bool, (String, UndoError)> {
        // The guard must not take a slow end for no end at all.
        self.record.letting_go = true;
        self.record.letting_go_from.get_or_insert_with(Moment::now);
        let _ = self.record.write(&self.place);
        for i in self.record.open_steps() {
            let step = self.record.hold.steps[i].clone();
            let undone = self.let_go_of(i, &step).await;
            self.unbroken &= undone.map_err(|e| (step.to_string(), e))?;
            // Not written: it may be let go twice, which does no harm.
            let _ = self.mark(i, StepState::LetGo);
        }
        Ok(self.whole && self.unbroken)
    }

    async fn let_go_of(&mut self, i: usize, step: &Step) -> Result<bool, UndoError> {
        let hand = std::mem::replace(&mut self.hands[i], Hand::Nothing);
        match (hand, step) {
            (Hand::Session(session), Step::Session(told)) => {
                let ended = session.finish(told, Duration::from_millis(told.timeout_ms)).await;
                // Whatever it says, it is gone, and holds nothing any more.
                if let Err(e) = &ended {
                    self.notes.push(chain(e));
                }
                Ok(ended.is_ok())
            }
            (Hand::Freezer(mut freezer), _) => {
                let thawed = freezer.thaw().await;
                if thawed.is_err() {
                    self.hands[i] = Hand::Freezer(freezer);
                }
                thawed.map_err(UndoError::Freeze)
            }
            (_, step) => undo(step, self.record.steps[i].1, &[]).await,
        }
    }
}
