//! Lists: what is in them, selectors, pages.

use super::cluster::{CONFIG_MAPS, Cluster, Kind, LEASES, PODS, SNAPSHOTS, VOLUMES};
use super::compare::{PRESENT, same};
use super::samples::{config_map, lease, pod, snapshot, volume};
use anyhow::{Context, Result, ensure};
use axum::http::Method;
use serde_json::json;
use std::collections::BTreeSet;

/// Names in a list, sorted.
async fn names(c: &Cluster, path: &str) -> Result<Vec<String>> {
    let list = c.get(path).await?.is(200, json!({"metadata": {"resourceVersion": PRESENT}}))?;
    let items = list["items"].as_array().context("items is no list")?;
    let mut names: Vec<String> =
        items.iter().map(|item| item["metadata"]["name"].as_str().unwrap_or_default().to_owned()).collect();
    names.sort();
    Ok(names)
}

async fn check(c: &Cluster, kind: Kind, query: &str, wanted: &[&str]) -> Result<()> {
    let found = names(c, &format!("{}?{query}", c.all(kind))).await?;
    same(&format!("{} by {query}", kind.plural), found, wanted.iter().map(|name| (*name).to_owned()).collect())
}

pub async fn a_list_has_a_kind_and_a_version(c: Cluster) -> Result<()> {
    c.create(LEASES, &lease("a")).await?;
    c.create(SNAPSHOTS, &snapshot("a")).await?;
    c.get(&c.all(LEASES)).await?.is(
        200,
        json!({
            "kind": "LeaseList", "apiVersion": "coordination.k8s.io/v1", "metadata": {"resourceVersion": PRESENT},
            "items": [{"metadata": {"name": "a", "namespace": c.namespace}, "spec": {"holderIdentity": "someone"}}],
        }),
    )?;
    c.get(&c.all(SNAPSHOTS)).await?.is(200, json!({
        "kind": "VolumeSnapshotList", "apiVersion": "snapshot.storage.k8s.io/v1",
        "items": [{"kind": "VolumeSnapshot", "apiVersion": "snapshot.storage.k8s.io/v1", "metadata": {"name": "a"}}],
    }))?;
    Ok(())
}

pub async fn labels_select(c: Cluster) -> Result<()> {
    for (name, labels) in [
        ("a", json!({"group": "one", "velero.io/snapshot-group": "g1"})),
        ("b", json!({"group": "two"})),
        ("c", json!({"group": "two", "velero.io/snapshot-group": "g2"})),
        ("d", json!({})),
    ] {
        let mut object = lease(name);
        object["metadata"]["labels"] = labels;
        c.create(LEASES, &object).await?;
    }
    for (selector, wanted) in [
        ("group=one", &["a"][..]),
        ("group==one", &["a"]),
        ("group!=one", &["b", "c", "d"]),
        ("group in (one, two)", &["a", "b", "c"]),
        ("group notin (two)", &["a", "d"]),
        ("velero.io/snapshot-group", &["a", "c"]),
        ("!velero.io/snapshot-group", &["b", "d"]),
        ("group=two,velero.io/snapshot-group", &["c"]),
        ("group=three", &[]),
    ] {
        check(&c, LEASES, &format!("labelSelector={}", encode(selector)), wanted).await?;
    }
    let bad = c.get(&format!("{}?labelSelector={}", c.all(LEASES), encode("group in one"))).await?;
    bad.refused(400, "BadRequest", json!({}))?;
    Ok(())
}

pub async fn fields_select(c: Cluster) -> Result<()> {
    for (name, node) in [("a", "node-1"), ("b", "node-2")] {
        let mut object = pod(name);
        object["spec"]["nodeName"] = json!(node);
        c.create(PODS, &object).await?;
        c.create(LEASES, &lease(name)).await?;
        c.create(SNAPSHOTS, &snapshot(name)).await?;
    }
    let running = json!({"status": {"phase": "Running"}});
    c.patch(&format!("{}/status", c.one(PODS, "b")), super::cluster::MERGE, &running).await?.ok()?;
    let in_namespace = format!("fieldSelector=metadata.namespace%3D{}", c.namespace);
    for (kind, query, wanted) in [
        (LEASES, "fieldSelector=metadata.name%3Da", &["a"][..]),
        (LEASES, "fieldSelector=metadata.name%21%3Da", &["b"]),
        (SNAPSHOTS, "fieldSelector=metadata.name%3Db", &["b"]),
        (LEASES, &in_namespace, &["a", "b"]),
        (PODS, "fieldSelector=spec.nodeName%3Dnode-2", &["b"]),
        (PODS, "fieldSelector=status.phase%3DRunning", &["b"]),
        (PODS, "fieldSelector=status.phase%3DPending,spec.nodeName%3Dnode-1", &["a"]),
        (PODS, "fieldSelector=status.phase%21%3DRunning", &["a"]),
    ] {
        check(&c, kind, query, wanted).await?;
    }
    let one = c.get(&format!("{}?fieldSelector=spec.holderIdentity%3Da", c.all(LEASES))).await?;
    one.refused_saying(400, "BadRequest", "spec.holderIdentity")?;
    let other = c.get(&format!("{}?fieldSelector=spec.source%3Da", c.all(SNAPSHOTS))).await?;
    other.refused_saying(400, "BadRequest", "spec.source")
}

