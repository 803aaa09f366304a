//! Small objects for the unit tests of this crate.

use std::collections::BTreeSet;

use shared::identity::{GroupKey, Namespace, PodName};
use shared::names::LABEL_SNAPSHOT_GROUP;

use crate::objects::{Backup, BackupPhase, Claim, ObjectKey, OwnerKind, OwnerRef, Pod, PodKey, Volume};
use crate::settings::{ModeSetting, Settings};
use crate::throttle::settings::ThrottleSettings;
use crate::world::World;

/// A budget of five, nothing to be seen of cuts.
pub fn settings() -> Settings {
    Settings {
        namespace: Namespace::new("velero").unwrap(),
        identity: "test".into(),
        max_concurrent_snapshots: 5,
        mode: ModeSetting::Auto,
        item_block_workers: None,
        call_within_ms: 10_000,
        policy: crate::policy::HoldPolicy::default(),
        barrier_stall_ms: 5_000,
        round_duration_s: 14_400,
        round_idle_ms: 30_000,
        clock_error_ms: 50,
        throttle: ThrottleSettings::default(),
        pod_selector: vec![],
        label_pods: true,
        cuts_visible: false,
        backups_visible: true,
    }
}

pub fn group(namespace: &str, group: &str) -> GroupKey {
    format!("{namespace}/{group}").parse().unwrap()
}

pub fn key(namespace: &str, name: &str) -> ObjectKey {
    ObjectKey { namespace: Namespace::new(namespace).unwrap(), name: name.into() }
}

pub fn pod(namespace: &str, name: &str) -> Pod {
    let key = PodKey { namespace: Namespace::new(namespace).unwrap(), name: PodName::new(name).unwrap() };
    Pod::new(key, format!("uid-{name}").as_str().into())
}

pub fn grouped_pod(namespace: &str, name: &str, group: &str, claims: &[&str]) -> Pod {
    let mut pod = pod(namespace, name);
    pod.set_label(LABEL_SNAPSHOT_GROUP, group);
    pod.set_claims(claims.iter().map(|claim| (*claim).to_owned()).collect());
    pod
}

/// Gives a pod to a StatefulSet.
pub fn own(pod: &mut Pod, set: &str) {
    pod.set_owners(vec![OwnerRef::controller(OwnerKind::StatefulSet, set, &format!("uid-{set}"))]);
}

pub fn bind(world: &mut World, namespace: &str, claim: &str, ebs: bool) {
    let volume = format!("pv-{namespace}-{claim}");
    world.put_claim(Claim::new(key(namespace, claim), Some(&volume)));
    world.put_volume(Volume { name: volume.into(), ebs, ebs_id: None, claim: Some(key(namespace, claim)) });
}

pub fn backup(name: &str, phase: BackupPhase, namespaces: &[&str]) -> Backup {
    Backup {
        key: key("velero", name),
        uid: format!("uid-{name}"),
        started_at: None,
        failure: None,
        phase,
        included_namespaces: namespaces.iter().map(|n| (*n).to_owned()).collect(),
        excluded_namespaces: vec![],
        includes_pods: true,
        hooks: vec![],
        any_of: vec![],
        ordered_pods: vec![],
        receipts: BTreeSet::new(),
    }
}
