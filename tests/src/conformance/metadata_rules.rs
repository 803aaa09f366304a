//! What names, labels, annotations and owners may be, for every kind.

use super::cluster::{BACKUPS, CONFIG_MAPS, Cluster, Kind, LEASES, MERGE};
use super::compare::same;
use super::samples::{backup, config_map, lease};
use anyhow::{Context, Result};
use serde_json::{Value, json};

/// All annotations of an object together: keys and values.
const ANNOTATIONS_BYTES_MAX: usize = 256 * 1024;

/// Both a built-in and a custom kind must refuse the metadata as Invalid, naming the field.
async fn invalid(c: &Cluster, metadata: &Value, field: &str) -> Result<()> {
    for (kind, mut object) in [(LEASES, lease("a")), (BACKUPS, backup("a"))] {
        for (key, value) in metadata.as_object().into_iter().flatten() {
            object["metadata"][key] = value.clone();
        }
        let context = || format!("{}: {metadata}", kind.plural);
        let status = c.post(&c.all(kind), &object).await?.refused(422, "Invalid", json!({})).with_context(context)?;
        let causes = status["details"]["causes"].as_array().with_context(context)?;
        let found = causes.iter().any(|cause| cause["field"] == field);
        anyhow::ensure!(found, "{}: no cause for {field} in {status}", context());
    }
    Ok(())
}

async fn valid(c: &Cluster, kind: Kind, object: &Value) -> Result<()> {
    c.create(kind, object).await.map(|_| ())
}

pub async fn a_name_is_a_subdomain(c: Cluster) -> Result<()> {
    for name in ["Upper", "under_score", "-dash", "dash-", "dot..dot", "sp ace", &"a".repeat(254)] {
        invalid(&c, &json!({"name": name}), "metadata.name").await?;
    }
    for name in ["a.b-c.1", &"a".repeat(253)] {
        valid(&c, LEASES, &lease(name)).await?;
        valid(&c, BACKUPS, &backup(name)).await?;
    }
    Ok(())
}

pub async fn labels_are_short_and_plain(c: Cluster) -> Result<()> {
    for labels in [
        json!({"key": "a".repeat(64)}),
        json!({"key": "with space"}),
        json!({"key": "-dash"}),
        json!({"key": "a/b"}),
        json!({"with space": "a"}),
        json!({"a/b/c": "a"}),
        json!({"Upper.Domain/key": "a"}),
        json!({"/key": "a"}),
        json!({"": "a"}),
        json!({("k".repeat(64)): "a"}),
    ] {
        invalid(&c, &json!({"labels": labels}), "metadata.labels").await?;
    }
    let mut object = lease("a");
    object["metadata"]["labels"] =
        json!({"a": "", "velero.io/snapshot-group": "a".repeat(63), "A_b.c": "A_b.c", ("k".repeat(63)): "1"});
    valid(&c, LEASES, &object).await
}

pub async fn annotations_have_a_total_size(c: Cluster) -> Result<()> {
    invalid(&c, &json!({"annotations": {"key": "a".repeat(ANNOTATIONS_BYTES_MAX)}}), "metadata.annotations").await?;
    invalid(&c, &json!({"annotations": {"with space": "a"}}), "metadata.annotations").await?;
    let mut object = lease("a");
    let most = ANNOTATIONS_BYTES_MAX - "key".len();
    object["metadata"]["annotations"] = json!({"key": "a".repeat(most)});
    valid(&c, LEASES, &object).await?;
    let one_more = json!({"metadata": {"annotations": {"x": ""}}});
    c.patch(&c.one(LEASES, "a"), MERGE, &one_more).await?.refused_saying(422, "Invalid", "metadata.annotations")
}

pub async fn annotation_values_may_be_anything(c: Cluster) -> Result<()> {
    let value = "Zeilen\nund \"Zeichen\" aller Art: €, \t, {}";
    let mut object = backup("a");
    object["metadata"]["annotations"] = json!({"a/b": value});
    let created = c.create(BACKUPS, &object).await?;
    same("the annotation", &created["metadata"]["annotations"]["a/b"], &json!(value))
}

pub async fn an_owner_is_complete(c: Cluster) -> Result<()> {
    let whole = json!({"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "u"});
    for missing in ["apiVersion", "kind", "name", "uid"] {
        let mut owner = whole.clone();
        owner[missing] = json!("");
        let field = format!("metadata.ownerReferences.{missing}");
        invalid(&c, &json!({"ownerReferences": [owner]}), &field).await?;
    }
    let mut twice = whole.clone();
    twice["controller"] = json!(true);
    let mut other = twice.clone();
    other["uid"] = json!("v");
    invalid(&c, &json!({"ownerReferences": [twice, other]}), "metadata.ownerReferences").await
}

pub async fn labels_and_annotations_are_strings(c: Cluster) -> Result<()> {
    for metadata in [json!({"labels": {"a": 1}}), json!({"annotations": {"a": true}}), json!({"labels": ["a"]})] {
        for (kind, mut object) in [(LEASES, lease("a")), (BACKUPS, backup("a"))] {
            for (key, value) in metadata.as_object().into_iter().flatten() {
                object["metadata"][key] = value.clone();
            }
            let answer = c.post(&c.all(kind), &object).await?;
            same(&format!("{}: the code for {metadata}", kind.plural), answer.code, 400)?;
        }
    }
    Ok(())
}

pub async fn what_the_server_sets_cannot_be_changed(c: Cluster) -> Result<()> {
    let first = c.create(CONFIG_MAPS, &config_map("a")).await?;
    let mut next = first.clone();
    next["metadata"]["creationTimestamp"] = json!("2001-01-01T00:00:00Z");
    next["metadata"]["generation"] = json!(17);
    next["data"]["key"] = json!("other");
    let stored = c.put(&c.one(CONFIG_MAPS, "a"), &next).await?.ok()?;
    same("creation", &stored["metadata"]["creationTimestamp"], &first["metadata"]["creationTimestamp"])?;
    same("data", &stored["data"]["key"], &json!("other"))?;
    let uid = json!({"metadata": {"uid": "00000000-0000-0000-0000-000000000000"}});
    c.patch(&c.one(CONFIG_MAPS, "a"), MERGE, &uid).await?.refused_saying(422, "Invalid", "metadata.uid: Invalid value")
}