pub async fn pages_hold_everything_once(c: Cluster) -> Result<()> {
    let wanted: BTreeSet<String> = (0..7).map(|index| format!("object-{index}")).collect();
    for name in &wanted {
        c.create(CONFIG_MAPS, &config_map(name)).await?;
    }
    let (mut found, mut token, mut version) = (Vec::new(), String::new(), None);
    loop {
        let page = c.get(&format!("{}?limit=3&continue={token}", c.all(CONFIG_MAPS))).await?.ok()?;
        for item in page["items"].as_array().context("items is no list")? {
            found.push(item["metadata"]["name"].as_str().context("no name")?.to_owned());
        }
        let this = page["metadata"]["resourceVersion"].clone();
        // All pages show one moment.
        same("the version of a page", &this, version.get_or_insert_with(|| this.clone()))?;
        match page["metadata"]["continue"].as_str() {
            Some(next) if !next.is_empty() => token = encode(next),
            _ => break,
        }
        ensure!(found.len() < 20, "pages without end");
        if found.len() == 3 {
            c.create(CONFIG_MAPS, &config_map("between-pages")).await?;
        }
    }
    // The namespace controller of a whole cluster would put a kube-root-ca.crt here; none runs.
    same("number of items", found.len(), wanted.len())?;
    same("items", found.into_iter().collect(), wanted)
}

pub async fn any_version_may_be_asked_for(c: Cluster) -> Result<()> {
    let created = c.create(LEASES, &lease("a")).await?;
    let version = created["metadata"]["resourceVersion"].as_str().context("no version")?;
    check(&c, LEASES, &format!("resourceVersion={version}"), &["a"]).await?;
    check(&c, LEASES, &format!("resourceVersion={version}&resourceVersionMatch=NotOlderThan"), &["a"]).await?;
    // From whatever the server has at hand; may be old on a real one, never an error.
    c.get(&format!("{}?resourceVersion=0", c.all(LEASES))).await?.is(200, json!({}))?;
    c.get(&format!("{}?resourceVersion=soon", c.all(LEASES))).await?.refused(400, "BadRequest", json!({}))?;
    Ok(())
}

pub async fn all_namespaces_at_once(c: Cluster) -> Result<()> {
    let mut object = lease("a");
    object["metadata"]["labels"] = json!({"case": c.namespace});
    c.create(LEASES, &object).await?;
    let mut elsewhere = object.clone();
    elsewhere["metadata"]["name"] = json!(c.unique("b"));
    c.post(&format!("{}/namespaces/default/leases", LEASES.root), &elsewhere).await?.ok()?;
    let found = names(&c, &format!("{}/leases?labelSelector=case%3D{}", LEASES.root, c.namespace)).await?;
    same("names", found, vec!["a".to_owned(), c.unique("b")])?;
    let answer = c.post(&format!("{}/leases", LEASES.root), &lease("c")).await?;
    same("creating in all namespaces", answer.code, 405)
}

pub async fn cluster_scoped_kinds_have_no_namespace(c: Cluster) -> Result<()> {
    let name = c.unique("volume");
    let path = format!("{}/{}", VOLUMES.root, VOLUMES.plural);
    c.post(&path, &volume(&name))
        .await?
        .is(201, json!({"metadata": {"name": name, "namespace": super::compare::ABSENT}}))?;
    c.get(&format!("{path}/{name}"))
        .await?
        .is(200, json!({"spec": {"csi": {"volumeHandle": format!("vol-{name}")}}}))?;
    let missing =
        c.send(Method::GET, &format!("{}/namespaces/default/{}/{name}", VOLUMES.root, VOLUMES.plural), None).await?;
    same("a volume in a namespace", missing.code, 404)
}

/// Percent-encodes all that is not plainly harmless in a query.
fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
