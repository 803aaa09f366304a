//! Server-side apply: who owns which field, and what follows from it.

use super::cluster::{APPLY, BACKUPS, CONFIG_MAPS, Cluster, LEASES, MERGE, PODS, SNAPSHOTS};
use super::compare::{ABSENT, PRESENT, same};
use super::samples::{backup, lease, owner, pod};
use anyhow::{Context, Result};
use serde_json::{Value, json};

fn lease_with(metadata: &Value, spec: &Value) -> Value {
    let mut object =
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "a"}, "spec": spec});
    for (key, value) in metadata.as_object().into_iter().flatten() {
        object["metadata"][key] = value.clone();
    }
    object
}

fn labelled(labels: &Value) -> Value {
    lease_with(&json!({"labels": labels}), &json!({}))
}

/// The entry of one manager and operation in `managedFields`.
fn entry<'a>(object: &'a Value, manager: &str, operation: &str) -> Option<&'a Value> {
    let entries = object["metadata"]["managedFields"].as_array()?;
    entries.iter().find(|entry| entry["manager"] == manager && entry["operation"] == operation)
}

pub async fn creates_and_then_updates(c: Cluster) -> Result<()> {
    for (kind, object) in [(LEASES, lease("a")), (BACKUPS, backup("a"))] {
        let path = c.one(kind, "a");
        let first = c
            .apply(&path, "one", &object)
            .await?
            .is(201, json!({"metadata": {"uid": PRESENT}, "spec": object["spec"]}))?;
        let mut next = object.clone();
        next["metadata"]["labels"] = json!({"turn": "2"});
        let second = c.apply(&path, "one", &next).await?.is(200, json!({"metadata": {"labels": {"turn": "2"}}}))?;
        same("uid", &second["metadata"]["uid"], &first["metadata"]["uid"])?;
        let third = c.apply(&path, "one", &next).await?.ok()?;
        same(
            "version after the same again",
            &third["metadata"]["resourceVersion"],
            &second["metadata"]["resourceVersion"],
        )?;
    }
    Ok(())
}

pub async fn the_manager_and_its_fields_are_recorded(c: Cluster) -> Result<()> {
    let object = lease_with(&json!({"labels": {"a": "1"}}), &json!({"holderIdentity": "x"}));
    let applied = c.apply(&c.one(LEASES, "a"), "one", &object).await?.ok()?;
    let found = entry(&applied, "one", "Apply").context("no entry")?;
    let wanted = json!({
        "manager": "one", "operation": "Apply", "apiVersion": "coordination.k8s.io/v1", "fieldsType": "FieldsV1",
        "time": PRESENT, "subresource": ABSENT,
    });
    super::compare::subset(found, &wanted)?;
    let fields = json!({"f:metadata": {"f:labels": {"f:a": {}}}, "f:spec": {"f:holderIdentity": {}}});
    same("fields", &found["fieldsV1"], &fields)
}

pub async fn what_a_manager_stops_applying_goes(c: Cluster) -> Result<()> {
    let path = c.one(LEASES, "a");
    c.apply(
        &path,
        "one",
        &lease_with(
            &json!({"labels": {"a": "1", "b": "1"}}),
            &json!({"holderIdentity": "x", "leaseDurationSeconds": 5}),
        ),
    )
    .await?
    .ok()?;
    let next = lease_with(&json!({"labels": {"a": "1"}}), &json!({"holderIdentity": "x"}));
    let applied = c.apply(&path, "one", &next).await?.ok()?;
    same("labels", &applied["metadata"]["labels"], &json!({"a": "1"}))?;
    same("spec", &applied["spec"], &json!({"holderIdentity": "x"}))?;
    let bare = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "a"}});
    c.apply(&path, "one", &bare)
        .await?
        .is(200, json!({"metadata": {"labels": ABSENT}, "spec": {"holderIdentity": ABSENT}}))?;
    Ok(())
}

pub async fn what_others_own_stays(c: Cluster) -> Result<()> {
    let path = c.one(LEASES, "a");
    c.apply(&path, "one", &labelled(&json!({"one": "1", "both": "1"}))).await?.ok()?;
    c.apply(&path, "two", &labelled(&json!({"two": "1", "both": "1"}))).await?.ok()?;
    let by_hand = json!({"metadata": {"labels": {"hand": "1"}}, "spec": {"leaseDurationSeconds": 5}});
    c.patch(&format!("{path}?fieldManager=hand"), MERGE, &by_hand).await?.ok()?;
    let applied = c.apply(&path, "one", &labelled(&json!({}))).await?.ok()?;
    same("labels", &applied["metadata"]["labels"], &json!({"two": "1", "both": "1", "hand": "1"}))?;
    same("duration", &applied["spec"]["leaseDurationSeconds"], &json!(5))?;
    let applied = c.apply(&path, "two", &labelled(&json!({}))).await?.ok()?;
    same("labels", &applied["metadata"]["labels"], &json!({"hand": "1"}))
}

