//! What is done to the cluster for a plan: which Schedules and which claims' labels are written, which Schedules are held up, and which groups have gone
//! without a good backup for too long. Decisions only; the shell makes one call of each.

pub mod breaker;
pub mod claim_labels;
pub mod missed;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::velero_schedule::change::Change;
use crate::velero_schedule::object::Schedule;

/// One call to the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Apply it: it is new.
    Create(Box<Schedule>),
    /// Apply it: it stands there and says something else.
    Update {
        /// As it is to be.
        schedule: Box<Schedule>,
        /// Whether its cron line is another one.
        cron_is_new: bool,
        /// What differs, for people.
        what: String,
    },
    /// Delete it: nothing needs it any more.
    Remove {
        /// Its name.
        name: String,
    },
    /// Pause it: its earlier Backup is not over, and its next run is near.
    Pause {
        /// Its name.
        name: String,
        /// The Backup that is not over.
        backup: String,
    },
    /// Let it run again, without firing at once.
    Resume {
        /// Its name.
        name: String,
    },
    /// Take the breaker's mark off: somebody else has resumed it. With the mark left there, a pause of theirs would be taken for the breaker's.
    Unmark {
        /// Its name.
        name: String,
    },
}

impl Action {
    /// The Schedule that it is about.
    pub fn name(&self) -> &str {
        match self {
            Self::Create(schedule) | Self::Update { schedule, .. } => &schedule.metadata.name,
            Self::Remove { name } | Self::Pause { name, .. } | Self::Resume { name } | Self::Unmark { name } => name,
        }
    }

    /// One word, for metrics and logs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Update { .. } => "update",
            Self::Remove { .. } => "remove",
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::Unmark { .. } => "unmark",
        }
    }
}

/// The writes that a plan asks for: new ones first, so that a group whose Schedule is called otherwise from now on is never without one.
pub fn actions(planned: Vec<Schedule>, changes: &BTreeMap<String, Change>) -> Vec<Action> {
    let mut create = Vec::new();
    let mut update = Vec::new();
    for schedule in planned {
        match changes.get(&schedule.metadata.name) {
            Some(Change::Create) => create.push(Action::Create(Box::new(schedule))),
            Some(Change::Update { cron_from, fields }) => {
                let cron = cron_from.as_ref().map(|from| format!("cron from `{from}` to `{}`", schedule.spec.schedule));
                let cron_is_new = cron.is_some();
                let what: Vec<String> = cron.into_iter().chain(fields.iter().cloned()).collect();
                update.push(Action::Update { schedule: Box::new(schedule), cron_is_new, what: what.join(", ") });
            }
            Some(Change::Keep | Change::Paused | Change::Taken | Change::Remove) | None => {}
        }
    }
    let gone = changes.iter().filter(|(_, change)| matches!(change, Change::Remove));
    let remove = gone.map(|(name, _)| Action::Remove { name: name.clone() });
    create.into_iter().chain(update).chain(remove).collect()
}
