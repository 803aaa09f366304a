//! Deleting: what is answered, preconditions, finalizers.

use super::cluster::{BACKUPS, CONFIG_MAPS, Cluster, LEASES, MERGE, PODS};
use super::compare::{ABSENT, PRESENT, same};
use super::samples::{backup, config_map, lease, pod};
use anyhow::Result;
use serde_json::json;

pub async fn the_answer_names_what_went(c: Cluster) -> Result<()> {
    let created = c.create(LEASES, &lease("a")).await?;
    let path = c.one(LEASES, "a");
    c.delete(&path, json!({})).await?.is(200, json!({
        "kind": "Status", "apiVersion": "v1", "status": "Success",
        "details": {"name": "a", "group": "coordination.k8s.io", "kind": "leases", "uid": created["metadata"]["uid"]},
    }))?;
    c.get(&path).await?.refused(404, "NotFound", json!({}))?;
    Ok(())
}

pub async fn a_pod_that_nobody_runs_goes_at_once(c: Cluster) -> Result<()> {
    for (name, options) in [("a", json!({})), ("b", json!({"gracePeriodSeconds": 0}))] {
        c.create(PODS, &pod(name)).await?;
        let path = c.one(PODS, name);
        // The object itself is the answer, not a Status.
        c.delete(&path, options).await?.is(200, json!({"kind": "Pod", "metadata": {"name": name}}))?;
        c.get(&path).await?.refused(404, "NotFound", json!({}))?;
    }
    // One on a node, which a kubelet would end: only without grace.
    let mut on_a_node = pod("c");
    on_a_node["spec"]["nodeName"] = json!("node-1");
    c.create(PODS, &on_a_node).await?;
    c.delete(&c.one(PODS, "c"), json!({"gracePeriodSeconds": 0})).await?.is(200, json!({"kind": "Pod"}))?;
    c.get(&c.one(PODS, "c")).await?.refused(404, "NotFound", json!({}))?;
    Ok(())
}

pub async fn uid_and_version_are_preconditions(c: Cluster) -> Result<()> {
    let created = c.create(LEASES, &lease("a")).await?;
    let path = c.one(LEASES, "a");
    let uid = &created["metadata"]["uid"];
    let version = &created["metadata"]["resourceVersion"];
    let other_uid = json!({"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}});
    c.delete(&path, other_uid).await?.refused_saying(409, "Conflict", "the UID in the precondition (00000000-")?;
    let other_version = json!({"preconditions": {"uid": uid, "resourceVersion": "1"}});
    c.delete(&path, other_version).await?.refused_saying(
        409,
        "Conflict",
        "the ResourceVersion in the precondition (1)",
    )?;
    same("after refusals", c.get(&path).await?.code, 200)?;
    let right = json!({"preconditions": {"uid": uid, "resourceVersion": version}});
    c.delete(&path, right).await?.is(200, json!({"status": "Success"}))?;
    Ok(())
}

pub async fn a_finalizer_keeps_the_object_until_it_is_removed(c: Cluster) -> Result<()> {
    for (kind, mut object) in [(CONFIG_MAPS, config_map("a")), (BACKUPS, backup("a"))] {
        object["metadata"]["finalizers"] = json!(["example.com/hold"]);
        c.create(kind, &object).await?;
        let path = c.one(kind, "a");
        c.delete(&path, json!({})).await?.is(200, json!({"metadata": {"name": "a", "deletionTimestamp": PRESENT}}))?;
        let held = c.get(&path).await?.is(200, json!({"metadata": {"deletionTimestamp": PRESENT}}))?;
        // A second delete changes nothing.
        c.delete(&path, json!({})).await?.is(200, json!({}))?;
        let more = json!({"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}});
        c.patch(&path, MERGE, &more).await?.refused(422, "Invalid", json!({}))?;
        same("after a refusal", &c.get(&path).await?.ok()?["metadata"]["uid"], &held["metadata"]["uid"])?;
        c.patch(&path, MERGE, &json!({"metadata": {"finalizers": null}})).await?.is(200, json!({}))?;
        c.get(&path).await?.refused(404, "NotFound", json!({}))?;
    }
    Ok(())
}

pub async fn a_name_can_be_used_again_with_another_uid(c: Cluster) -> Result<()> {
    let first = c.create(LEASES, &lease("a")).await?;
    c.delete(&c.one(LEASES, "a"), json!({})).await?.ok()?;
    let second = c.create(LEASES, &lease("a")).await?;
    anyhow::ensure!(first["metadata"]["uid"] != second["metadata"]["uid"], "the same uid twice");
    // What the holder of the first knew is worth nothing now.
    c.put(&c.one(LEASES, "a"), &first).await?.refused(409, "Conflict", json!({}))?;
    let stale = json!({"preconditions": {"uid": first["metadata"]["uid"]}});
    c.delete(&c.one(LEASES, "a"), stale).await?.refused(409, "Conflict", json!({"details": {"causes": ABSENT}}))?;
    Ok(())
}

pub async fn a_collection_goes_by_its_labels(c: Cluster) -> Result<()> {
    for (name, group) in [("a", "one"), ("b", "two"), ("c", "one")] {
        let mut object = lease(name);
        object["metadata"]["labels"] = json!({"group": group});
        c.create(LEASES, &object).await?;
    }
    c.delete(&format!("{}?labelSelector=group%3Done", c.all(LEASES)), json!({})).await?.is(200, json!({}))?;
    c.get(&c.all(LEASES)).await?.is(200, json!({"items": [{"metadata": {"name": "b"}}]}))?;
    Ok(())
}
