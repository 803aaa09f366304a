//! Which fact an object is: dispatch by group and kind. Workloads and volumes are cut down as the watches cut them down.

mod backup;
mod meta;
mod schedule;

use coordinator_core::inventory::facts::{Fact, FactKind};
use coordinator_core::inventory::finding::Finding;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared::identity::{IdentityError, shorten};

use crate::watch::{claims, pods, stateful_sets, volumes};

/// What became of an object.
pub enum Taken {
    /// A fact.
    Fact(Fact),
    /// A kind that the inventory does not hold.
    Other,
    /// One that should be held and cannot be.
    Unreadable(Finding),
}

/// Why an object is left out.
#[derive(Debug, thiserror::Error)]
enum Refused {
    /// Its fields are not what the kind's are.
    #[error("{0}")]
    Shape(#[from] serde_json::Error),
    /// A name that no API server accepts.
    #[error("{0}")]
    Name(#[from] IdentityError),
}

/// Cuts an object down. `list_kind` is the list's own (`PodList`), for entries that do not repeat it.
pub fn take(object: Value, list_kind: Option<&str>) -> Taken {
    let text = |field: &str| object.get(field).and_then(Value::as_str);
    let kind = text("kind").or_else(|| list_kind?.strip_suffix("List")).unwrap_or_default();
    // Entries of a list that do not repeat their kind do not repeat their group either; the list was asked for by us.
    let group = text("apiVersion").map(|version| version.split_once('/').map_or("", |(group, _)| group));
    let kind = match (kind, group) {
        ("PersistentVolume", Some("") | None) => FactKind::Volume,
        ("PersistentVolumeClaim", Some("") | None) => FactKind::Claim,
        ("Pod", Some("") | None) => FactKind::Pod,
        ("StatefulSet", Some("apps") | None) => FactKind::StatefulSet,
        ("Schedule", Some("velero.io") | None) => FactKind::Schedule,
        ("Backup", Some("velero.io") | None) => FactKind::Backup,
        _ => return Taken::Other,
    };
    let name = name_of(&object);
    match reduce(kind, object) {
        Ok(fact) => Taken::Fact(fact),
        Err(refused) => Taken::Unreadable(Finding::Unreadable { kind, why: format!("{name}: {refused}") }),
    }
}

fn name_of(object: &Value) -> String {
    let field = |field: &str| object.pointer(field).and_then(Value::as_str).map(shorten);
    match (field("/metadata/namespace"), field("/metadata/name")) {
        (Some(namespace), Some(name)) => format!("{namespace}/{name}"),
        (None, Some(name)) => name,
        _ => "(no name)".to_owned(),
    }
}

fn reduce(kind: FactKind, object: Value) -> Result<Fact, Refused> {
    Ok(match kind {
        FactKind::Volume => Fact::Volume(volumes::reduce(slim(object)?)?),
        FactKind::Claim => Fact::Claim(claims::reduce(slim(object)?)?),
        FactKind::StatefulSet => Fact::StatefulSet(stateful_sets::reduce(slim(object)?)?),
        FactKind::Pod => Fact::Pod(pods::reduce(slim(object)?)?),
        FactKind::Schedule => schedule::reduce(slim(object)?)?,
        FactKind::Backup => backup::reduce(slim(object)?)?,
    })
}

fn slim<T: DeserializeOwned>(object: Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(object)
}
