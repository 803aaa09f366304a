//! Do kube's watcher and reflector stay right against the embedded server: streamed lists, selections, history that is gone, lost connections?

use std::time::Duration;

use futures::{Stream, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, ListParams, PartialObjectMeta, WatchEvent, WatchParams};
use kube::runtime::{WatchStreamExt as _, reflector, watcher};
use serde_json::{Value, json};
use testbed::api::{ApiServer, ServerOptions};

/// Longest wait for anything in here; only a failing test comes near it.
const LIMIT: Duration = Duration::from_secs(20);

async fn server(options: ServerOptions) -> ApiServer {
    ApiServer::start(options).await.expect("a server on loopback")
}

fn config_map(name: &str, labels: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "default", "name": name, "labels": labels}})
}

fn put(server: &ApiServer, object: Value) {
    server.put(object).expect("stored");
}

async fn next<T: std::fmt::Debug>(
    stream: &mut (impl Stream<Item = kube::Result<WatchEvent<T>>> + Unpin),
) -> (String, T) {
    let event = tokio::time::timeout(LIMIT, stream.next()).await.expect("an event in time");
    match event {
        Some(Ok(WatchEvent::Added(object))) => ("ADDED".into(), object),
        Some(Ok(WatchEvent::Modified(object))) => ("MODIFIED".into(), object),
        Some(Ok(WatchEvent::Deleted(object))) => ("DELETED".into(), object),
        other => panic!("expected an event of an object, got {other:?}"),
    }
}

#[tokio::test]
async fn objects_come_into_a_selection_and_leave_it() {
    let server = server(ServerOptions::default()).await;
    let maps: Api<ConfigMap> = Api::namespaced(server.client(), "default");
    put(&server, config_map("a", &json!({"in": "no"})));
    let version = server.store().revision().to_string();
    let mut watch = maps.watch(&WatchParams::default().labels("in=yes"), &version).await.expect("a watch").boxed();
    put(&server, config_map("a", &json!({"in": "yes"})));
    put(&server, config_map("a", &json!({"in": "yes", "more": "1"})));
    put(&server, config_map("a", &json!({"in": "no", "more": "2"})));
    put(&server, config_map("a", &json!({"in": "no", "more": "3"})));
    server.delete("v1", "ConfigMap", "default", "a").expect("deleted");
    put(&server, config_map("b", &json!({"in": "yes"})));
    let mut told = Vec::new();
    for _ in 0..4 {
        let (what, map) = next(&mut watch).await;
        let labels = map.metadata.labels.unwrap_or_default();
        told.push(format!("{what} {} {labels:?}", map.metadata.name.unwrap_or_default()));
    }
    let expected = [
        r#"ADDED a {"in": "yes"}"#,
        r#"MODIFIED a {"in": "yes", "more": "1"}"#,
        // It leaves as it last was inside.
        r#"DELETED a {"in": "yes", "more": "1"}"#,
        r#"ADDED b {"in": "yes"}"#,
    ];
    assert_eq!(told, expected);
}

/// Follows a reflector until its names are the wanted ones.
async fn settle(
    store: &reflector::Store<ConfigMap>,
    events: &mut (impl Stream<Item = watcher::Result<watcher::Event<ConfigMap>>> + Unpin),
    wanted: &[&str],
) {
    let reach = async {
        loop {
            let mut names: Vec<String> = store.state().iter().filter_map(|m| m.metadata.name.clone()).collect();
            names.sort();
            if names == wanted {
                return;
            }
            events.next().await.expect("a watcher never ends").ok();
        }
    };
    tokio::time::timeout(LIMIT, reach).await.unwrap_or_else(|_| panic!("never reached {wanted:?}"));
}

async fn reflect(config: watcher::Config) {
    let server = server(ServerOptions::default().history_events(10)).await;
    let maps: Api<ConfigMap> = Api::namespaced(server.client(), "default");
    put(&server, config_map("a", &json!({})));
    let (reader, writer) = reflector::store();
    let mut events = watcher(maps, config).default_backoff().reflect(writer).boxed();
    settle(&reader, &mut events, &["a"]).await;
    put(&server, config_map("b", &json!({})));
    settle(&reader, &mut events, &["a", "b"]).await;

    // The connection is cut and what happens meanwhile is still in the history.
    server.go_down().await;
    put(&server, config_map("c", &json!({})));
    server.come_back().await.expect("back on the same port");
    settle(&reader, &mut events, &["a", "b", "c"]).await;

    // Again, and the history is gone: 410, and a new list.
    server.go_down().await;
    server.delete("v1", "ConfigMap", "default", "a").expect("deleted");
    for i in 0..20 {
        put(&server, config_map("d", &json!({"i": i.to_string()})));
    }
    server.come_back().await.expect("back on the same port");
    settle(&reader, &mut events, &["b", "c", "d"]).await;
}

