//! What goes when its owner or its namespace goes. Needs a controller manager on a real control plane.

use super::cluster::{CONFIG_MAPS, Cluster, LEASES, PODS};
use super::compare::{same, subset};
use super::samples::{config_map, lease, pod};
use anyhow::{Context, Result};
use serde_json::{Value, json};

fn owned_by(mut object: Value, owners: &[&Value]) -> Value {
    let reference = |owner: &&Value| {
        json!({
            "apiVersion": owner["apiVersion"], "kind": owner["kind"],
            "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"],
        })
    };
    object["metadata"]["ownerReferences"] = owners.iter().map(reference).collect();
    object
}

pub async fn dependents_go_with_their_owner(c: Cluster) -> Result<()> {
    let owner = c.create(PODS, &pod("owner")).await?;
    let created = c.create(LEASES, &owned_by(lease("owned"), &[&owner])).await?;
    let grandchild = owned_by(config_map("grandchild"), &[&created]);
    c.create(CONFIG_MAPS, &grandchild).await?;
    let version = created["metadata"]["resourceVersion"].as_str().context("no version")?.to_owned();
    let mut leases = c.watch(&c.all(LEASES), &format!("resourceVersion={version}")).await?;
    let mut maps = c.watch(&c.all(CONFIG_MAPS), &format!("resourceVersion={version}")).await?;
    c.delete(&c.one(PODS, "owner"), json!({"gracePeriodSeconds": 0})).await?.ok()?;
    leases.expect("DELETED", json!({"metadata": {"name": "owned"}})).await?;
    maps.expect("ADDED", json!({"metadata": {"name": "grandchild"}})).await?;
    maps.expect("DELETED", json!({"metadata": {"name": "grandchild"}})).await?;
    Ok(())
}

pub async fn one_living_owner_is_enough(c: Cluster) -> Result<()> {
    let one = c.create(PODS, &pod("one")).await?;
    let two = c.create(PODS, &pod("two")).await?;
    let both = c.create(LEASES, &owned_by(lease("both"), &[&one, &two])).await?;
    c.create(LEASES, &owned_by(lease("first"), &[&one])).await?;
    let version = both["metadata"]["resourceVersion"].as_str().context("no version")?.to_owned();
    let mut watch = c.watch(&c.all(LEASES), &format!("resourceVersion={version}")).await?;
    watch.expect("ADDED", json!({"metadata": {"name": "first"}})).await?;
    c.delete(&c.one(PODS, "one"), json!({"gracePeriodSeconds": 0})).await?.ok()?;
    // The one with a living owner may lose the dead reference, and nothing else.
    let (kind, object) = loop {
        let (kind, object) = watch.next().await?;
        if object["metadata"]["name"] == "first" {
            break (kind, object);
        }
        same("the event of the other", kind.as_str(), "MODIFIED")?;
    };
    same("the event", kind.as_str(), "DELETED").with_context(|| object.to_string())?;
    let left = c.get(&c.one(LEASES, "both")).await?.ok()?;
    same("uid", &left["metadata"]["uid"], &both["metadata"]["uid"])
}

pub async fn an_owner_that_is_gone_already_takes_it_along(c: Cluster) -> Result<()> {
    let owner = c.create(PODS, &pod("owner")).await?;
    c.delete(&c.one(PODS, "owner"), json!({"gracePeriodSeconds": 0})).await?.ok()?;
    let mut watch = c.watch(&c.all(LEASES), "").await?;
    c.create(LEASES, &owned_by(lease("late"), &[&owner])).await?;
    watch.expect("ADDED", json!({"metadata": {"name": "late"}})).await?;
    watch.expect("DELETED", json!({"metadata": {"name": "late"}})).await?;
    Ok(())
}

pub async fn an_owner_of_the_same_name_is_not_the_owner(c: Cluster) -> Result<()> {
    let first = c.create(PODS, &pod("db-0")).await?;
    let owned = c.create(LEASES, &owned_by(lease("of-the-first"), &[&first])).await?;
    let version = owned["metadata"]["resourceVersion"].as_str().context("no version")?.to_owned();
    let mut watch = c.watch(&c.all(LEASES), &format!("resourceVersion={version}")).await?;
    c.delete(&c.one(PODS, "db-0"), json!({"gracePeriodSeconds": 0})).await?.ok()?;
    let second = c.create(PODS, &pod("db-0")).await?;
    watch.expect("DELETED", json!({"metadata": {"name": "of-the-first"}})).await?;
    let living = c.create(LEASES, &owned_by(lease("of-the-second"), &[&second])).await?;
    subset(
        &c.get(&c.one(LEASES, "of-the-second")).await?.ok()?,
        &json!({"metadata": {"uid": living["metadata"]["uid"]}}),
    )
}

pub async fn a_namespace_takes_all_along(c: Cluster) -> Result<()> {
    let created = c.create(LEASES, &lease("a")).await?;
    c.create(PODS, &pod("a")).await?;
    let version = created["metadata"]["resourceVersion"].as_str().context("no version")?.to_owned();
    let mut watch = c.watch(&c.all(LEASES), &format!("resourceVersion={version}")).await?;
    c.delete(&format!("/api/v1/namespaces/{}", c.namespace), json!({})).await?.ok()?;
    watch.expect("DELETED", json!({"metadata": {"name": "a"}})).await?;
    Ok(())
}
