//! kube's own machinery over the server: typed objects, watcher, reflector, events.

use super::cluster::{Cluster, LEASES, MERGE};
use super::compare::same;
use super::samples::lease;
use super::wire::Wire;
use anyhow::{Context, Result};
use futures::{Stream, StreamExt};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use kube::api::{ListParams, PartialObjectMeta, Patch, PatchParams, PostParams};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, ResourceExt};
use serde_json::json;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

/// Until kube's machinery has noticed something; it backs off for up to a second after a cut.
const NOTICED_TIMEOUT: Duration = Duration::from_secs(30);

/// Feeds the stream until the condition holds.
async fn until<T>(
    stream: &mut (impl Stream<Item = watcher::Result<T>> + Unpin),
    what: &str,
    mut condition: impl FnMut(T) -> bool,
) -> Result<()> {
    let look = async {
        while let Some(item) = stream.next().await {
            // Errors are what a cut looks like; the stream goes on by itself.
            if let Ok(item) = item
                && condition(item)
            {
                return Ok(());
            }
        }
        anyhow::bail!("the stream ended before {what}")
    };
    tokio::time::timeout(NOTICED_TIMEOUT, look).await.with_context(|| format!("not seen in time: {what}"))?
}

fn server_address(c: &Cluster) -> Result<SocketAddr> {
    let address = c.url.split_once("://").context("no URL")?.1;
    Ok(address.parse()?)
}

async fn mirror(c: Cluster, config: watcher::Config) -> Result<()> {
    let wire = Wire::to(server_address(&c)?).await?;
    let api: Api<Lease> = Api::namespaced(wire.client(&c.kubeconfig).await?, &c.namespace);
    c.create(LEASES, &lease("stays")).await?;
    c.create(LEASES, &lease("goes")).await?;
    let (reader, writer) = reflector::store();
    let stream = watcher(api, config).default_backoff().reflect(writer);
    let mut stream = pin!(stream);
    let holds = |names: &[&str]| {
        let mut found: Vec<String> = reader.state().iter().map(|lease| lease.name_any()).collect();
        found.sort();
        found == names
    };
    until(&mut stream, "the first list", |_| holds(&["goes", "stays"])).await?;
    wire.cut();
    // While nobody listens: one goes, one comes, one changes.
    c.delete(&c.one(LEASES, "goes"), json!({})).await?.ok()?;
    c.create(LEASES, &lease("comes")).await?;
    let change = json!({"metadata": {"labels": {"turn": "2"}}});
    c.patch(&c.one(LEASES, "stays"), MERGE, &change).await?.ok()?;
    let turned = || reader.state().iter().any(|lease| lease.labels().get("turn").is_some_and(|turn| turn == "2"));
    until(&mut stream, "what happened during the cut", |_| holds(&["comes", "stays"]) && turned()).await?;
    // And twice more, with nothing lost in between.
    wire.cut();
    c.create(LEASES, &lease("d")).await?;
    until(&mut stream, "the second cut", |_| holds(&["comes", "d", "stays"])).await?;
    wire.cut();
    c.create(LEASES, &lease("e")).await?;
    until(&mut stream, "the third cut", |_| holds(&["comes", "d", "e", "stays"])).await
}

pub async fn a_reflector_survives_cut_connections(c: Cluster) -> Result<()> {
    mirror(c, watcher::Config::default()).await
}

pub async fn a_streaming_reflector_survives_cut_connections(c: Cluster) -> Result<()> {
    mirror(c, watcher::Config::default().streaming_lists()).await
}

pub async fn one_object_is_watched_from_absence_to_deletion(c: Cluster) -> Result<()> {
    let api: Api<Lease> = Api::namespaced(c.client.clone(), &c.namespace);
    let mut stream = pin!(kube::runtime::watcher::watch_object(api, "a"));
    until(&mut stream, "absence", |object| object.is_none()).await?;
    c.create(LEASES, &lease("b")).await?;
    c.create(LEASES, &lease("a")).await?;
    until(&mut stream, "creation", |object| object.is_some_and(|object| object.name_any() == "a")).await?;
    c.delete(&c.one(LEASES, "a"), json!({})).await?.ok()?;
    until(&mut stream, "deletion", |object| object.is_none()).await
}

