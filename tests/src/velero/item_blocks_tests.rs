//! Are pods joined, ordered and torn apart as the real Velero does it?

// A table of cases reads better without `&` before every `json!`.
#![allow(clippy::needless_pass_by_value)]

use super::super::inventory::{CsiVolume, VolumeItem};
use super::*;

/// A namespace `db` with pods given as `(name, [claims])`, all claims Bound.
fn cluster(pods: &[(&str, &[&str])]) -> Inventory {
    let name = |n: &str| ObjectName::new("db", n);
    let claim_names: BTreeSet<&str> = pods.iter().flat_map(|(_, claims)| claims.iter().copied()).collect();
    Inventory {
        namespaces: vec!["db".into()],
        pods: pods
            .iter()
            .map(|(pod, claims)| PodItem {
                name: name(pod),
                labels: BTreeMap::from([("app".to_owned(), "db".to_owned()), ("pod".to_owned(), (*pod).to_owned())]),
                annotations: BTreeMap::new(),
                phase: "Running".into(),
                containers: vec!["main".into()],
                claims: claims.iter().map(|c| name(c)).collect(),
                deleting: false,
            })
            .collect(),
        claims: claim_names
            .into_iter()
            .map(|claim| ClaimItem {
                name: name(claim),
                labels: BTreeMap::new(),
                storage_class: Some("ebs".into()),
                deleting: false,
                volume: Some(VolumeItem {
                    name: format!("pv-{claim}"),
                    csi: Some(CsiVolume { driver: "ebs.csi.aws.com".into(), handle: format!("vol-{claim}") }),
                    excluded: false,
                }),
            })
            .collect(),
    }
}

const FOUR: &[(&str, &[&str])] = &[("db-0", &["d-0"]), ("db-1", &["d-1"]), ("db-2", &["d-2"]), ("db-3", &["d-3"])];

fn plan(version: VeleroVersion, spec: serde_json::Value, inventory: &Inventory) -> BlockPlan {
    let spec: BackupSpec = serde_json::from_value(spec).unwrap();
    plan_blocks(version, &spec, &Selection::new(&spec).unwrap(), inventory)
}

/// Blocks as text: items joined by `+`, blocks by a space.
fn check(spec: serde_json::Value, inventory: &Inventory, expected: &str) {
    check_version(VeleroVersion::V1_18, spec, inventory, expected);
}

fn check_version(version: VeleroVersion, spec: serde_json::Value, inventory: &Inventory, expected: &str) {
    let blocks = plan(version, spec.clone(), inventory).blocks;
    let text: Vec<String> =
        blocks.iter().map(|b| b.items.iter().map(|i| i.name().name.clone()).collect::<Vec<_>>().join("+")).collect();
    assert_eq!(text.join(" "), expected, "{spec}");
}

#[test]
fn each_pod_is_its_own_block_by_default() {
    check(serde_json::json!({"includedNamespaces": ["db"]}), &cluster(FOUR), "db-0+d-0 db-1+d-1 db-2+d-2 db-3+d-3");
    check(serde_json::json!({"includedNamespaces": ["other"]}), &cluster(FOUR), "");
}

#[test]
fn listed_pods_share_one_block_in_the_listed_order() {
    let ordered = |pods: &str| serde_json::json!({"orderedResources": {"pods": pods}});
    let three = cluster(&FOUR[..3]);
    check(ordered("db/db-0,db/db-1,db/db-2"), &three, "db-0+d-0+db-1+d-1+db-2+d-2");
    check(ordered("db/db-2,db/db-0,db/db-1"), &three, "db-2+d-2+db-0+d-0+db-1+d-1");
}

#[test]
fn a_partial_list_tears_the_group() {
    let spec = serde_json::json!({"orderedResources": {"pods": "db/db-2,db/db-1"}});
    check(spec, &cluster(FOUR), "db-2+d-2+db-1+d-1 db-0+d-0 db-3+d-3");
}