pub async fn the_value_of_another_is_a_conflict(c: Cluster) -> Result<()> {
    for (first_is_apply, wanted) in
        [(true, "conflict with \"one\""), (false, "conflict with \"one\" using coordination.k8s.io/v1")]
    {
        let name = if first_is_apply { "a" } else { "b" };
        let path = c.one(LEASES, name);
        let object = |holder: &str| {
            let mut object = lease_with(&json!({}), &json!({"holderIdentity": holder}));
            object["metadata"]["name"] = json!(name);
            object
        };
        if first_is_apply {
            c.apply(&path, "one", &object("x")).await?.ok()?;
        } else {
            c.post(&format!("{}?fieldManager=one", c.all(LEASES)), &object("x")).await?.ok()?;
        }
        let before = c.get(&path).await?.ok()?;
        let status = c.apply(&path, "two", &object("y")).await?.refused(
            409,
            "Conflict",
            json!({
                "details": {"causes": [{"reason": "FieldManagerConflict", "field": ".spec.holderIdentity"}]},
            }),
        )?;
        let cause = status["details"]["causes"][0]["message"].as_str().unwrap_or_default();
        anyhow::ensure!(cause.starts_with(wanted), "the cause says {cause:?}, wanted {wanted:?}");
        let message = status["message"].as_str().unwrap_or_default();
        anyhow::ensure!(message.starts_with("Apply failed with 1 conflict: conflict with \"one\""), "{message}");
        same("after the refusal", c.get(&path).await?.ok()?, before)?;
    }
    Ok(())
}

pub async fn the_same_value_is_owned_together(c: Cluster) -> Result<()> {
    let path = c.one(LEASES, "a");
    let object = lease_with(&json!({}), &json!({"holderIdentity": "x"}));
    c.apply(&path, "one", &object).await?.ok()?;
    let applied = c.apply(&path, "two", &object).await?.ok()?;
    for manager in ["one", "two"] {
        let fields = &entry(&applied, manager, "Apply").context(manager)?["fieldsV1"];
        same(manager, fields, &json!({"f:spec": {"f:holderIdentity": {}}}))?;
    }
    // Each may leave without taking it along; changing it alone is a conflict.
    let other = lease_with(&json!({}), &json!({"holderIdentity": "y"}));
    c.apply(&path, "two", &other).await?.refused(409, "Conflict", json!({}))?;
    let left = c.apply(&path, "two", &lease_with(&json!({}), &json!({}))).await?.ok()?;
    same("the value", &left["spec"]["holderIdentity"], &json!("x"))
}

pub async fn force_takes_the_field_over(c: Cluster) -> Result<()> {
    let path = c.one(LEASES, "a");
    c.apply(&path, "one", &lease_with(&json!({}), &json!({"holderIdentity": "x", "leaseDurationSeconds": 5})))
        .await?
        .ok()?;
    let other = lease_with(&json!({}), &json!({"holderIdentity": "y"}));
    let forced = c
        .force_apply(&path, "two", &other)
        .await?
        .is(200, json!({"spec": {"holderIdentity": "y", "leaseDurationSeconds": 5}}))?;
    let left = &entry(&forced, "one", "Apply").context("one")?["fieldsV1"];
    same("what is left to the first", left, &json!({"f:spec": {"f:leaseDurationSeconds": {}}}))?;
    let back = lease_with(&json!({}), &json!({"holderIdentity": "x", "leaseDurationSeconds": 5}));
    c.apply(&path, "one", &back).await?.refused(409, "Conflict", json!({}))?;
    // The first one no longer owns it, so leaving it out removes nothing.
    let without = lease_with(&json!({}), &json!({"leaseDurationSeconds": 5}));
    c.apply(&path, "one", &without).await?.is(200, json!({"spec": {"holderIdentity": "y"}}))?;
    Ok(())
}

pub async fn an_update_takes_fields_from_appliers(c: Cluster) -> Result<()> {
    let path = c.one(LEASES, "a");
    let object = lease_with(&json!({}), &json!({"holderIdentity": "x"}));
    c.apply(&path, "one", &object).await?.ok()?;
    let update = json!({"spec": {"holderIdentity": "z"}});
    let updated = c.patch(&format!("{path}?fieldManager=hand"), MERGE, &update).await?.ok()?;
    let fields = &entry(&updated, "hand", "Update").context("hand")?["fieldsV1"];
    same("the field now", fields, &json!({"f:spec": {"f:holderIdentity": {}}}))?;
    c.apply(&path, "one", &object).await?.refused(409, "Conflict", json!({}))?;
    c.force_apply(&path, "one", &object).await?.is(200, json!({"spec": {"holderIdentity": "x"}}))?;
    Ok(())
}

