//! What a Lease must look like, since hands edit them too.

use super::cluster::{Cluster, LEASES, MERGE};
use super::compare::{ABSENT, same};
use super::samples::lease;
use anyhow::Result;
use serde_json::{Value, json};

/// A Lease whose spec has this one field set must be refused as Invalid, naming the field and saying `why`.
async fn invalid(c: &Cluster, field: &str, value: Value, why: &str) -> Result<()> {
    let mut object = lease("a");
    object["spec"][field] = value;
    let wanted = json!({"details": {
        "name": "a", "group": "coordination.k8s.io", "kind": "Lease",
        "causes": [{"field": format!("spec.{field}")}],
    }});
    let status = c.post(&c.all(LEASES), &object).await?.refused(422, "Invalid", wanted)?;
    let message = status["message"].as_str().unwrap_or_default();
    anyhow::ensure!(message.contains(why), "{field}: the message lacks {why:?}: {message}");
    Ok(())
}

pub async fn a_duration_is_positive(c: Cluster) -> Result<()> {
    invalid(&c, "leaseDurationSeconds", json!(0), "must be greater than 0").await?;
    invalid(&c, "leaseDurationSeconds", json!(-5), "must be greater than 0").await
}

pub async fn transitions_do_not_go_below_zero(c: Cluster) -> Result<()> {
    invalid(&c, "leaseTransitions", json!(-1), "must be greater than or equal to 0").await?;
    let mut object = lease("a");
    object["spec"]["leaseTransitions"] = json!(0);
    c.create(LEASES, &object).await.map(|_| ())
}

pub async fn a_holder_may_be_empty_or_absent(c: Cluster) -> Result<()> {
    let mut object = lease("a");
    object["spec"] = json!({"holderIdentity": ""});
    c.post(&c.all(LEASES), &object).await?.is(201, json!({"spec": {"holderIdentity": ""}}))?;
    object["metadata"]["name"] = json!("b");
    object["spec"] = json!({});
    c.post(&c.all(LEASES), &object).await?.is(201, json!({"spec": {"holderIdentity": ABSENT}}))?;
    Ok(())
}

pub async fn patches_are_held_to_the_same_rules(c: Cluster) -> Result<()> {
    let first = c.create(LEASES, &lease("a")).await?;
    let path = c.one(LEASES, "a");
    for patch in [json!({"spec": {"leaseDurationSeconds": 0}}), json!({"spec": {"leaseTransitions": -1}})] {
        c.patch(&path, MERGE, &patch).await?.refused(422, "Invalid", json!({}))?;
        c.force_apply(&path, "tester", &applied(&patch)).await?.refused(422, "Invalid", json!({}))?;
    }
    same("after refusals", c.get(&path).await?.ok()?, first)
}

fn applied(patch: &Value) -> Value {
    json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "a"}, "spec": patch["spec"]})
}

pub async fn times_have_six_digits_after_the_second(c: Cluster) -> Result<()> {
    let path = c.one(LEASES, "a");
    c.create(LEASES, &lease("a")).await?;
    let time = |text: &str| json!({"spec": {"renewTime": text}});
    for (sent, stored) in [
        ("2026-01-02T03:04:05.678901Z", "2026-01-02T03:04:05.678901Z"),
        ("2026-01-02T03:04:05.000000Z", "2026-01-02T03:04:05.000000Z"),
        // Another zone means the same moment and is stored in UTC.
        ("2026-01-02T05:04:05.600000+02:00", "2026-01-02T03:04:05.600000Z"),
    ] {
        c.patch(&path, MERGE, &time(sent)).await?.is(200, json!({"spec": {"renewTime": stored}}))?;
    }
    for sent in ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.678Z", "2026-01-02 03:04:05.678901Z", "soon", "17"] {
        // The body itself is wrong in one, the object that the patch leads to in the other.
        c.patch(&path, MERGE, &time(sent)).await?.refused(422, "Invalid", json!({}))?;
        let mut object = lease("b");
        object["spec"]["renewTime"] = json!(sent);
        c.post(&c.all(LEASES), &object).await?.refused(400, "BadRequest", json!({}))?;
    }
    // A Lease may also lose the time.
    let none = json!({"spec": {"renewTime": null}});
    c.patch(&path, MERGE, &none).await?.is(200, json!({"spec": {"renewTime": ABSENT}}))?;
    Ok(())
}

pub async fn a_field_of_another_type_is_a_bad_request(c: Cluster) -> Result<()> {
    for (field, value) in [
        ("leaseDurationSeconds", json!("30")),
        ("leaseDurationSeconds", json!(1.5)),
        ("leaseDurationSeconds", json!(3_000_000_000_u32)),
        ("holderIdentity", json!(7)),
        ("leaseTransitions", json!({})),
    ] {
        let mut object = lease("a");
        object["spec"][field] = value.clone();
        let answer = c.post(&c.all(LEASES), &object).await?;
        same(&format!("the code for {field} = {value}"), answer.code, 400)?;
    }
    Ok(())
}

pub async fn unknown_fields_are_dropped(c: Cluster) -> Result<()> {
    let mut object = lease("a");
    object["spec"]["phase"] = json!("waiting");
    object["status"] = json!({"phase": "waiting"});
    let created = c.create(LEASES, &object).await?;
    same("spec.phase", &created["spec"]["phase"], &Value::Null)?;
    same("status", &created["status"], &Value::Null)?;
    let strict = format!("{}?fieldValidation=Strict", c.all(LEASES));
    object["metadata"]["name"] = json!("b");
    c.post(&strict, &object).await?.refused_saying(400, "BadRequest", "unknown field \"spec.phase\"")
}
