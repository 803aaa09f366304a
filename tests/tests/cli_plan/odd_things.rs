//! What clusters hold that nobody meant: each is a finding, and everything else is planned all the same.

use serde_json::{Value, json};

use super::run::{Ended, plan};

fn list(items: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

fn volume(name: &str, claim: Option<&str>) -> Value {
    let mut volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
        "spec": {"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": format!("vol-{name}")}}});
    if let Some(claim) = claim {
        volume["spec"]["claimRef"] = json!({"namespace": "prod", "name": claim});
    }
    volume
}

fn claim(name: &str, volume: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"namespace": "prod", "name": name, "labels": {"app": "db"}},
        "spec": {"volumeName": volume}})
}

fn owner(kind: &str, name: &str) -> Value {
    let version = if kind == "StatefulSet" { "apps/v1" } else { "v1" };
    json!([{"apiVersion": version, "kind": kind, "name": name, "uid": format!("u-{name}"), "controller": true}])
}

fn set(name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"namespace": "prod", "name": name, "uid": format!("u-{name}")},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "db"}}, "volumeClaimTemplates": [{"metadata": {"name": "data"}}]}})
}

fn pod(name: &str, set: &str, claim: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "prod", "name": name, "uid": format!("u-{name}"),
        "labels": {"app": "db", "statefulset.kubernetes.io/pod-name": name}, "ownerReferences": owner("StatefulSet", set)},
        "spec": {"containers": [{"name": "db"}], "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]},
        "status": {"phase": "Running"}})
}

/// A set `db` of one pod with one volume: what must be planned whatever else is there.
fn sound() -> Vec<Value> {
    vec![set("db"), volume("a", Some("data-db-0")), claim("data-db-0", "a"), pod("db-0", "db", "data-db-0")]
}

fn planned(items: &[Value], flags: &[&str]) -> (Ended, Vec<String>) {
    let ended = plan(&[&["-f", "-", "-o", "json"][..], flags].concat(), Some(&list(items)));
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    let document = ended.json();
    let codes = document["findings"].as_array().into_iter().flatten();
    let codes = codes.filter_map(|finding| finding["code"].as_str().map(str::to_owned)).collect();
    let groups = document["groups"].as_array().unwrap();
    let db = groups.iter().find(|group| group["workload"] == "db").unwrap_or_else(|| panic!("no db: {document}"));
    assert_eq!((&db["volumes"], db["runs"].as_array().map(Vec::len)), (&json!(1), Some(1)), "{db}");
    (ended, codes)
}

#[track_caller]
fn check(odd: impl IntoIterator<Item = Value>, expected: &[&str]) {
    let items: Vec<Value> = sound().into_iter().chain(odd).collect();
    let (_, codes) = planned(&items, &[]);
    assert_eq!(codes, expected);
}

#[test]
fn each_is_a_finding_and_the_rest_is_planned() {
    check([], &[]);
    // Twice the same (dumps that overlap) is nothing to speak of; two of one name are.
    check([volume("a", Some("data-db-0"))], &[]);
    check([volume("a", None)], &["duplicate"]);
    check([volume("lost", None)], &["volume-without-claim"]);
    check([claim("waiting", "")], &["claim-without-volume"]);
    check([claim("torn", "gone")], &["volume-missing"]);
    let mut orphan = pod("web-0", "web", "data-web-0");
    check([orphan.clone()], &["dangling-owner"]);
    orphan["metadata"]["name"] = json!("p".repeat(254));
    check([orphan], &["unreadable"]);
    let mut circle = [set("one"), set("other")];
    circle[0]["metadata"]["ownerReferences"] = owner("StatefulSet", "other");
    circle[1]["metadata"]["ownerReferences"] = owner("StatefulSet", "one");
    check(circle, &["cyclic-owners", "cyclic-owners"]);
    let mut wish = set("wishful");
    wish["metadata"]["annotations"] = json!({"snapshot-group.velero.io/at": "half past nine"});
    check(
        [
            wish,
            volume("w", Some("data-wishful-0")),
            claim("data-wishful-0", "w"),
            pod("wishful-0", "wishful", "data-wishful-0"),
        ],
        &["annotation-unreadable"],
    );
}

/// The longest that the API takes: a pod's and a claim's name of 253 characters. Its Schedule's name still fits Velero.
#[test]
fn names_of_253_characters() {
    let (pod_name, claim_name) = ("p".repeat(253), "c".repeat(253));
    let mut long = pod(&pod_name, "db", &claim_name);
    long["metadata"]["ownerReferences"] = Value::Null;
    let items: Vec<Value> =
        sound().into_iter().chain([volume("l", Some(&claim_name)), claim(&claim_name, "l"), long]).collect();
    let (ended, codes) = planned(&items, &[]);
    assert!(codes.is_empty(), "{codes:?}");
    let document = ended.json();
    let names: Vec<&str> =
        document["changes"].as_array().unwrap().iter().filter_map(|change| change["schedule"].as_str()).collect();
    assert!(names.len() == 2 && names.iter().all(|name| name.len() <= 48), "{names:?}");
    for output in ["text", "yaml", "svg"] {
        let ended = plan(&["-f", "-", "-o", output], Some(&list(&items)));
        assert_eq!(ended.code, Some(2), "{output}: {}", ended.stderr);
    }
}

/// The largest expected duration times the most volumes: no sum overflows, and what does not fit is said.
#[test]
fn weights_as_large_as_they_come() {
    let mut items = sound();
    for n in 0..2_000 {
        let name = format!("other-{n}");
        items.extend([volume(&format!("o{n}"), Some(&name)), claim(&name, &format!("o{n}"))]);
    }
    let (ended, _) = planned(&items, &["--expected-duration", "24h", "--max-concurrent-snapshots", "1"]);
    let said = plan(
        &["-f", "-", "--expected-duration", "24h", "--max-concurrent-snapshots", "1", "--backup-window-hours", "1"],
        Some(&list(&items)),
    );
    assert!(said.stdout.contains("IT DOES NOT FIT"), "{}{}", said.stdout, ended.stderr);
}