pub async fn applying_and_updating_are_two_managers(c: Cluster) -> Result<()> {
    // One name, two operations: what was updated is not removed by what is applied.
    let path = c.one(LEASES, "a");
    let update = lease_with(&json!({"labels": {"updated": "1"}}), &json!({"holderIdentity": "x"}));
    c.post(&format!("{}?fieldManager=one", c.all(LEASES)), &update).await?.ok()?;
    let applied = c.apply(&path, "one", &labelled(&json!({"applied": "1"}))).await?.ok()?;
    same("labels", &applied["metadata"]["labels"], &json!({"updated": "1", "applied": "1"}))?;
    anyhow::ensure!(
        entry(&applied, "one", "Update").is_some() && entry(&applied, "one", "Apply").is_some(),
        "{applied}"
    );
    Ok(())
}

pub async fn a_version_in_the_body_is_a_precondition(c: Cluster) -> Result<()> {
    for (kind, object) in [(LEASES, lease("a")), (BACKUPS, backup("a"))] {
        let path = c.one(kind, "a");
        let first = c.apply(&path, "one", &object).await?.ok()?;
        let mut next = object.clone();
        next["metadata"]["resourceVersion"] = first["metadata"]["resourceVersion"].clone();
        next["metadata"]["labels"] = json!({"turn": "2"});
        let second =
            c.force_apply(&path, "one", &next).await?.is(200, json!({"metadata": {"labels": {"turn": "2"}}}))?;
        next["metadata"]["labels"] = json!({"turn": "3"});
        c.force_apply(&path, "one", &next).await?.refused(409, "Conflict", json!({"details": {"name": "a"}}))?;
        same("after the refusal", c.get(&path).await?.ok()?, second)?;
    }
    Ok(())
}

pub async fn a_version_does_not_keep_it_from_creating(c: Cluster) -> Result<()> {
    // Not a compare-and-swap against deletion: what was deleted meanwhile comes back, without a word.
    let mut versioned = lease("a");
    versioned["metadata"]["resourceVersion"] = json!("5");
    c.apply(&c.one(LEASES, "a"), "one", &versioned).await?.is(201, json!({"metadata": {"uid": PRESENT}}))?;
    Ok(())
}

pub async fn a_uid_keeps_it_from_creating(c: Cluster) -> Result<()> {
    for (kind, mut object) in [(LEASES, lease("a")), (BACKUPS, backup("a")), (PODS, pod("a"))] {
        object["metadata"]["uid"] = json!("00000000-0000-0000-0000-000000000000");
        let path = c.one(kind, "a");
        c.apply(&path, "one", &object).await?.refused_saying(409, "Conflict", "uid mismatch")?;
        c.get(&path).await?.refused(404, "NotFound", json!({}))?;
    }
    Ok(())
}

pub async fn another_uid_is_refused(c: Cluster) -> Result<()> {
    for (kind, mut object) in [(LEASES, lease("a")), (BACKUPS, backup("a")), (PODS, pod("a"))] {
        let path = c.one(kind, "a");
        let first = c.apply(&path, "one", &object).await?.ok()?;
        object["metadata"]["uid"] = json!("00000000-0000-0000-0000-000000000000");
        object["metadata"]["labels"] = json!({"a": "b"});
        let answer = c.force_apply(&path, "one", &object).await?;
        answer.refused_saying(422, "Invalid", "metadata.uid: Invalid value")?;
        same("after the refusal", c.get(&path).await?.ok()?, first)?;
    }
    Ok(())
}

pub async fn version_and_uid_of_a_predecessor_are_a_conflict(c: Cluster) -> Result<()> {
    // Deleted and made anew under the same name: the version is looked at first, so this is 409 and not 422.
    let path = c.one(LEASES, "a");
    let mut object = lease("a");
    let first = c.apply(&path, "one", &object).await?.ok()?;
    c.delete(&path, json!({})).await?.ok()?;
    let second = c.create(LEASES, &lease("a")).await?;
    for key in ["uid", "resourceVersion"] {
        object["metadata"][key] = first["metadata"][key].clone();
    }
    object["spec"]["holderIdentity"] = json!("other");
    c.force_apply(&path, "one", &object).await?.refused(409, "Conflict", json!({"details": {"name": "a"}}))?;
    same("after the refusal", c.get(&path).await?.ok()?, second)
}

pub async fn the_request_must_be_complete(c: Cluster) -> Result<()> {
    let path = c.one(LEASES, "a");
    let nobody = c.patch(&path, APPLY, &lease("a")).await?;
    nobody.refused_saying(422, "Invalid", "is required for apply patch")?;
    let mut managed = lease("a");
    managed["metadata"]["managedFields"] = json!([{"manager": "x"}]);
    c.apply(&path, "one", &managed).await?.refused_saying(400, "BadRequest", "metadata.managedFields must be nil")?;
    let mut untyped = lease("a");
    untyped["kind"] = Value::Null;
    c.apply(&path, "one", &untyped).await?.refused(400, "BadRequest", json!({}))?;
    // `force` belongs to apply alone.
    let forced = c.patch(&format!("{path}?force=true"), MERGE, &json!({})).await?;
    forced.refused(422, "Invalid", json!({}))?;
    Ok(())
}

