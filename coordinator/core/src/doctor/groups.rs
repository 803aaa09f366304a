//! Do groups fit the budget, and how long is each held while its volumes are cut?

use std::collections::BTreeMap;

use shared::duration::parse_ms;
use shared::identity::GroupKey;
use shared::names::LABEL_SNAPSHOT_GROUP;

use super::agents::PRE_COMMAND;
use super::facts::{Facts, Pod};
use super::finding::Finding;
use super::server_flags::{flag_in, server};
use crate::inventory::Group;

/// Velero looks for a snapshot's handle every 5 s, one volume of a block after another (seen with 1.18.3).
const CSI_S_A_VOLUME: usize = 5;

/// `--quiesce-max` when nobody says, s: what is held longer is let go before the last cut.
const QUIESCE_MAX_DEFAULT_S: usize = 60;

/// The longest that a pod may ask for, s (`hook-agent pre --quiesce-max`).
const QUIESCE_MAX_S_HIGHEST: usize = 600;

/// How a pod says it, besides its pre hook's flag.
const QUIESCE_MAX: &str = "snapshot-group.velero.io/quiesce-max";

/// The largest groups that are listed in one finding; a cluster may have thousands.
const LISTED_MAX: usize = 20;

pub(super) fn check(facts: &Facts, findings: &mut Vec<Finding>) {
    over_budget(facts, findings);
    let Some(server) = server(facts).filter(super::server_flags::Server::csi) else { return };
    let parallel = server.workers().is_some_and(|workers| workers > 1);
    let mut groups: Vec<(&GroupKey, &Group)> =
        facts.inventory.groups.iter().filter(|(_, it)| it.claims.len() > 1).collect();
    groups.sort_by_key(|(key, group)| (std::cmp::Reverse(group.claims.len()), *key));
    if groups.is_empty() {
        return;
    }
    let held = |group: &Group| CSI_S_A_VOLUME * group.claims.len();
    let limits = limits_s(facts);
    let limit = |key: &GroupKey| limits.get(key).copied().unwrap_or(QUIESCE_MAX_DEFAULT_S);
    for (key, group) in groups.iter().filter(|(key, group)| held(group) > limit(key) && !parallel) {
        let wants = held(group) + CSI_S_A_VOLUME;
        let longer = if wants <= QUIESCE_MAX_S_HIGHEST {
            format!(", or the annotation {QUIESCE_MAX}: {wants}s on its pods")
        } else {
            String::new()
        };
        findings.push(Finding::warning(
            "held-past-its-limit",
            format!("group {key}"),
            format!(
                "{} volumes in one block of CSI snapshots take about {} s; what is quiesced is let go after {} s (--quiesce-max), and the receipt then says member-consistent at best",
                group.claims.len(),
                held(group),
                limit(key)
            ),
            format!(
                "native snapshots for this group (its Schedule without EnableCSI: about {} ms), a smaller group (label velero.io/snapshot-group on its pods){longer}",
                100 * group.claims.len()
            ),
        ));
    }
    let listed = groups
        .iter()
        .take(LISTED_MAX)
        .map(|(key, group)| format!("{key} {} volumes {} s", group.claims.len(), held(group)));
    let mut evidence = listed.collect::<Vec<_>>().join("; ");
    if groups.len() > LISTED_MAX {
        evidence = format!("{evidence}; and {} smaller ones", groups.len() - LISTED_MAX);
    }
    findings.push(Finding::note(
        "expected-hold",
        "groups of several volumes",
        format!("held for about {CSI_S_A_VOLUME} s a volume in one block of CSI snapshots: {evidence}"),
        "shorter: native snapshots (0.1 s a volume, verdict `unknown`); a resident and mode `lead`; fewer volumes a group. Not CSI_SNAPSHOT_EARLY_FREQUENT_POLLING",
    ));
}

/// How long each group may be held: what the least patient of its pods says, or the default where one says nothing.
fn limits_s(facts: &Facts) -> BTreeMap<GroupKey, usize> {
    let mut limits = BTreeMap::new();
    for pod in facts.pods.iter().filter(|pod| pod.lives()) {
        let Some(label) = pod.metadata.labels.get(LABEL_SNAPSHOT_GROUP) else { continue };
        let Ok(key) = format!("{}/{label}", pod.metadata.namespace).parse::<GroupKey>() else { continue };
        let said_ms = quiesce_max(pod).and_then(|text| parse_ms(&text).ok());
        let held_s = said_ms.and_then(|ms| usize::try_from(ms / 1_000).ok()).unwrap_or(QUIESCE_MAX_DEFAULT_S);
        limits.entry(key).and_modify(|least: &mut usize| *least = held_s.min(*least)).or_insert(held_s);
    }
    limits
}

