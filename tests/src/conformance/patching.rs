//! Merge, JSON and strategic merge patches.

use super::cluster::{BACKUPS, Cluster, JSON_PATCH, LEASES, MERGE, PODS, STRATEGIC};
use super::compare::{ABSENT, same};
use super::samples::{backup, lease, owner, pod};
use anyhow::Result;
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub async fn merge_adds_changes_and_removes(c: Cluster) -> Result<()> {
    for (kind, mut object) in [(LEASES, lease("a")), (BACKUPS, backup("a"))] {
        object["metadata"]["labels"] = json!({"stays": "1", "changes": "1", "goes": "1"});
        let first = c.create(kind, &object).await?;
        let patch = json!({"metadata": {"labels": {"changes": "2", "goes": null, "comes": "1"}}});
        let second = c.patch(&c.one(kind, "a"), MERGE, &patch).await?.ok()?;
        let labels = json!({"stays": "1", "changes": "2", "comes": "1"});
        same("labels", &second["metadata"]["labels"], &labels)?;
        same("spec", &second["spec"], &first["spec"])?;
        same("uid", &second["metadata"]["uid"], &first["metadata"]["uid"])?;
        let last = json!({"metadata": {"labels": {"changes": null, "stays": null, "comes": null}}});
        c.patch(&c.one(kind, "a"), MERGE, &last).await?.is(200, json!({"metadata": {"labels": ABSENT}}))?;
    }
    Ok(())
}

pub async fn merge_replaces_lists_whole(c: Cluster) -> Result<()> {
    let mut object = backup("a");
    object["spec"]["includedNamespaces"] = json!(["one", "two"]);
    c.create(BACKUPS, &object).await?;
    let patch = json!({"spec": {"includedNamespaces": ["three"]}});
    let patched = c.patch(&c.one(BACKUPS, "a"), MERGE, &patch).await?.ok()?;
    same("the list", &patched["spec"]["includedNamespaces"], &json!(["three"]))
}

pub async fn merge_has_the_version_as_precondition(c: Cluster) -> Result<()> {
    for (kind, object) in [(LEASES, lease("a")), (BACKUPS, backup("a"))] {
        let first = c.create(kind, &object).await?;
        let path = c.one(kind, "a");
        let version = &first["metadata"]["resourceVersion"];
        let patch = |turn: &str| json!({"metadata": {"resourceVersion": version, "labels": {"turn": turn}}});
        let second =
            c.patch(&path, MERGE, &patch("1")).await?.is(200, json!({"metadata": {"labels": {"turn": "1"}}}))?;
        let stale = c.patch(&path, MERGE, &patch("2")).await?;
        stale.refused(409, "Conflict", json!({"details": {"name": "a", "kind": kind.plural}}))?;
        same("after the refusal", c.get(&path).await?.ok()?, second)?;
    }
    Ok(())
}

pub async fn a_patch_that_changes_nothing_makes_no_version(c: Cluster) -> Result<()> {
    for (kind, object) in [(LEASES, lease("a")), (BACKUPS, backup("a"))] {
        let first = c.create(kind, &object).await?;
        let patch = json!({"spec": first["spec"], "metadata": {"labels": {"absent": null}}});
        let again = c.patch(&c.one(kind, "a"), MERGE, &patch).await?.ok()?;
        same("version", &again["metadata"]["resourceVersion"], &first["metadata"]["resourceVersion"])?;
    }
    Ok(())
}

pub async fn json_patch_goes_step_by_step(c: Cluster) -> Result<()> {
    for (kind, mut object) in [(LEASES, lease("a")), (BACKUPS, backup("a"))] {
        object["metadata"]["labels"] = json!({"a/b": "1"});
        object["metadata"]["annotations"] = json!({"goes": "1"});
        c.create(kind, &object).await?;
        let patch = json!([
            {"op": "test", "path": "/metadata/labels/a~1b", "value": "1"},
            {"op": "replace", "path": "/metadata/labels/a~1b", "value": "2"},
            {"op": "add", "path": "/metadata/labels/c", "value": "3"},
            {"op": "copy", "from": "/metadata/labels/c", "path": "/metadata/annotations/c"},
            {"op": "remove", "path": "/metadata/annotations/goes"},
        ]);
        let patched = c.patch(&c.one(kind, "a"), JSON_PATCH, &patch).await?.ok()?;
        same("labels", &patched["metadata"]["labels"], &json!({"a/b": "2", "c": "3"}))?;
        same("annotations", &patched["metadata"]["annotations"], &json!({"c": "3"}))?;
    }
    Ok(())
}