pub async fn typed_leases_go_both_ways(c: Cluster) -> Result<()> {
    let api: Api<Lease> = Api::namespaced(c.client.clone(), &c.namespace);
    let wanted: Lease = serde_json::from_value(json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "a", "labels": {"x": "y"}},
        "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15, "leaseTransitions": 3,
                 "renewTime": "2026-01-02T03:04:05.678901Z", "acquireTime": "2026-01-02T03:04:05.000000Z"},
    }))?;
    let applied = api.patch("a", &PatchParams::apply("me").force(), &Patch::Apply(&wanted)).await?;
    same("spec", &applied.spec, &wanted.spec)?;
    let mut next = api.get("a").await?;
    next.spec.get_or_insert_default().lease_transitions = Some(4);
    let stale = next.clone();
    api.replace("a", &PostParams::default(), &next).await?;
    match api.replace("a", &PostParams::default(), &stale).await {
        Err(kube::Error::Api(status)) => same("the code", (status.code, status.reason.as_str()), (409, "Conflict"))?,
        outcome => anyhow::bail!("a stale replace gave {outcome:?}"),
    }
    same("absent", api.get_opt("b").await?.is_none(), true)
}

pub async fn metadata_alone_is_read_and_patched(c: Cluster) -> Result<()> {
    let created = c.create(super::cluster::PODS, &super::samples::pod("a")).await?;
    let api: Api<Pod> = Api::namespaced(c.client.clone(), &c.namespace);
    let patch = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "a", "uid": created["metadata"]["uid"], "labels": {"velero.io/snapshot-group": "g1"}},
    });
    let labelled = api.patch_metadata("a", &PatchParams::apply("me"), &Patch::Apply(&patch)).await?;
    same("the label", labelled.labels().get("velero.io/snapshot-group").map(String::as_str), Some("g1"))?;
    let patch = json!({"metadata": {"annotations": {"note": "x"}}});
    let noted = api.patch_metadata("a", &PatchParams::default(), &Patch::Merge(&patch)).await?;
    same("the note", noted.annotations().get("note").map(String::as_str), Some("x"))?;
    let read = api.get_metadata("a").await?;
    same("the metadata", &read.metadata, &noted.metadata)?;
    let listed = api.list_metadata(&ListParams::default()).await?;
    same("the list", listed.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), vec!["a".to_owned()])?;
    let api: Api<PartialObjectMeta<Pod>> = Api::namespaced(c.client.clone(), &c.namespace);
    let mut stream = pin!(watcher(api, watcher::Config::default()).applied_objects());
    until(&mut stream, "the metadata", |object| object.annotations().get("note").is_some_and(|note| note == "x")).await
}

pub async fn a_recorder_publishes_events(c: Cluster) -> Result<()> {
    let backup = c.create(super::cluster::BACKUPS, &super::samples::backup("a")).await?;
    let about = ObjectReference {
        api_version: Some("velero.io/v1".to_owned()),
        kind: Some("Backup".to_owned()),
        name: Some("a".to_owned()),
        namespace: Some(c.namespace.clone()),
        uid: backup["metadata"]["uid"].as_str().map(str::to_owned),
        ..ObjectReference::default()
    };
    let reporter = Reporter { controller: "coordinator".to_owned(), instance: Some("one".to_owned()) };
    let recorder = Recorder::new(c.client.clone(), reporter);
    let event = Event {
        type_: EventType::Normal,
        reason: "Released".to_owned(),
        note: Some("group g1 was released".to_owned()),
        action: "Release".to_owned(),
        secondary: None,
    };
    // The second is folded into the first as a series.
    recorder.publish(&event, &about).await?;
    recorder.publish(&event, &about).await?;
    let path = format!("/apis/events.k8s.io/v1/namespaces/{}/events", c.namespace);
    c.get(&path).await?.is(
        200,
        json!({"items": [{
            "reason": "Released", "note": "group g1 was released", "action": "Release", "type": "Normal",
            "reportingController": "coordinator", "regarding": {"kind": "Backup", "name": "a"}, "series": {"count": 2},
        }]}),
    )?;
    Ok(())
}
