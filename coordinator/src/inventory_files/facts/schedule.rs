//! What is kept of a Velero Schedule.

use coordinator_core::inventory::demands::is_ours;
use coordinator_core::inventory::facts::{Fact, ScheduleFact};
use serde::Deserialize;
use serde_json::Value;
use shared::identity::{GroupKey, IdentityError};
use shared::names::{
    ANNOTATION_PAUSED_BY, ANNOTATION_PLANNED, LABEL_GROUP_NAMESPACE, LABEL_MANAGED_BY, LABEL_SNAPSHOT_GROUP,
    PAUSED_BY_BREAKER,
};

use super::meta::Meta;

/// The fields that are read.
#[derive(Debug, Deserialize)]
pub struct Slim {
    metadata: Meta,
    #[serde(default)]
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    schedule: String,
    paused: bool,
    skip_immediately: Option<bool>,
    template: Value,
}

/// Cuts it down.
pub fn reduce(schedule: Slim) -> Result<Fact, IdentityError> {
    let Slim { metadata, spec } = schedule;
    let ours = is_ours(metadata.label(LABEL_MANAGED_BY));
    let group = match (metadata.label(LABEL_GROUP_NAMESPACE), metadata.label(LABEL_SNAPSHOT_GROUP)) {
        (Some(namespace), Some(group)) => {
            namespace.parse().and_then(|namespace| Ok(GroupKey { namespace, group: group.parse()? })).ok()
        }
        _ => None,
    };
    let namespaces = spec.template.get("includedNamespaces").and_then(Value::as_array).into_iter().flatten();
    let fact = ScheduleFact {
        ours,
        group,
        cron: spec.schedule,
        paused: spec.paused,
        paused_by_breaker: metadata.annotation(ANNOTATION_PAUSED_BY) == Some(PAUSED_BY_BREAKER),
        asks_to_skip: spec.skip_immediately == Some(true),
        created: metadata.created(),
        namespaces: namespaces.filter_map(Value::as_str).map(str::to_owned).collect(),
        template: if ours { spec.template.to_string().into_boxed_str() } else { Box::default() },
        planned: metadata.annotation(ANNOTATION_PLANNED).map(Into::into),
    };
    Ok(Fact::Schedule(metadata.key()?, fact))
}