/// How long a pod may be held still, as its annotation, its pre hook's flag or a variable of its containers says.
fn quiesce_max(pod: &Pod) -> Option<String> {
    let annotations = &pod.metadata.annotations;
    if let Some(said) = annotations.get(QUIESCE_MAX) {
        return Some(said.clone());
    }
    let words: Vec<String> =
        annotations.get(PRE_COMMAND).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let by_flag = flag_in(&words, "--quiesce-max").map(str::to_owned);
    let mut variables = pod.spec.containers.iter().flat_map(|it| &it.env);
    by_flag.or_else(|| variables.find(|it| it.name == "QUIESCE_MAX")?.value.clone())
}

fn over_budget(facts: &Facts, findings: &mut Vec<Finding>) {
    for (key, group) in &facts.inventory.groups {
        let volumes = group.claims.len();
        if volumes > facts.budget as usize {
            findings.push(Finding::warning(
                "group-over-budget",
                format!("group {key}"),
                format!("{volumes} volumes, and MAX_CONCURRENT_SNAPSHOTS is {}: it is released only alone, while nothing else is in flight", facts.budget),
                format!("MAX_CONCURRENT_SNAPSHOTS={volumes} in the overlay's snapshot-coordinator-settings (`coordinator simulate` says what EC2 bears), or a smaller group"),
            ));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::fixtures::{changed, found, velero, with};
    use super::*;
    use crate::inventory::wishes::Wishes;
    use crate::inventory::{Held, Workload};
    use serde_json::json;

    /// A StatefulSet's group with so many claims.
    pub fn group(key: &str, volumes: usize) -> (GroupKey, Group) {
        let claim = |n: usize| (format!("data-db-{n}"), Held { volume: format!("pv-{n}"), ebs_id: None, used: true });
        let claims = (0..volumes).map(claim).collect();
        let workload = Workload::StatefulSet("db".to_owned());
        (key.parse().unwrap(), Group { workload, pods: [].into(), claims, wishes: Wishes::default() })
    }

    fn of(volumes: usize, budget: u32, server: serde_json::Value) -> Vec<&'static str> {
        let mut facts = with([server]);
        facts.budget = budget;
        facts.inventory.groups.extend([group("shop/db", volumes)]);
        found(&facts, check)
    }

    #[test]
    fn a_group_that_is_heavier_than_the_budget() {
        assert_eq!(of(3, 2, velero()), ["group-over-budget", "expected-hold"]);
        assert_eq!(of(3, 3, velero()), ["expected-hold"]);
    }

    #[test]
    fn how_long_a_group_is_held() {
        assert_eq!(of(13, 20, velero()), ["held-past-its-limit", "expected-hold"]);
        assert!(of(1, 20, velero()).is_empty());
        let native = changed(velero(), "/spec/template/spec/containers/0/args", json!([]));
        assert!(of(13, 20, native).is_empty(), "native cuts take no time to speak of");
    }

    /// What the finding advises mends it, as soon as every pod of the group says so.
    #[test]
    fn a_group_whose_pods_ask_for_longer_is_held_for_longer() {
        let pod = |name: &str, said: Option<&str>| {
            let annotations = said.map(|said| json!({QUIESCE_MAX: said}));
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": name, "annotations": annotations,
                "labels": {"velero.io/snapshot-group": "db"}}})
        };
        let of = |volumes: usize, pods: [Option<&str>; 2]| {
            let mut facts = with([velero(), pod("db-0", pods[0]), pod("db-1", pods[1])]);
            facts.budget = 1_000;
            facts.inventory.groups.extend([group("shop/db", volumes)]);
            let mut findings = Vec::new();
            check(&facts, &mut findings);
            findings.into_iter().find(|it| it.check == "held-past-its-limit")
        };
        let told = of(13, [None, None]).expect("65 s are more than 60 s");
        assert!(
            told.fix.ends_with("or the annotation snapshot-group.velero.io/quiesce-max: 70s on its pods"),
            "{}",
            told.fix
        );
        assert_eq!(of(13, [Some("70s"), Some("70s")]), None);
        let told = of(13, [Some("70s"), Some("30s")]).expect("one lets go earlier");
        assert!(told.evidence.contains("let go after 30 s"), "{}", told.evidence);
        assert!(of(13, [Some("70s"), None]).is_some());
        let told = of(130, [None, None]).expect("far more");
        assert!(!told.fix.contains("quiesce-max"), "no pod may ask for 655 s: {}", told.fix);
    }
}
