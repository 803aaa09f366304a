//! Where this process runs and who it is, when nobody says: its pod's namespace, its host's name, a name of its own.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher as _;

use coordinator_core::objects::ObjectKey;
use coordinator_core::report::{Subject, SubjectKind};
use shared::identity::Namespace;

/// Mounted into every pod with a service account.
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// In a pod this is the pod's name.
const HOST_NAME_FILE: &str = "/proc/sys/kernel/hostname";

/// Outside of a pod: where Velero is by custom.
const NAMESPACE_DEFAULT: &str = "velero";

/// The pod's namespace, else `velero`.
pub fn namespace() -> Namespace {
    fs::read_to_string(NAMESPACE_FILE)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or_else(|| Namespace::new(NAMESPACE_DEFAULT).unwrap_or_else(|e| unreachable!("it is a name: {e}")))
}

/// The host's name.
pub fn host_name() -> String {
    let read = fs::read_to_string(HOST_NAME_FILE).unwrap_or_default();
    let name = read.trim();
    if name.is_empty() { "coordinator".to_owned() } else { name.to_owned() }
}

/// The pod in which this process runs, to be told about. Its uid is not known: `kubectl get events` shows what is told, `describe` does not.
pub fn pod(namespace: &Namespace, identity: &str) -> Subject {
    let key = ObjectKey { namespace: namespace.clone(), name: identity.to_owned() };
    Subject { kind: SubjectKind::Pod, key, uid: None }
}

/// A name that no other process has, an earlier one of the same identity included: it tells our own writes from another's.
pub fn this_process(identity: &str) -> String {
    format!("{identity}_{:08x}", RandomState::new().hash_one(identity) >> 32)
}
