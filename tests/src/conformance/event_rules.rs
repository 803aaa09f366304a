//! What an Event of events.k8s.io must look like, and what of it may change.

use super::cluster::{Cluster, EVENTS, MERGE};
use super::compare::same;
use super::samples::event;
use anyhow::Result;
use serde_json::{Value, json};

/// An Event that has this one field set must be refused as Invalid, naming the field as the core group calls it.
async fn invalid(c: &Cluster, field: &str, value: Value, named: &str, why: &str) -> Result<()> {
    let mut object = event(c, "a");
    object[field] = value;
    let wanted = json!({"details": {"name": "a", "causes": [{"field": named}]}});
    let status = c.post(&c.all(EVENTS), &object).await?.refused(422, "Invalid", wanted)?;
    let message = status["message"].as_str().unwrap_or_default();
    anyhow::ensure!(message.contains(why), "{field}: the message lacks {why:?}: {message}");
    Ok(())
}

pub async fn a_note_has_at_most_1024_bytes(c: Cluster) -> Result<()> {
    let mut object = event(&c, "whole");
    object["note"] = json!("x".repeat(1024));
    c.create(EVENTS, &object).await?;
    invalid(&c, "note", json!("x".repeat(1025)), "message", "can have at most 1024 characters").await?;
    // Bytes, whatever the message says.
    invalid(&c, "note", json!("é".repeat(513)), "message", "can have at most 1024 characters").await
}

pub async fn who_tells_what_and_when_is_required(c: Cluster) -> Result<()> {
    for field in ["reportingInstance", "action", "reason"] {
        invalid(&c, field, json!(""), field, "Required value").await?;
        invalid(&c, field, json!("x".repeat(129)), field, "can have at most 128 characters").await?;
    }
    invalid(&c, "reportingController", json!("not a name"), "reportingController", "name part must consist of").await?;
    invalid(&c, "eventTime", Value::Null, "eventTime", "Required value").await?;
    invalid(&c, "type", json!("Fatal"), "type", "has invalid value: Fatal").await
}

pub async fn what_it_is_about_has_a_namespace(c: Cluster) -> Result<()> {
    let about = json!({"apiVersion": "v1", "kind": "Pod", "name": "db-0"});
    invalid(&c, "regarding", about, "involvedObject.namespace", "does not match event.namespace").await
}

pub async fn only_its_series_changes(c: Cluster) -> Result<()> {
    let created = c.create(EVENTS, &event(&c, "a")).await?;
    let path = c.one(EVENTS, "a");
    for patch in [json!({"note": "other"}), json!({"reason": "Other"}), json!({"type": "Warning"})] {
        c.patch(&path, MERGE, &patch).await?.refused_saying(422, "Invalid", "field is immutable")?;
    }
    let series = |count: i64| json!({"series": {"count": count, "lastObservedTime": "2026-01-02T03:04:05.000000Z"}});
    c.patch(&path, MERGE, &series(1)).await?.refused_saying(422, "Invalid", "should be at least 2")?;
    let again = c.patch(&path, MERGE, &series(2)).await?.is(200, series(2))?;
    same("the note", &again["note"], &created["note"])
}
