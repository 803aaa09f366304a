//! Which kinds does the server know, and how does each of them differ?
//!
//! One table. Everything that depends on the kind reads a column of it; nothing else in the server names a kind, except the
//! validation rules in `checks`.
//!
//! Sources: `kubectl api-resources` against kube-apiserver v1.35 for the built-in kinds; for velero.io the CRDs of Velero 1.18
//! (`config/crd/v1/bases`, all four with `subresources: {}`: their status is written with the object); for snapshot.storage.k8s.io the
//! CRDs of external-snapshotter v8.

/// Index of a kind in [`KINDS`]; also the number of its shard in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindId(pub(crate) usize);

/// Who defines a kind; decides what patches it accepts and what happens to fields nobody declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Compiled into the real server: strategic merge patch works, undeclared fields are dropped.
    BuiltIn,
    /// A `CustomResourceDefinition`: no strategic merge patch (415), lists are atomic.
    Custom,
}

/// One row: a kind and how the server treats it.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "columns of a table, each a yes or no of its own")]
pub struct Kind {
    /// API group, empty for the core group.
    pub group: &'static str,
    /// The only served version.
    pub version: &'static str,
    /// CamelCase singular, as in `kind:`.
    pub kind: &'static str,
    /// Lower-case plural, as in paths.
    pub plural: &'static str,
    /// Short names for kubectl.
    pub short: &'static [&'static str],
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// Whether the kind has a `spec`.
    pub has_spec: bool,
    /// Whether there is a `status` subresource (main writes then ignore status, status writes ignore the rest).
    pub status: bool,
    /// Whether the server counts `metadata.generation`.
    pub generation: bool,
    /// Whether a PUT without resourceVersion is taken (`AllowUnconditionalUpdate` of the kind's strategy).
    pub unconditional_update: bool,
    /// Whether a PUT to a name that is not there creates it (`AllowCreateOnUpdate`).
    pub create_on_update: bool,
    /// kubectl categories (`all`).
    pub categories: &'static [&'static str],
    /// Built in or by CRD.
    pub origin: Origin,
    /// Status that a new object gets, as JSON; empty for none.
    pub initial_status: &'static str,
}

