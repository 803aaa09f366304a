//! Small objects for the unit tests of this crate.

use std::collections::{BTreeMap, BTreeSet};

use shared::identity::{GroupKey, Namespace, PodName, PodUid};
use shared::names::LABEL_SNAPSHOT_GROUP;

use crate::objects::{Backup, BackupPhase, Claim, ObjectKey, Pod, PodKey, PodPhase, Volume};
use crate::world::World;

pub fn group(namespace: &str, group: &str) -> GroupKey {
    format!("{namespace}/{group}").parse().unwrap()
}

pub fn key(namespace: &str, name: &str) -> ObjectKey {
    ObjectKey { namespace: Namespace::new(namespace).unwrap(), name: name.into() }
}

pub fn pod(namespace: &str, name: &str) -> Pod {
    Pod {
        key: PodKey { namespace: Namespace::new(namespace).unwrap(), name: PodName::new(name).unwrap() },
        uid: PodUid::new(format!("uid-{name}")).unwrap(),
        phase: PodPhase::Running,
        deleting: false,
        labels: BTreeMap::new(),
        owner: None,
        claims: BTreeSet::new(),
        mode: None,
    }
}

pub fn grouped_pod(namespace: &str, name: &str, group: &str, claims: &[&str]) -> Pod {
    let mut pod = pod(namespace, name);
    pod.labels.insert(LABEL_SNAPSHOT_GROUP.into(), group.into());
    pod.claims = claims.iter().map(|claim| (*claim).to_owned()).collect();
    pod
}

pub fn bind(world: &mut World, namespace: &str, claim: &str, ebs: bool) {
    let volume = format!("pv-{namespace}-{claim}");
    world.put_claim(Claim { key: key(namespace, claim), volume: Some(volume.clone()) });
    world.put_volume(Volume { name: volume, ebs });
}

pub fn backup(name: &str, phase: BackupPhase, namespaces: &[&str]) -> Backup {
    Backup {
        key: key("velero", name),
        phase,
        included_namespaces: namespaces.iter().map(|n| (*n).to_owned()).collect(),
        excluded_namespaces: vec![],
        any_of: vec![],
        ordered_pods: vec![],
    }
}
