//! Who owns which fields of an object? `metadata.managedFields`, read, updated by every write, and written back.

use serde_json::{Value, json};

use super::field_set::FieldSet;
use super::shape::Place;
use super::walk;
use crate::api::kinds::Kind;
use crate::api::status::ApiError;

/// How a manager writes: entries of the two operations are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Server-side apply.
    Apply,
    /// Everything else.
    Update,
}

impl Operation {
    fn word(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// Who is writing, and through what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manager {
    /// Name, at most 128 characters.
    pub name: String,
    /// Apply or update.
    pub operation: Operation,
    /// `status`, or empty.
    pub subresource: String,
}

/// One entry of `managedFields`.
#[derive(Clone, Debug)]
struct Entry {
    manager: Manager,
    api_version: String,
    time: String,
    set: FieldSet,
}

/// All entries of an object.
#[derive(Clone, Debug, Default)]
pub struct Managed(Vec<Entry>);

/// The manager that gets what nobody owned when an object is applied for the first time.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

impl Managed {
    /// Reads an object's `managedFields`. Entries that make no sense are dropped, as the real server resets them.
    pub fn of(object: &Value) -> Self {
        let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
        Self(
            entries
                .filter_map(|e| {
                    let operation = match e["operation"].as_str()? {
                        "Apply" => Operation::Apply,
                        "Update" => Operation::Update,
                        _ => return None,
                    };
                    let manager = Manager { name: text(e, "manager"), operation, subresource: text(e, "subresource") };
                    let set = FieldSet::from_json(&e["fieldsV1"]);
                    Some(Entry { manager, api_version: text(e, "apiVersion"), time: text(e, "time"), set })
                })
                .collect(),
        )
    }

    /// The entries that an update starts from: those it brings along, else those there are. One empty entry means that all are given up
    /// (`isResetManagedFields`).
    pub fn kept(old: &Value, new: &Value) -> Self {
        match new["metadata"]["managedFields"].as_array().map(Vec::as_slice) {
            _ if old.is_null() => Self::default(),
            Some([entry]) if entry.as_object().is_some_and(serde_json::Map::is_empty) => Self::default(),
            Some([_, ..]) => Self::of(new),
            _ => Self::of(old),
        }
    }

    /// Writes the entries into an object; none at all removes the field.
    pub fn write(&self, object: &mut Value) {
        let mut sorted: Vec<&Entry> = self.0.iter().collect();
        sorted.sort_by_key(|e| (e.manager.operation, &e.time, &e.manager.name, &e.manager.subresource));
        let entries: Vec<Value> = sorted.into_iter().map(Entry::to_json).collect();
        let Some(metadata) = object["metadata"].as_object_mut() else { return };
        if entries.is_empty() {
            metadata.remove("managedFields");
        } else {
            metadata.insert("managedFields".to_owned(), Value::Array(entries));
        }
    }

    fn entry(&self, manager: &Manager) -> Option<&Entry> {
        self.0.iter().find(|e| e.manager == *manager)
    }

    /// What a manager owned before.
    pub fn set_of(&self, manager: &Manager) -> FieldSet {
        self.entry(manager).map(|e| e.set.clone()).unwrap_or_default()
    }

    /// What everybody owns together.
    pub fn everything(&self) -> FieldSet {
        self.0.iter().fold(FieldSet::default(), |all, e| all.union(&e.set))
    }

    /// Gives a manager exactly this set; the time is only touched when the set changes.
    pub fn replace(&mut self, manager: &Manager, api_version: &str, set: FieldSet, now: &str) {
        if let Some(entry) = self.0.iter_mut().find(|e| e.manager == *manager) {
            if entry.set != set {
                entry.set = set;
                now.clone_into(&mut entry.time);
            }
        } else {
            let (manager, api_version, time) = (manager.clone(), api_version.to_owned(), now.to_owned());
            self.0.push(Entry { manager, api_version, time, set });
        }
        self.0.retain(|e| !e.set.is_empty());
    }

    /// Attributes everything to the one who wrote before the first apply, when nobody is on record.
    pub fn adopt(&mut self, kind: &Kind, object: &Value, now: &str) {
        if self.0.is_empty() {
            let manager = Manager {
                name: BEFORE_FIRST_APPLY.to_owned(),
                operation: Operation::Update,
                subresource: String::new(),
            };
            let set = walk::fields_of(Place::root(kind.origin), object);
            self.replace(&manager, &kind.api_version(), set, now);
        }
    }

    /// Takes changed fields from everyone but `manager`; removed fields from everyone.
    pub fn yield_to(&mut self, manager: &Manager, difference: &walk::Difference) {
        for entry in &mut self.0 {
            if entry.manager != *manager {
                entry.set = entry.set.minus(&difference.changed);
            }
            entry.set = entry.set.minus(&difference.removed);
        }
        self.0.retain(|e| !e.set.is_empty());
    }

    /// Refuses when somebody else owns one of the changed fields.
    pub fn check_conflicts(&self, manager: &Manager, changed: &FieldSet) -> Result<(), ApiError> {
        let mut found: Vec<(String, String)> = Vec::new();
        for entry in self.0.iter().filter(|e| e.manager != *manager) {
            let who = entry.describe();
            found.extend(entry.set.common(changed).paths().into_iter().map(|path| (who.clone(), path)));
        }
        if found.is_empty() {
            return Ok(());
        }
        found.sort();
        let plural = if found.len() == 1 { "" } else { "s" };
        let text = if let [(who, path)] = found.as_slice() {
            format!("conflict with {who}: {path}")
        } else {
            by_manager(&found)
        };
        let causes: Vec<Value> = found
            .iter()
            .map(|(who, path)| json!({"reason": "FieldManagerConflict", "message": format!("conflict with {who}"), "field": path}))
            .collect();
        let message = format!("Apply failed with {} conflict{plural}: {text}", found.len());
        let mut error = ApiError::new(409, "Conflict", message);
        error.details = Some(json!({"causes": causes}));
        Err(error)
    }
}

fn by_manager(found: &[(String, String)]) -> String {
    let mut lines = Vec::new();
    let mut last = "";
    for (who, path) in found {
        if who != last {
            lines.push(format!("conflicts with {who}:"));
            last = who;
        }
        lines.push(format!("- {path}"));
    }
    lines.join("\n")
}

impl Entry {
    fn to_json(&self) -> Value {
        let Self { manager: Manager { name, operation, subresource }, api_version, time, set } = self;
        let mut out = json!({
            "manager": name, "operation": operation.word(), "apiVersion": api_version, "time": time,
            "fieldsType": "FieldsV1", "fieldsV1": set.to_json(),
        });
        if !subresource.is_empty() {
            out["subresource"] = subresource.as_str().into();
        }
        out
    }

    fn describe(&self) -> String {
        let Self { manager: Manager { name, operation, subresource }, api_version, time: _, set: _ } = self;
        let part = if subresource.is_empty() { String::new() } else { format!(" with subresource \"{subresource}\"") };
        match operation {
            Operation::Apply => format!("\"{name}\"{part}"),
            Operation::Update => format!("\"{name}\"{part} using {api_version}"),
        }
    }
}
