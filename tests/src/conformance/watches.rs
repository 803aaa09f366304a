//! Watches: where they begin, what they show, how they end.

use super::cluster::{BACKUPS, Cluster, LEASES, MERGE};
use super::compare::{ABSENT, same};
use super::samples::{backup, lease};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

fn version(object: &Value) -> Result<u64> {
    let text = object["metadata"]["resourceVersion"].as_str().with_context(|| format!("no version in {object}"))?;
    Ok(text.parse()?)
}

async fn label(c: &Cluster, name: &str, labels: Value) -> Result<Value> {
    c.patch(&c.one(LEASES, name), MERGE, &json!({"metadata": {"labels": labels}})).await?.ok()
}

async fn list_version(c: &Cluster) -> Result<u64> {
    version(&c.get(&c.all(LEASES)).await?.ok()?)
}

pub async fn without_a_version_begins_with_what_is_there(c: Cluster) -> Result<()> {
    for query in ["", "resourceVersion=0", "resourceVersion="] {
        let name = format!("a{}", query.len());
        c.create(LEASES, &lease(&name)).await?;
        let mut watch = c.watch(&c.all(LEASES), &format!("{query}&fieldSelector=metadata.name%3D{name}")).await?;
        let wanted = json!({"kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "metadata": {"name": name}, "spec": {"holderIdentity": "someone"}});
        watch.expect("ADDED", wanted).await.with_context(|| format!("query {query:?}"))?;
        label(&c, &name, json!({"turn": "1"})).await?;
        watch.expect("MODIFIED", json!({"metadata": {"labels": {"turn": "1"}}})).await?;
    }
    Ok(())
}

pub async fn from_a_version_shows_what_came_after(c: Cluster) -> Result<()> {
    c.create(LEASES, &lease("before")).await?;
    let start = list_version(&c).await?;
    let created = c.create(LEASES, &lease("a")).await?;
    let changed = label(&c, "a", json!({"turn": "1"})).await?;
    c.delete(&c.one(LEASES, "a"), json!({})).await?.ok()?;
    let mut watch = c.watch(&c.all(LEASES), &format!("resourceVersion={start}")).await?;
    let added = watch.expect("ADDED", json!({"metadata": {"name": "a"}})).await?;
    same("ADDED", &added, &created)?;
    let modified = watch.expect("MODIFIED", json!({"metadata": {"name": "a"}})).await?;
    same("MODIFIED", &modified, &changed)?;
    let deleted = watch
        .expect("DELETED", json!({"metadata": {"labels": {"turn": "1"}, "uid": created["metadata"]["uid"]}}))
        .await?;
    // The deletion is a moment of its own.
    let versions = [start, version(&added)?, version(&modified)?, version(&deleted)?];
    ensure!(versions.windows(2).all(|pair| pair[0] < pair[1]), "versions do not grow: {versions:?}");
    // And live.
    c.create(LEASES, &lease("b")).await?;
    watch.expect("ADDED", json!({"metadata": {"name": "b"}})).await?;
    Ok(())
}

pub async fn a_write_that_changes_nothing_is_no_event(c: Cluster) -> Result<()> {
    let created = c.create(LEASES, &lease("a")).await?;
    let mut watch = c.watch(&c.all(LEASES), &format!("resourceVersion={}", version(&created)?)).await?;
    c.put(&c.one(LEASES, "a"), &created).await?.ok()?;
    label(&c, "a", json!({"turn": "1"})).await?;
    watch.expect("MODIFIED", json!({"metadata": {"labels": {"turn": "1"}}})).await?;
    Ok(())
}

pub async fn one_object_by_its_name(c: Cluster) -> Result<()> {
    let start = list_version(&c).await?;
    let query = format!("resourceVersion={start}&fieldSelector=metadata.name%3Da");
    let mut watch = c.watch(&c.all(LEASES), &query).await?;
    // Nothing of another object, before or between.
    c.create(LEASES, &lease("b")).await?;
    c.create(LEASES, &lease("a")).await?;
    label(&c, "b", json!({"turn": "1"})).await?;
    label(&c, "a", json!({"turn": "1"})).await?;
    c.delete(&c.one(LEASES, "b"), json!({})).await?.ok()?;
    c.delete(&c.one(LEASES, "a"), json!({})).await?.ok()?;
    for kind in ["ADDED", "MODIFIED", "DELETED"] {
        watch.expect(kind, json!({"metadata": {"name": "a"}})).await?;
    }
    Ok(())
}

pub async fn labels_let_objects_in_and_out(c: Cluster) -> Result<()> {
    c.create(LEASES, &lease("a")).await?;
    let start = list_version(&c).await?;
    let query = format!("resourceVersion={start}&labelSelector=in%3Dyes");
    let mut watch = c.watch(&c.all(LEASES), &query).await?;
    label(&c, "a", json!({"other": "1"})).await?;
    label(&c, "a", json!({"in": "yes"})).await?;
    watch.expect("ADDED", json!({"metadata": {"name": "a", "labels": {"in": "yes", "other": "1"}}})).await?;
    label(&c, "a", json!({"other": "2"})).await?;
    watch.expect("MODIFIED", json!({"metadata": {"labels": {"other": "2"}}})).await?;
    let out = label(&c, "a", json!({"in": "no", "other": "3"})).await?;
    // It left: the event shows it as it was when it still belonged, at the moment it left.
    let left =
        watch.expect("DELETED", json!({"metadata": {"name": "a", "labels": {"in": "yes", "other": "2"}}})).await?;
    same("the moment", version(&left)?, version(&out)?)?;
    label(&c, "a", json!({"other": "4"})).await?;
    c.delete(&c.one(LEASES, "a"), json!({})).await?.ok()?;
    let mut sentinel = lease("b");
    sentinel["metadata"]["labels"] = json!({"in": "yes"});
    c.create(LEASES, &sentinel).await?;
    watch.expect("ADDED", json!({"metadata": {"name": "b"}})).await?;
    Ok(())
}

pub async fn a_field_lets_pods_in_and_out(c: Cluster) -> Result<()> {
    use super::cluster::PODS;
    c.create(PODS, &super::samples::pod("a")).await?;
    let mut watch = c.watch(&c.all(PODS), "fieldSelector=status.phase%3DRunning").await?;
    let phase = |phase: &str| json!({"status": {"phase": phase}});
    let path = format!("{}/status", c.one(PODS, "a"));
    c.patch(&path, MERGE, &phase("Running")).await?.ok()?;
    watch.expect("ADDED", phase("Running")).await?;
    c.patch(&path, MERGE, &phase("Succeeded")).await?.ok()?;
    watch.expect("DELETED", json!({"metadata": {"name": "a"}})).await?;
    Ok(())
}

pub async fn a_streaming_list_ends_with_a_bookmark(c: Cluster) -> Result<()> {
    for name in ["a", "b"] {
        c.create(LEASES, &lease(name)).await?;
    }
    let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = c.watch(&c.all(LEASES), query).await?;
    let mut names = Vec::new();
    for _ in 0..2 {
        let added = watch.expect("ADDED", json!({})).await?;
        names.push(added["metadata"]["name"].as_str().unwrap_or_default().to_owned());
    }
    names.sort();
    same("the list", names, vec!["a".to_owned(), "b".to_owned()])?;
    let bookmark = watch
        .expect(
            "BOOKMARK",
            json!({
                "kind": "Lease", "apiVersion": "coordination.k8s.io/v1",
                "metadata": {"annotations": {"k8s.io/initial-events-end": "true"}, "name": ABSENT},
            }),
        )
        .await?;
    version(&bookmark)?;
    label(&c, "a", json!({"turn": "1"})).await?;
    let modified = watch.expect("MODIFIED", json!({"metadata": {"name": "a"}})).await?;
    ensure!(version(&modified)? > version(&bookmark)?, "the bookmark is from the future");
    Ok(())
}

pub async fn a_streaming_list_of_nothing_ends_too(c: Cluster) -> Result<()> {
    let query =
        "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&labelSelector=no%3Dbody";
    let mut watch = c.watch(&c.all(BACKUPS), query).await?;
    watch.expect("BOOKMARK", json!({"metadata": {"annotations": {"k8s.io/initial-events-end": "true"}}})).await?;
    Ok(())
}

pub async fn a_streaming_list_must_say_how_old(c: Cluster) -> Result<()> {
    let path = format!("{}?watch=true&sendInitialEvents=true&allowWatchBookmarks=true", c.all(LEASES));
    c.get(&path).await?.refused(422, "Invalid", json!({}))?;
    Ok(())
}

pub async fn bookmarks_come_before_the_end(c: Cluster) -> Result<()> {
    let created = c.create(LEASES, &lease("a")).await?;
    let query = format!("resourceVersion={}&allowWatchBookmarks=true&timeoutSeconds=4", version(&created)?);
    let mut watch = c.watch(&c.all(LEASES), &query).await?;
    let bookmark = watch.expect("BOOKMARK", json!({"kind": "Lease", "metadata": {"name": ABSENT}})).await?;
    ensure!(version(&bookmark)? >= version(&created)?, "a bookmark of the past");
    loop {
        // More of them may come; nothing else, and then the end.
        match watch.next_or_end().await? {
            Some((kind, _)) => same("the event", kind.as_str(), "BOOKMARK")?,
            None => return Ok(()),
        }
    }
}

pub async fn without_asking_there_are_no_bookmarks(c: Cluster) -> Result<()> {
    let created = c.create(LEASES, &lease("a")).await?;
    let query = format!("resourceVersion={}&timeoutSeconds=2", version(&created)?);
    c.watch(&c.all(LEASES), &query).await?.expect_end().await
}

pub async fn all_namespaces_at_once(c: Cluster) -> Result<()> {
    let start = list_version(&c).await?;
    let query = format!("resourceVersion={start}&labelSelector=case%3D{}", c.namespace);
    let mut watch = c.watch(&format!("{}/leases", LEASES.root), &query).await?;
    let mut object = lease("a");
    object["metadata"]["labels"] = json!({"case": c.namespace});
    c.create(LEASES, &object).await?;
    let mut elsewhere = object.clone();
    elsewhere["metadata"]["name"] = json!(c.unique("b"));
    c.post(&format!("{}/namespaces/default/leases", LEASES.root), &elsewhere).await?.ok()?;
    watch.expect("ADDED", json!({"metadata": {"name": "a", "namespace": c.namespace}})).await?;
    watch.expect("ADDED", json!({"metadata": {"name": c.unique("b"), "namespace": "default"}})).await?;
    Ok(())
}

pub async fn every_watcher_sees_the_same_order(c: Cluster) -> Result<()> {
    const WATCHERS: usize = 10;
    const WRITES: usize = 20;
    let start = version(&c.create(LEASES, &lease("a")).await?)?;
    let path = c.all(LEASES);
    let query = format!("resourceVersion={start}&fieldSelector=metadata.name%3Da");
    let watches = futures::future::join_all((0..WATCHERS).map(|_| c.watch(&path, &query))).await;
    for turn in 0..WRITES {
        label(&c, "a", json!({"turn": turn.to_string()})).await?;
    }
    for watch in watches {
        let mut watch = watch?;
        for turn in 0..WRITES {
            watch.expect("MODIFIED", json!({"metadata": {"labels": {"turn": turn.to_string()}}})).await?;
        }
    }
    Ok(())
}

pub async fn a_forgotten_version_is_expired(c: Cluster) -> Result<()> {
    // Version 1 is older than any custom kind on any server.
    c.create(BACKUPS, &backup("a")).await?;
    let mut watch = c.watch(&c.all(BACKUPS), "resourceVersion=1").await?;
    watch
        .expect(
            "ERROR",
            json!({
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410,
            }),
        )
        .await?;
    watch.expect_end().await
}

pub async fn a_version_that_is_none_is_refused(c: Cluster) -> Result<()> {
    for path in [c.all(LEASES), c.all(BACKUPS)] {
        // 400 or 500, by the kind; what counts is that no watch begins.
        let answer = c.get(&format!("{path}?watch=true&resourceVersion=soon")).await?;
        ensure!(answer.code >= 400 && answer.body["kind"] == "Status", "{answer:?}");
    }
    Ok(())
}

pub async fn what_nobody_serves_cannot_be_watched(c: Cluster) -> Result<()> {
    let answer = c.get("/apis/nobody.example/v1/things?watch=true").await?;
    same("the code", answer.code, 404)
}

pub async fn a_finalizer_makes_deletion_two_events(c: Cluster) -> Result<()> {
    let mut object = lease("a");
    object["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let created = c.create(LEASES, &object).await?;
    let mut watch = c.watch(&c.all(LEASES), &format!("resourceVersion={}", version(&created)?)).await?;
    c.delete(&c.one(LEASES, "a"), json!({})).await?.ok()?;
    watch.expect("MODIFIED", json!({"metadata": {"deletionTimestamp": super::compare::PRESENT}})).await?;
    c.patch(&c.one(LEASES, "a"), MERGE, &json!({"metadata": {"finalizers": null}})).await?.ok()?;
    watch.expect("DELETED", json!({"metadata": {"name": "a"}})).await?;
    Ok(())
}
