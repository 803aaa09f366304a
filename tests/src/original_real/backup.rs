//! What does a Backup with the original's hooks look like?

use serde_json::{Value, json};
use shared::names::LABEL_SNAPSHOT_GROUP;
use std::time::Duration;

use super::scripts::{POST, PRE};
use crate::original::{Layout, PRE_TIMEOUT_S};
use crate::velero::cluster::Made;

/// The post hook's time-out in the original's Schedules.
const POST_TIMEOUT: &str = "5m";

/// What the original's own Schedule of a `StatefulSet` asks for.
pub fn as_scheduled(namespace: &str, set: &str) -> Value {
    let mut spec = everything(namespace, Duration::from_secs(PRE_TIMEOUT_S));
    spec["includedResources"] = json!(["statefulsets"]);
    spec["labelSelector"] = json!({"matchExpressions": [{"key": "app", "operator": "In", "values": [set]}]});
    spec
}

/// The same for all objects of the namespace; the layout says in which order.
pub(super) fn of_layout(made: &Made, namespace: &str, layout: Layout, pre_timeout: Duration) -> Value {
    let mut spec = everything(namespace, pre_timeout);
    if layout == Layout::OneBlock {
        spec["orderedResources"] = json!({"pods": made.ordered()});
    }
    spec
}

fn everything(namespace: &str, pre_timeout: Duration) -> Value {
    let hook = |command: &str, timeout: &str, on_error: &str| json!([{"exec": {"command": [command], "timeout": timeout, "onError": on_error}}]);
    json!({
        "includedNamespaces": [namespace], "snapshotVolumes": true, "storageLocation": "default", "ttl": "168h",
        "hooks": {"resources": [{
            "name": "backup-wait", "includedNamespaces": [namespace],
            "labelSelector": {"matchExpressions": [{"key": LABEL_SNAPSHOT_GROUP, "operator": "Exists"}]},
            "pre": hook(PRE, &format!("{}s", pre_timeout.as_secs()), "Fail"),
            "post": hook(POST, POST_TIMEOUT, "Continue"),
        }]},
    })
}