#[test]
fn spaces_in_the_list_match_nothing_and_only_warn() {
    let spec = serde_json::json!({"orderedResources": {"pods": "db/db-0, db/db-1, db/db-2"}});
    check(spec.clone(), &cluster(&FOUR[..3]), "db-0+d-0 db-1+d-1 db-2+d-2");
    let warnings = plan(VeleroVersion::V1_18, spec, &cluster(&FOUR[..3])).warnings;
    assert_eq!(warnings, ["Cannot find resource ' db/db-1'.", "Cannot find resource ' db/db-2'."]);
}

#[test]
fn a_shared_claim_joins_its_pods() {
    let shared = cluster(&[("a", &["own-a", "shared"]), ("b", &["shared", "own-b"]), ("c", &["own-c"])]);
    check(serde_json::json!({}), &shared, "a+own-a+shared+b+own-b c+own-c");
    let mut half_up = shared;
    half_up.pods[1].phase = "Pending".into();
    check(serde_json::json!({}), &half_up, "a+own-a+shared b+own-b c+own-c");
}

#[test]
fn a_pod_that_shares_a_claim_comes_along_past_the_selector() {
    let shared = cluster(&[("a", &["shared"]), ("b", &["shared"]), ("c", &["own-c"])]);
    check(serde_json::json!({"labelSelector": {"matchLabels": {"pod": "a"}}}), &shared, "a+shared+b");
}

#[test]
fn claims_with_the_same_group_label_join_their_pods() {
    let mut labelled = cluster(&FOUR[..2]);
    for claim in &mut labelled.claims {
        claim.labels.insert("velero.io/snapshot-group".into(), "g".into());
    }
    let spec = serde_json::json!({"volumeGroupSnapshotLabelKey": "velero.io/snapshot-group"});
    check(spec.clone(), &labelled, "db-0+d-0+d-1+db-1");
    check(serde_json::json!({}), &labelled, "db-0+d-0 db-1+d-1");
    check_version(VeleroVersion::V1_15, spec, &labelled, "db-0+d-0 db-1+d-1");
}

#[test]
fn what_is_excluded_or_going_is_left_out() {
    let mut inventory = cluster(&FOUR[..3]);
    inventory.pods[0].labels.insert("velero.io/exclude-from-backup".into(), "true".into());
    inventory.pods[1].deleting = true;
    // Their claims match the filters themselves and are cut without any hook.
    check(serde_json::json!({}), &inventory, "db-2+d-2 d-0 d-1");
    check(serde_json::json!({"labelSelector": {"matchLabels": {"app": "db"}}}), &inventory, "db-2+d-2");
}

#[test]
fn two_matching_selectors_list_a_pod_twice() {
    let spec =
        serde_json::json!({"orLabelSelectors": [{"matchLabels": {"app": "db"}}, {"matchLabels": {"pod": "db-1"}}]});
    check(spec, &cluster(&FOUR[..2]), "db-0+d-0 db-1+db-1+d-1");
}

#[test]
fn the_default_filter_of_the_original_takes_nothing() {
    check(serde_json::json!({"includedResources": ["statefulsets"]}), &cluster(FOUR), "");
}

#[test]
fn up_to_1_14_pods_are_always_alone() {
    let spec = serde_json::json!({"orderedResources": {"pods": "db/db-1,db/db-0"}});
    check_version(VeleroVersion::UpTo1_14, spec, &cluster(&FOUR[..2]), "db-1+d-1 db-0+d-0 d-0 d-1");
}

#[test]
fn the_claims_of_a_failed_pod_wait_for_their_own_turn() {
    let shared = cluster(&[("a", &["own-a", "shared"]), ("b", &["shared", "own-b"])]);
    let block = plan(VeleroVersion::V1_18, serde_json::json!({}), &shared).blocks.remove(0);
    let order = |failed: &[&str]| -> Vec<String> {
        let failed = failed.iter().map(|p| ObjectName::new("db", *p)).collect();
        block.cut_order(&failed).iter().map(|c| c.name.name.clone()).collect()
    };
    assert_eq!(order(&[]), ["own-a", "shared", "own-b"]);
    assert_eq!(order(&["a"]), ["own-a", "shared", "own-b"]);
    assert_eq!(order(&["a", "b"]), ["own-a", "shared", "own-b"]);
}
