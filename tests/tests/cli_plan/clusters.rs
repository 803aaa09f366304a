//! Made-up clusters: what the maker counted is what the plan holds.

use serde_json::Value;
use shared::limiter_lease::LimiterLease;
use shared::time::WallTime;
use testbed::api::ServerOptions;
use testbed::coordinator_bed::CoordinatorBed;
use testbed::velero::cluster::Workload;

use super::run::{Folder, cluster, plan};

fn findings(document: &Value, code: &str) -> usize {
    document["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == code).count()
}

#[test]
fn counts_agree_with_the_maker_s_for_any_seed() {
    for (seed, workloads, odd) in [(1, 10, false), (2, 120, true), (3, 1_100, true)] {
        let (text, made) = cluster(seed, workloads, odd);
        let ended = plan(
            &["-f", "-", "-o", "json", "--concurrent-backups", "20", "--max-concurrent-snapshots", "500"],
            Some(&text),
        );
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        let document = ended.json();
        let count = |field: &str| usize::try_from(document[field].as_u64().unwrap()).unwrap();
        assert_eq!(document["groups"].as_array().unwrap().len(), made.groups, "seed {seed}");
        assert_eq!(count("volumes"), made.claimed_volumes, "seed {seed}: every volume is in one group");
        assert_eq!(findings(&document, "volume-without-claim"), made.orphans, "seed {seed}");
        assert_eq!(findings(&document, "claim-without-volume"), made.unbound, "seed {seed}");
        assert_eq!(findings(&document, "annotation-unreadable"), made.unreadable, "seed {seed}");
        assert_eq!(findings(&document, "ambiguous-claim") + findings(&document, "dangling-owner"), 0, "seed {seed}");
        assert_eq!(findings(&document, "not-selectable"), 0, "seed {seed}");
        let names: std::collections::BTreeSet<&str> =
            document["changes"].as_array().unwrap().iter().map(|c| c["schedule"].as_str().unwrap()).collect();
        assert!(names.len() >= made.groups && names.iter().all(|name| name.len() <= 48), "seed {seed}");
    }
}

#[test]
fn the_order_of_objects_does_not_matter() {
    let (text, _) = cluster(5, 60, true);
    let mut list: Value = serde_json::from_str(&text).unwrap();
    list["items"].as_array_mut().unwrap().reverse();
    let one = plan(&["-f", "-", "-o", "yaml"], Some(&text));
    let other = plan(&["-f", "-", "-o", "yaml"], Some(&list.to_string()));
    assert_eq!(one.code, Some(2), "{}", one.stderr);
    assert_eq!(one.stdout, other.stdout);
}

#[test]
fn several_files_and_forms_are_one_cluster() {
    let folder = Folder::new();
    let (text, _) = cluster(6, 20, true);
    let list: Value = serde_json::from_str(&text).unwrap();
    let items = list["items"].as_array().unwrap();
    let half = items.len() / 2;
    // JSON is YAML: `---` between documents makes a stream of them.
    let documents = items[..half].iter().map(|item| format!("---\n{item}")).collect::<Vec<_>>().join("\n");
    let rest = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items[half..]});
    let (first, second) = (folder.file("a.yaml", &documents), folder.file("b.json", &rest.to_string()));
    let whole = plan(&["-f", "-", "-o", "json"], Some(&text));
    let parts = plan(&["-f", &first, "-f", &second, "-o", "json"], None);
    assert_eq!(parts.code, Some(2), "{}", parts.stderr);
    assert_eq!(whole.stdout, parts.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_asked_when_no_file_is_given() {
    let bed = CoordinatorBed::start(ServerOptions::default()).await.unwrap();
    bed.workload(&Workload::stateful_set("prod", "db", 3)).await;
    bed.workload(&Workload::stateful_set("mail", "store", 2)).await;
    let kubeconfig = bed.kubeconfig("planner").to_string_lossy().into_owned();
    let ask = move || plan(&["--kubeconfig", &kubeconfig, "-o", "json"], None);
    let ended = tokio::task::spawn_blocking(ask.clone()).await.unwrap();
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    let document = ended.json();
    let mut groups: Vec<(&str, &str, u64)> = document["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| (g["namespace"].as_str().unwrap(), g["workload"].as_str().unwrap(), g["volumes"].as_u64().unwrap()))
        .collect();
    groups.sort_unstable();
    assert_eq!(groups, [("mail", "store", 2), ("prod", "db", 3)]);
    assert_eq!(document["budget"], 5);
    // The account was hot for days: the coordinator wrote down what to reckon with.
    let hot = LimiterLease {
        namespace: "velero".parse().unwrap(),
        limit: 2,
        ceiling: 5,
        why: String::new(),
        changed_at: None,
        level: "unknown".to_owned(),
        signals: vec![],
        days: vec![],
        plan_budget: 3,
        plan_budget_since: 20_000,
        writer: "c-0".to_owned(),
        renewed_at: WallTime::EPOCH,
    };
    let mut object = serde_json::to_value(hot.encode()).unwrap();
    object["apiVersion"] = "coordination.k8s.io/v1".into();
    object["kind"] = "Lease".into();
    bed.server.put(object).unwrap();
    let ended = tokio::task::spawn_blocking(ask.clone()).await.unwrap();
    assert_eq!(ended.json()["budget"], 3, "{}", ended.stderr);
    assert!(ended.stderr.contains("planned with 3 of at most 5 volumes"), "{}", ended.stderr);
    bed.server.go_down().await;
    let ended = tokio::task::spawn_blocking(ask).await.unwrap();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("cannot list pv"), "{}", ended.stderr);
}

/// Whoever waits for a large cluster hears how far it is, and standard output stays what was asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_says_how_far_it_is() {
    let bed = CoordinatorBed::start(ServerOptions::default()).await.unwrap();
    for number in 0..5_001 {
        let claim = serde_json::json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"namespace": "velero", "name": format!("data-{number}")},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
        bed.server.put(claim).unwrap();
    }
    let kubeconfig = bed.kubeconfig("planner").to_string_lossy().into_owned();
    let ask = move || plan(&["--kubeconfig", &kubeconfig, "-o", "json"], None);
    let ended = tokio::task::spawn_blocking(ask).await.unwrap();
    assert!(ended.stderr.contains("listing pvc: 5000"), "{}", ended.stderr);
    assert_eq!(findings(&ended.json(), "claim-without-volume"), 5_001);
}

/// The same for a large dump: what was read is said before the plan is there.
#[test]
fn a_large_dump_says_what_was_read() {
    let (text, made) = cluster(1, 5_000, false);
    assert!(made.objects >= 50_000, "{made:?}");
    let ended = plan(&["-f", "-", "-o", "json"], Some(&text));
    assert!(
        ended.stderr.contains("; planning") && ended.stderr.contains(&format!("{} pvc", made.claimed_volumes)),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.json()["volumes"], made.claimed_volumes);
}