#[tokio::test]
async fn a_reflector_that_lists_and_watches_survives_cuts_and_compaction() {
    reflect(watcher::Config::default()).await;
}

#[tokio::test]
async fn a_reflector_with_streamed_lists_survives_cuts_and_compaction() {
    reflect(watcher::Config::default().streaming_lists()).await;
}

#[tokio::test]
async fn a_forgotten_version_is_expired_and_a_future_one_waits() {
    let server = server(ServerOptions::default()).await;
    let pods: Api<Pod> = Api::all(server.client());
    server.store().compact();
    let oldest = server.store().revision() - 1;
    let mut watch = pods.watch(&WatchParams::default(), &oldest.to_string()).await.expect("a watch").boxed();
    match tokio::time::timeout(LIMIT, watch.next()).await.expect("an answer in time") {
        Some(Ok(WatchEvent::Error(status))) => assert_eq!((status.code, status.reason.as_str()), (410, "Expired")),
        other => panic!("expected an ERROR event, got {other:?}"),
    }
    assert!(watch.try_next().await.expect("a clean end").is_none());

    let maps: Api<ConfigMap> = Api::all(server.client());
    let future = server.store().revision() + 1;
    let mut watch = maps.watch(&WatchParams::default(), &future.to_string()).await.expect("a watch").boxed();
    put(&server, config_map("too-early", &json!({})));
    put(&server, config_map("in-time", &json!({})));
    assert_eq!(next(&mut watch).await.1.metadata.name.as_deref(), Some("in-time"));
}

#[tokio::test]
async fn bookmarks_tell_of_progress_that_the_watch_does_not_show() {
    let server = server(ServerOptions::default()).await;
    let pods: Api<Pod> = Api::all(server.client());
    let params = WatchParams::default().timeout(1);
    let mut watch = pods.watch(&params, "0").await.expect("a watch").boxed();
    put(&server, config_map("elsewhere", &json!({})));
    let newest = server.store().revision().to_string();
    match tokio::time::timeout(LIMIT, watch.next()).await.expect("an event in time") {
        Some(Ok(WatchEvent::Bookmark(bookmark))) => assert_eq!(bookmark.metadata.resource_version, newest),
        other => panic!("expected a bookmark at the end, got {other:?}"),
    }
    assert!(watch.try_next().await.expect("a clean end").is_none());
}

#[tokio::test]
async fn metadata_alone_is_listed_watched_and_kept() {
    let server = server(ServerOptions::default()).await;
    let maps: Api<ConfigMap> = Api::namespaced(server.client(), "default");
    let mut map = config_map("a", &json!({"x": "y"}));
    map["data"] = json!({"large": "value"});
    put(&server, map);
    let list = maps.list_metadata(&ListParams::default()).await.expect("listed");
    let types = list.items[0].types.as_ref().expect("items say what they are");
    assert_eq!((types.kind.as_str(), types.api_version.as_str()), ("PartialObjectMetadata", "meta.k8s.io/v1"));
    assert_eq!(list.items[0].metadata.labels.as_ref().map(std::collections::BTreeMap::len), Some(1));

    let partial: Api<PartialObjectMeta<ConfigMap>> = Api::namespaced(server.client(), "default");
    let mut events = watcher(partial, watcher::Config::default()).applied_objects().boxed();
    let first = tokio::time::timeout(LIMIT, events.try_next()).await.expect("in time").expect("no error");
    assert_eq!(first.and_then(|m| m.metadata.name).as_deref(), Some("a"));
    put(&server, config_map("b", &json!({})));
    let second = tokio::time::timeout(LIMIT, events.try_next()).await.expect("in time").expect("no error");
    assert_eq!(second.and_then(|m| m.metadata.name).as_deref(), Some("b"));
}