impl Kind {
    /// `v1` or `group/version`, as in `apiVersion:`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `pods` or `leases.coordination.k8s.io`, as error messages name the resource.
    pub fn qualified_plural(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// `Pod` or `Lease.coordination.k8s.io`, as validation errors name the kind.
    pub fn qualified_kind(&self) -> String {
        if self.group.is_empty() { self.kind.to_owned() } else { format!("{}.{}", self.kind, self.group) }
    }

    /// `pod`: the kind in lower case.
    pub fn singular(&self) -> String {
        self.kind.to_ascii_lowercase()
    }
}

const fn built_in(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Kind {
    Kind {
        group,
        version,
        kind,
        plural,
        short: &[],
        namespaced: true,
        has_spec: true,
        status: false,
        generation: false,
        unconditional_update: true,
        create_on_update: false,
        categories: &[],
        origin: Origin::BuiltIn,
        initial_status: "",
    }
}

const fn custom(group: &'static str, kind: &'static str, plural: &'static str, short: &'static [&'static str]) -> Kind {
    Kind {
        short,
        generation: true,
        unconditional_update: false,
        origin: Origin::Custom,
        ..built_in(group, "v1", kind, plural)
    }
}

const VELERO: &str = "velero.io";
const SNAPSHOT: &str = "snapshot.storage.k8s.io";
const ALL: &[&str] = &["all"];

/// The kinds, in the order of discovery.
pub static KINDS: &[Kind] = &[
    Kind {
        short: &["ns"],
        namespaced: false,
        status: true,
        initial_status: r#"{"phase":"Active"}"#,
        ..built_in("", "v1", "Namespace", "namespaces")
    },
    Kind {
        short: &["po"],
        status: true,
        generation: true,
        categories: ALL,
        initial_status: r#"{"phase":"Pending","qosClass":"BestEffort"}"#,
        ..built_in("", "v1", "Pod", "pods")
    },
    Kind {
        short: &["pvc"],
        status: true,
        initial_status: r#"{"phase":"Pending"}"#,
        ..built_in("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
    },
    Kind {
        short: &["pv"],
        namespaced: false,
        status: true,
        initial_status: r#"{"phase":"Pending"}"#,
        ..built_in("", "v1", "PersistentVolume", "persistentvolumes")
    },
    Kind { short: &["no"], namespaced: false, status: true, ..built_in("", "v1", "Node", "nodes") },
    Kind { has_spec: false, short: &["sa"], ..built_in("", "v1", "ServiceAccount", "serviceaccounts") },
    Kind { has_spec: false, short: &["cm"], ..built_in("", "v1", "ConfigMap", "configmaps") },
    Kind { has_spec: false, ..built_in("", "v1", "Secret", "secrets") },
    Kind {
        short: &["svc"],
        status: true,
        categories: ALL,
        initial_status: r#"{"loadBalancer":{}}"#,
        ..built_in("", "v1", "Service", "services")
    },
    Kind { has_spec: false, short: &["ev"], ..built_in("", "v1", "Event", "events") },
    Kind { has_spec: false, short: &["ev"], ..built_in("events.k8s.io", "v1", "Event", "events") },
    Kind {
        short: &["sts"],
        status: true,
        generation: true,
        categories: ALL,
        initial_status: r#"{"availableReplicas":0,"replicas":0}"#,
        ..built_in("apps", "v1", "StatefulSet", "statefulsets")
    },
    Kind {
        short: &["deploy"],
        status: true,
        generation: true,
        categories: ALL,
        initial_status: "{}",
        ..built_in("apps", "v1", "Deployment", "deployments")
    },
    Kind {
        short: &["rs"],
        status: true,
        generation: true,
        categories: ALL,
        initial_status: r#"{"replicas":0}"#,
        ..built_in("apps", "v1", "ReplicaSet", "replicasets")
    },
    Kind {
        status: true,
        generation: true,
        categories: ALL,
        initial_status: "{}",
        ..built_in("batch", "v1", "Job", "jobs")
    },
    Kind {
        short: &["cj"],
        status: true,
        generation: true,
        categories: ALL,
        initial_status: "{}",
        ..built_in("batch", "v1", "CronJob", "cronjobs")
    },
    Kind {
        unconditional_update: false,
        create_on_update: true,
        ..built_in("coordination.k8s.io", "v1", "Lease", "leases")
    },
    Kind {
        has_spec: false,
        short: &["sc"],
        namespaced: false,
        ..built_in("storage.k8s.io", "v1", "StorageClass", "storageclasses")
    },
    custom(VELERO, "Backup", "backups", &["bak"]),
    custom(VELERO, "Schedule", "schedules", &["sched"]),
    custom(VELERO, "BackupStorageLocation", "backupstoragelocations", &["bsl"]),
    custom(VELERO, "VolumeSnapshotLocation", "volumesnapshotlocations", &["vsl"]),
    Kind { status: true, ..custom(SNAPSHOT, "VolumeSnapshot", "volumesnapshots", &["vs"]) },
    Kind {
        namespaced: false,
        status: true,
        ..custom(SNAPSHOT, "VolumeSnapshotContent", "volumesnapshotcontents", &["vsc", "vscs"])
    },
    Kind {
        namespaced: false,
        ..custom(SNAPSHOT, "VolumeSnapshotClass", "volumesnapshotclasses", &["vsclass", "vsclasses"])
    },
];

/// The row of a kind.
pub fn kind(id: KindId) -> &'static Kind {
    &KINDS[id.0]
}

/// All kinds with their ids.
pub fn all() -> impl Iterator<Item = (KindId, &'static Kind)> {
    KINDS.iter().enumerate().map(|(i, k)| (KindId(i), k))
}

/// Finds a kind by its path parts.
pub fn by_path(group: &str, version: &str, plural: &str) -> Option<KindId> {
    all().find(|(_, k)| k.group == group && k.version == version && k.plural == plural).map(|(id, _)| id)
}

/// Finds a kind by what an object or an owner reference says of itself.
pub fn by_type(api_version: &str, kind_name: &str) -> Option<KindId> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    all().find(|(_, k)| k.group == group && k.version == version && k.kind == kind_name).map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_path_and_by_type_and_are_unique() {
        for (id, k) in all() {
            assert_eq!(by_path(k.group, k.version, k.plural), Some(id));
            assert_eq!(by_type(&k.api_version(), k.kind), Some(id));
            if !k.initial_status.is_empty() {
                assert!(k.status, "{} has an initial status but no status subresource", k.kind);
                assert!(serde_json::from_str::<serde_json::Value>(k.initial_status).is_ok_and(|v| v.is_object()));
            }
        }
        assert_eq!(by_type("velero.io/v2", "Backup"), None);
    }
}
