//! What applying a plan would do to the Schedules that stand there: one word a Schedule.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::object::{Metadata, Schedule};
use crate::inventory::facts::{Facts, ScheduleFact};
use crate::objects::ObjectKey;

/// What would happen to one Schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It would be created.
    Create,
    /// It would be changed in place.
    Update {
        /// The cron line that stands there, where another one would.
        cron_from: Option<String>,
        /// Fields of the template that differ, by path, sorted.
        fields: Vec<String>,
    },
    /// It stays as it is.
    Keep,
    /// A person paused it: it is left alone until somebody resumes it.
    Paused,
    /// A Schedule of this name is there and is not this product's: it is left alone, and the group is not backed up by us.
    Taken,
    /// It is this product's, and nothing needs it any more.
    Remove,
}

impl Change {
    /// Whether applying the plan would write anything.
    pub const fn writes(&self) -> bool {
        matches!(self, Self::Create | Self::Update { .. } | Self::Remove)
    }

    /// One word for machines.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update { .. } => "update",
            Self::Keep => "keep",
            Self::Paused => "paused",
            Self::Taken => "name-taken",
            Self::Remove => "remove",
        }
    }
}

/// The change of every Schedule that is planned or ours, by name. Schedules of Velero's namespace alone are looked at.
pub fn changes(planned: &[Schedule], facts: &Facts, velero_namespace: &str) -> BTreeMap<String, Change> {
    let here = |key: &ObjectKey| key.namespace.as_str() == velero_namespace;
    let live: BTreeMap<&str, &ScheduleFact> =
        facts.schedules.iter().filter(|(key, _)| here(key)).map(|(key, fact)| (key.name.as_str(), fact)).collect();
    let mut changes: BTreeMap<String, Change> = planned
        .iter()
        .map(|schedule| (schedule.metadata.name.clone(), change(schedule, live.get(schedule.metadata.name.as_str()))))
        .collect();
    for (name, fact) in live {
        if fact.ours && !changes.contains_key(name) {
            let change = if fact.paused && !fact.paused_by_breaker { Change::Paused } else { Change::Remove };
            changes.insert(name.to_owned(), change);
        }
    }
    changes
}

fn change(planned: &Schedule, live: Option<&&ScheduleFact>) -> Change {
    let Some(live) = live else { return Change::Create };
    if !live.ours {
        return Change::Taken;
    }
    if live.paused && !live.paused_by_breaker {
        return Change::Paused;
    }
    let cron_from = (live.cron != planned.spec.schedule).then(|| live.cron.clone());
    let wanted = serde_json::to_value(&planned.spec.template).unwrap_or_default();
    let held: Value = serde_json::from_str(&live.template).unwrap_or_default();
    let mut fields = Vec::new();
    differences("template", &held, &wanted, &mut fields);
    if cron_from.is_none() && fields.is_empty() { Change::Keep } else { Change::Update { cron_from, fields } }
}

/// Paths at which two values differ. Lists differ as a whole: their entries have no names.
fn differences(path: &str, held: &Value, wanted: &Value, found: &mut Vec<String>) {
    match (held, wanted) {
        (Value::Object(held), Value::Object(wanted)) => {
            let keys: BTreeSet<&String> = held.keys().chain(wanted.keys()).collect();
            for key in keys {
                let missing = Value::Null;
                let (held, wanted) = (held.get(key).unwrap_or(&missing), wanted.get(key).unwrap_or(&missing));
                differences(&format!("{path}.{key}"), held, wanted, found);
            }
        }
        _ if held == wanted => {}
        _ => found.push(path.to_owned()),
    }
}

/// Sets `skipImmediately` where a Schedule is new or gets another cron, and nowhere else: Velero would fire an overdue cron at
/// once (velero#2433), and turns the field back itself, so that asking for it again and again would fight with it (velero#8787).
/// As long as Velero has not looked, the wish stands: left out, it would be taken back with whatever else changes.
pub fn skip_where_the_cron_is_new(planned: &mut [Schedule], changes: &BTreeMap<String, Change>, facts: &Facts) {
    let asked = facts.schedules.iter().filter(|(_, fact)| fact.asks_to_skip);
    let asked: BTreeSet<(&str, &str)> = asked.map(|(key, _)| (key.namespace.as_str(), key.name.as_str())).collect();
    for schedule in planned {
        let Metadata { name, namespace, .. } = &schedule.metadata;
        let skips = match changes.get(name) {
            Some(Change::Create | Change::Update { cron_from: Some(_), .. }) => true,
            Some(Change::Update { cron_from: None, .. } | Change::Keep) => {
                asked.contains(&(namespace.as_str(), name.as_str()))
            }
            Some(Change::Paused | Change::Taken | Change::Remove) | None => false,
        };
        schedule.spec.skip_immediately = skips.then_some(true);
    }
}
