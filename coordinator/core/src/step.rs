//! One step of the coordinator: an event comes in, commands and notices go out.

use crate::command::Command;
use crate::event::Event;
use crate::notice::Notice;
use crate::settings::Settings;
use crate::time::Now;

/// What follows from an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// API calls to make, in any order; at most one per target.
    pub commands: Vec<Command>,
    /// What to tell people.
    pub notices: Vec<Notice>,
    /// After this many ms without an event the shell sends [`Event::Tick`].
    pub wake_ms: u64,
}

/// All that the coordinator knows.
#[derive(Clone, Debug)]
pub struct State {
    settings: Settings,
}

impl State {
    /// Nothing is known yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// What the operator set.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

/// Takes one event and decides.
pub fn step(state: &mut State, event: Event, now: Now) -> Step {
    let _ = (state, event, now);
    Step::default()
}
