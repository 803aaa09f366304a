//! One workload with its volumes: a StatefulSet, or a Deployment's pod with claims of its own.

use std::io;

use serde_json::{Value, json};

use super::Made;
use super::dice::Dice;
use super::names::Place;
use super::objects::{self, Set};

/// The most pods of a set that is not huge.
const REPLICAS_MAX: usize = 40;

/// What huge sets have.
const HUGE_REPLICAS: usize = 200;

/// What a workload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A StatefulSet.
    Set,
    /// A Deployment of one pod with claims.
    Deployment,
}

impl Kind {
    /// Three of four are sets.
    pub fn pick(dice: &mut Dice) -> Self {
        if dice.chance(3, 4) { Self::Set } else { Self::Deployment }
    }
}

/// Writes all objects of a workload.
pub fn write(
    place: &Place,
    kind: Kind,
    odd: bool,
    number: usize,
    dice: &mut Dice,
    made: &mut Made,
    put: &mut impl FnMut(Value) -> io::Result<()>,
) -> io::Result<()> {
    match kind {
        Kind::Set => set(place, odd, number, dice, made, put),
        Kind::Deployment => deployment(place, dice, made, put),
    }
}

fn set(
    place: &Place,
    odd: bool,
    number: usize,
    dice: &mut Dice,
    made: &mut Made,
    put: &mut impl FnMut(Value) -> io::Result<()>,
) -> io::Result<()> {
    let Place { namespace, name } = place;
    let huge = odd && number % 1_000 == 999;
    let replicas = if huge { HUGE_REPLICAS } else { dice.skewed(REPLICAS_MAX) };
    let start = if odd && dice.chance(1, 20) { dice.below(10) } else { 0 };
    let templates: Vec<String> =
        ["data", "wal", "snap-data"].into_iter().take(dice.skewed(3)).map(str::to_owned).collect();
    // One of ten charts uses `app`, the others the recommended labels.
    let labels = if dice.chance(1, 10) {
        json!({"app": name})
    } else {
        json!({"app.kubernetes.io/name": "chart", "app.kubernetes.io/instance": name})
    };
    let annotations = annotations(odd, dice, made);
    put(objects::stateful_set(&Set {
        namespace,
        name,
        replicas,
        start,
        templates: &templates,
        labels: &labels,
        annotations: &annotations,
    }))?;
    let extra = if odd && dice.chance(1, 15) { 1 + dice.below(2) } else { 0 };
    for ordinal in start..start + replicas + extra {
        let mut claims = Vec::new();
        for template in &templates {
            let claim = format!("{template}-{name}-{ordinal}");
            bound(namespace, &claim, &labels, made, put)?;
            claims.push((template.clone(), claim));
        }
        if ordinal >= start + replicas {
            made.left_behind += templates.len();
            continue;
        }
        let pod = format!("{name}-{ordinal}");
        let mut pod_labels = labels.clone();
        pod_labels["statefulset.kubernetes.io/pod-name"] = json!(pod);
        put(objects::pod(namespace, &pod, &pod_labels, &objects::owner("StatefulSet", namespace, name), &claims))?;
    }
    Ok(())
}

fn annotations(odd: bool, dice: &mut Dice, made: &mut Made) -> Value {
    if !odd {
        return json!({});
    }
    match dice.below(40) {
        0 => json!({"snapshot-group.velero.io/ttl": "720h"}),
        1 => json!({"snapshot-group.velero.io/at": "03:15"}),
        2 => json!({"snapshot-group.velero.io/times-a-day": "2"}),
        3 => json!({"snapshot-group.velero.io/priority": "50"}),
        4 => {
            made.unreadable += 1;
            json!({"snapshot-group.velero.io/ttl": "a week"})
        }
        _ => json!({"meta.helm.sh/release-name": "x"}),
    }
}

fn deployment(
    place: &Place,
    dice: &mut Dice,
    made: &mut Made,
    put: &mut impl FnMut(Value) -> io::Result<()>,
) -> io::Result<()> {
    let Place { namespace, name } = place;
    let labels = json!({"app": name, "pod-template-hash": "6d4cf56db6"});
    let mut claims = Vec::new();
    for number in 0..dice.skewed(4) {
        let claim = format!("{name}-files-{number}-claim");
        bound(namespace, &claim, &json!({}), made, put)?;
        claims.push((format!("files-{number}"), claim));
    }
    let owner = objects::owner("ReplicaSet", namespace, &format!("{name}-6d4cf56db6"));
    put(objects::pod(namespace, &format!("{name}-6d4cf56db6-x2x9k"), &labels, &owner, &claims))
}

fn bound(
    namespace: &str,
    claim: &str,
    labels: &Value,
    made: &mut Made,
    put: &mut impl FnMut(Value) -> io::Result<()>,
) -> io::Result<()> {
    made.claimed_volumes += 1;
    let number = made.claimed_volumes as u64;
    let volume = format!("pvc-{number:08x}-2d1a-4c6e-9a1b-{number:012x}");
    put(objects::volume(&volume, number, Some((namespace, claim))))?;
    put(objects::claim(namespace, claim, &volume, labels))
}