pub async fn owners_and_finalizers_are_sets(c: Cluster) -> Result<()> {
    let path = c.one(LEASES, "a");
    let (first, second) = (owner(&c, "one").await?, owner(&c, "two").await?);
    let object = |owner: &Value, finalizer: &str| {
        lease_with(&json!({"ownerReferences": [owner], "finalizers": [finalizer]}), &json!({}))
    };
    c.apply(&path, "one", &object(&first, "example.com/one")).await?.ok()?;
    let both = c.apply(&path, "two", &object(&second, "example.com/two")).await?.ok()?;
    same("owners", both["metadata"]["ownerReferences"].as_array().map(Vec::len), Some(2))?;
    same("finalizers", &both["metadata"]["finalizers"], &json!(["example.com/one", "example.com/two"]))?;
    let one = c.apply(&path, "one", &lease_with(&json!({}), &json!({}))).await?.ok()?;
    same("the owner left", &one["metadata"]["ownerReferences"], &json!([second]))?;
    same("the finalizer left", &one["metadata"]["finalizers"], &json!(["example.com/two"]))?;
    let none = c.apply(&path, "two", &lease_with(&json!({}), &json!({}))).await?;
    none.is(200, json!({"metadata": {"finalizers": ABSENT, "ownerReferences": ABSENT}}))?;
    Ok(())
}

pub async fn lists_of_a_custom_kind_are_one_value(c: Cluster) -> Result<()> {
    let path = c.one(BACKUPS, "a");
    let object = |namespaces: Value| {
        let mut object = backup("a");
        object["spec"]["includedNamespaces"] = namespaces;
        object
    };
    c.apply(&path, "one", &object(json!(["x", "y"]))).await?.ok()?;
    c.apply(&path, "two", &object(json!(["x"]))).await?.refused(
        409,
        "Conflict",
        json!({
            "details": {"causes": [{"field": ".spec.includedNamespaces"}]},
        }),
    )?;
    let forced = c.force_apply(&path, "two", &object(json!(["x"]))).await?.ok()?;
    same("the list", &forced["spec"]["includedNamespaces"], &json!(["x"]))
}

pub async fn data_is_owned_key_by_key(c: Cluster) -> Result<()> {
    let path = c.one(CONFIG_MAPS, "a");
    let object =
        |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data});
    c.apply(&path, "one", &object(json!({"a": "1", "b": "1"}))).await?.ok()?;
    c.apply(&path, "two", &object(json!({"c": "1"}))).await?.ok()?;
    let applied = c.apply(&path, "one", &object(json!({"a": "2"}))).await?.ok()?;
    same("data", &applied["data"], &json!({"a": "2", "c": "1"}))
}

pub async fn status_is_applied_on_its_own(c: Cluster) -> Result<()> {
    let path = c.one(SNAPSHOTS, "a");
    let mut object = super::samples::snapshot("a");
    c.apply(&path, "one", &object).await?.ok()?;
    object["status"] = json!({"readyToUse": true});
    let status = json!({"apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": {"name": "a"}, "status": object["status"]});
    let applied = c.apply(&format!("{path}/status"), "two", &status).await?.ok()?;
    same("status", &applied["status"], &json!({"readyToUse": true}))?;
    same("spec", &applied["spec"], &object["spec"])?;
    same("subresource", &entry(&applied, "two", "Apply").context("two")?["subresource"], &json!("status"))?;
    // The main resource does not touch it.
    let again = c.apply(&path, "one", &super::samples::snapshot("a")).await?.ok()?;
    same("status", &again["status"], &json!({"readyToUse": true}))
}

pub async fn each_applies_only_its_own_part(c: Cluster) -> Result<()> {
    // A heartbeat that applies renewTime alone drops what it applied before: the reason why writers apply the whole.
    let path = c.one(LEASES, "a");
    let whole = lease_with(
        &json!({"annotations": {"phase": "waiting"}}),
        &json!({"holderIdentity": "x", "renewTime": "2026-01-02T03:04:05.000000Z"}),
    );
    c.apply(&path, "one", &whole).await?.ok()?;
    let beat = lease_with(&json!({}), &json!({"renewTime": "2026-01-02T03:04:06.000000Z"}));
    c.apply(&path, "one", &beat)
        .await?
        .is(200, json!({"metadata": {"annotations": ABSENT}, "spec": {"holderIdentity": ABSENT}}))?;
    Ok(())
}
