//! The status subresource, where there is one and where there is none.

use super::cluster::{
    BACKUPS, CLAIMS, Cluster, Kind, LEASES, MERGE, PODS, SNAPSHOT_CONTENTS, SNAPSHOTS, STATEFUL_SETS, VOLUMES,
};
use super::compare::{ABSENT, same};
use super::samples::{backup, claim, lease, pod, snapshot, snapshot_content, stateful_set, volume};
use anyhow::Result;
use serde_json::{Value, json};

fn path_of(c: &Cluster, kind: Kind, name: &str) -> String {
    match kind.plural {
        "persistentvolumes" | "volumesnapshotcontents" => format!("{}/{}/{name}", kind.root, kind.plural),
        _ => c.one(kind, name),
    }
}

fn collection(c: &Cluster, kind: Kind) -> String {
    match kind.plural {
        "persistentvolumes" | "volumesnapshotcontents" => format!("{}/{}", kind.root, kind.plural),
        _ => c.all(kind),
    }
}

/// Status given at creation is dropped, main writes leave it, status writes leave the rest.
async fn check(c: &Cluster, kind: Kind, mut object: Value, status: Value, spec_change: Value) -> Result<()> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let (key, value) = status.as_object().and_then(|status| status.iter().next()).expect("a sample status has a field");
    object["status"] = status.clone();
    let created = c.post(&collection(c, kind), &object).await?.ok()?;
    anyhow::ensure!(created["status"][key] != *value, "{}: status was taken at creation", kind.plural);

    let path = path_of(c, kind, &name);
    let mut both = spec_change.clone();
    both["status"] = status.clone();
    let after_main = c.patch(&path, MERGE, &both).await?.ok()?;
    anyhow::ensure!(after_main["status"][key] != *value, "{}: status was taken by the main resource", kind.plural);
    super::compare::subset(&after_main, &spec_change)?;

    let mut undo = json!({"status": status});
    undo["spec"] = json!({"unknownToStatus": true});
    let after_status = c.patch(&format!("{path}/status"), MERGE, &undo).await?.ok()?;
    same(&format!("{} status", kind.plural), &after_status["status"][key], value)?;
    same(&format!("{} spec after a status write", kind.plural), &after_status["spec"], &after_main["spec"])?;
    let generation = |object: &Value| object["metadata"]["generation"].clone();
    same("generation after a status write", generation(&after_status), generation(&after_main))?;

    // PUT too: whole objects, each with its part.
    let mut whole = after_status.clone();
    whole["status"] = json!({});
    let after_put = c.put(&path, &whole).await?.ok()?;
    same("status after a main PUT", &after_put["status"][key], value)?;
    c.get(&format!("{path}/status")).await?.is(200, json!({"metadata": {"name": name}, "status": status}))?;
    Ok(())
}

pub async fn of_custom_kinds(c: Cluster) -> Result<()> {
    let status = json!({"readyToUse": true});
    let change = json!({"spec": {"volumeSnapshotClassName": "other"}});
    check(&c, SNAPSHOTS, snapshot("a"), status, change).await?;
    let status = json!({"snapshotHandle": "snap-1"});
    let change = json!({"spec": {"deletionPolicy": "Delete"}});
    check(&c, SNAPSHOT_CONTENTS, snapshot_content(&c.unique("content")), status, change).await
}

pub async fn of_built_in_kinds(c: Cluster) -> Result<()> {
    let labels = json!({"metadata": {"labels": {"changed": "1"}}});
    check(&c, PODS, pod("a"), json!({"podIP": "10.0.0.7"}), labels.clone()).await?;
    check(&c, CLAIMS, claim("a"), json!({"accessModes": ["ReadWriteOnce"]}), labels.clone()).await?;
    check(&c, STATEFUL_SETS, stateful_set("a"), json!({"observedGeneration": 7}), labels.clone()).await?;
    check(&c, VOLUMES, volume(&c.unique("volume")), json!({"message": "seen"}), labels).await
}

pub async fn a_fresh_object_has_the_first_phase(c: Cluster) -> Result<()> {
    let pending = json!({"status": {"phase": "Pending"}});
    c.post(&c.all(PODS), &pod("a")).await?.is(201, pending.clone())?;
    c.post(&c.all(CLAIMS), &claim("a")).await?.is(201, pending.clone())?;
    c.post(&collection(&c, VOLUMES), &volume(&c.unique("volume"))).await?.is(201, pending)?;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": c.unique("new")}});
    c.post("/api/v1/namespaces", &namespace).await?.is(201, json!({"status": {"phase": "Active"}}))?;
    c.post(&c.all(STATEFUL_SETS), &stateful_set("a")).await?.is(201, json!({"status": {"replicas": 0}}))?;
    Ok(())
}

pub async fn a_backup_has_it_in_the_object(c: Cluster) -> Result<()> {
    let mut object = backup("a");
    object["status"] = json!({"phase": "New"});
    c.post(&c.all(BACKUPS), &object)
        .await?
        .is(201, json!({"status": {"phase": "New"}, "metadata": {"generation": 1}}))?;
    let path = c.one(BACKUPS, "a");
    let patch = json!({"status": {"phase": "InProgress"}});
    c.patch(&path, MERGE, &patch)
        .await?
        .is(200, json!({"status": {"phase": "InProgress"}, "metadata": {"generation": 2}}))?;
    let sub = c.patch(&format!("{path}/status"), MERGE, &patch).await?;
    same("the code of backups/status", sub.code, 404)?;
    // Labels and annotations are no content.
    let label = json!({"metadata": {"labels": {"a": "b"}, "annotations": {"a": "b"}}});
    c.patch(&path, MERGE, &label)
        .await?
        .is(200, json!({"metadata": {"generation": 2}, "status": {"phase": "InProgress"}}))?;
    Ok(())
}

pub async fn a_lease_has_none(c: Cluster) -> Result<()> {
    c.create(LEASES, &lease("a")).await?;
    let answer = c.patch(&format!("{}/status", c.one(LEASES, "a")), MERGE, &json!({})).await?;
    same("the code of leases/status", answer.code, 404)
}

pub async fn generation_counts_changes_of_the_spec(c: Cluster) -> Result<()> {
    c.create(SNAPSHOTS, &snapshot("a")).await?;
    let path = c.one(SNAPSHOTS, "a");
    let label = json!({"metadata": {"labels": {"a": "b"}}});
    c.patch(&path, MERGE, &label).await?.is(200, json!({"metadata": {"generation": 1}}))?;
    let spec = json!({"spec": {"volumeSnapshotClassName": "other"}});
    c.patch(&path, MERGE, &spec).await?.is(200, json!({"metadata": {"generation": 2}}))?;
    c.patch(&path, MERGE, &spec).await?.is(200, json!({"metadata": {"generation": 2}}))?;
    c.create(STATEFUL_SETS, &stateful_set("a")).await?;
    let path = c.one(STATEFUL_SETS, "a");
    c.patch(&path, MERGE, &label).await?.is(200, json!({"metadata": {"generation": 1}}))?;
    c.patch(&path, MERGE, &json!({"spec": {"replicas": 3}})).await?.is(200, json!({"metadata": {"generation": 2}}))?;
    c.get(&path).await?.is(200, json!({"metadata": {"deletionTimestamp": ABSENT}}))?;
    Ok(())
}