pub async fn json_patch_is_all_or_nothing(c: Cluster) -> Result<()> {
    for (kind, object) in [(LEASES, lease("a")), (BACKUPS, backup("a"))] {
        let first = c.create(kind, &object).await?;
        let path = c.one(kind, "a");
        for failing in [
            json!({"op": "test", "path": "/metadata/name", "value": "b"}),
            json!({"op": "test", "path": "/metadata/resourceVersion", "value": "1"}),
            json!({"op": "remove", "path": "/metadata/labels/absent"}),
            json!({"op": "move", "from": "/metadata/labels/absent", "path": "/metadata/labels/present"}),
            json!({"op": "twist", "path": "/metadata/name"}),
        ] {
            let patch = json!([{"op": "add", "path": "/metadata/annotations", "value": {"a": "b"}}, failing]);
            let answer = c.patch(&path, JSON_PATCH, &patch).await?;
            answer.refused_saying(422, "Invalid", "the server rejected our request due to an error in our request")?;
        }
        same("after refusals", c.get(&path).await?.ok()?, first)?;
    }
    Ok(())
}

pub async fn json_patch_replaces_what_is_absent(c: Cluster) -> Result<()> {
    // Against RFC 6902, which calls it an error.
    for (kind, object) in [(LEASES, lease("a")), (BACKUPS, backup("a"))] {
        c.create(kind, &object).await?;
        let replacement = json!([{"op": "replace", "path": "/metadata/annotations", "value": {"a": "b"}}]);
        let patched = c.patch(&c.one(kind, "a"), JSON_PATCH, &replacement).await?.ok()?;
        same("annotations", &patched["metadata"]["annotations"], &json!({"a": "b"}))?;
    }
    Ok(())
}

pub async fn json_patch_can_compare_and_swap(c: Cluster) -> Result<()> {
    let first = c.create(LEASES, &lease("a")).await?;
    let path = c.one(LEASES, "a");
    let swap = |holder: &str| {
        json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": first["metadata"]["resourceVersion"]},
            {"op": "replace", "path": "/spec/holderIdentity", "value": holder},
        ])
    };
    c.patch(&path, JSON_PATCH, &swap("one")).await?.is(200, json!({"spec": {"holderIdentity": "one"}}))?;
    c.patch(&path, JSON_PATCH, &swap("two")).await?.refused(422, "Invalid", json!({}))?;
    c.get(&path).await?.is(200, json!({"spec": {"holderIdentity": "one"}}))?;
    Ok(())
}

pub async fn a_patch_that_is_none_is_a_bad_request(c: Cluster) -> Result<()> {
    c.create(LEASES, &lease("a")).await?;
    let path = c.one(LEASES, "a");
    for (media_type, patch) in [(JSON_PATCH, json!({"op": "test"})), (MERGE, json!([])), (MERGE, json!("text"))] {
        let answer = c.patch(&path, media_type, &patch).await?;
        same(&format!("the code for {patch} as {media_type}"), answer.code, 400)?;
    }
    Ok(())
}

pub async fn media_types_are_known_or_refused(c: Cluster) -> Result<()> {
    c.create(LEASES, &lease("a")).await?;
    c.create(BACKUPS, &backup("a")).await?;
    let plain = c.patch(&c.one(LEASES, "a"), "application/json", &json!({})).await?;
    plain.refused(415, "UnsupportedMediaType", json!({}))?;
    // Strategic merge needs the kind's Go type, which a custom kind has not.
    let custom = c.patch(&c.one(BACKUPS, "a"), STRATEGIC, &json!({})).await?;
    custom.refused(415, "UnsupportedMediaType", json!({}))?;
    Ok(())
}

pub async fn strategic_merge_knows_maps_and_keyed_lists(c: Cluster) -> Result<()> {
    let mut object = pod("a");
    object["metadata"]["labels"] = json!({"stays": "1", "goes": "1"});
    let (first, second) = (owner(&c, "one").await?, owner(&c, "two").await?);
    object["metadata"]["ownerReferences"] = json!([first]);
    object["metadata"]["finalizers"] = json!(["example.com/one"]);
    c.create(PODS, &object).await?;
    let patch = json!({"metadata": {
        "labels": {"goes": null, "comes": "1"},
        "ownerReferences": [second],
        "finalizers": ["example.com/two"],
    }});
    let patched = c.patch(&c.one(PODS, "a"), STRATEGIC, &patch).await?.ok()?;
    same("labels", &patched["metadata"]["labels"], &json!({"stays": "1", "comes": "1"}))?;
    same("owners", uids(&patched), [&first, &second].into_iter().filter_map(|owner| owner["uid"].as_str()).collect())?;
    let mut finalizers: Vec<&str> = strings(&patched["metadata"]["finalizers"]);
    finalizers.sort_unstable();
    same("finalizers", finalizers, vec!["example.com/one", "example.com/two"])?;
    let removal = json!({"metadata": {"ownerReferences": [{"$patch": "delete", "uid": first["uid"]}]}});
    let patched = c.patch(&c.one(PODS, "a"), STRATEGIC, &removal).await?.ok()?;
    same("owners", uids(&patched), second["uid"].as_str().into_iter().collect())?;
    // Leave nothing that cannot go.
    c.patch(&c.one(PODS, "a"), MERGE, &json!({"metadata": {"finalizers": null}})).await?.ok()?;
    Ok(())
}

fn uids(object: &Value) -> BTreeSet<&str> {
    let owners = object["metadata"]["ownerReferences"].as_array();
    owners.into_iter().flatten().filter_map(|owner| owner["uid"].as_str()).collect()
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}
