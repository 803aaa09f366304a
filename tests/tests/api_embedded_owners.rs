//! Does the embedded server collect what belongs to nobody any more: background, foreground, orphans, absent owners, namespaces?

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, PropagationPolicy};
use kube::runtime::wait::{await_condition, conditions};
use serde_json::{Value, json};
use testbed::api::{ApiServer, ServerOptions};

/// Longest wait for anything in here; only a failing test comes near it.
const LIMIT: Duration = Duration::from_secs(10);

struct Bed {
    server: ApiServer,
    maps: Api<ConfigMap>,
}

impl Bed {
    async fn start(options: ServerOptions) -> Self {
        let server = ApiServer::start(options).await.expect("a server on loopback");
        let maps = Api::namespaced(server.client(), "default");
        Self { server, maps }
    }

    async fn create(&self, name: &str, owners: &Value) -> ConfigMap {
        let map = json!({"metadata": {"name": name, "ownerReferences": owners}});
        let map = serde_json::from_value(map).expect("a config map");
        self.maps.create(&PostParams::default(), &map).await.expect("created")
    }

    async fn gone(&self, map: &ConfigMap) {
        let (name, uid) = (map.metadata.name.as_deref().expect("a name"), map.metadata.uid.as_deref().expect("a uid"));
        let gone = await_condition(self.maps.clone(), name, conditions::is_deleted(uid));
        tokio::time::timeout(LIMIT, gone).await.unwrap_or_else(|_| panic!("{name} is still there")).expect("watched");
    }

    async fn delete(&self, name: &str, policy: PropagationPolicy) {
        let params = DeleteParams { propagation_policy: Some(policy), ..DeleteParams::default() };
        self.maps.delete(name, &params).await.expect("deleted");
    }
}

fn owner(map: &ConfigMap) -> Value {
    let metadata = &map.metadata;
    json!({"apiVersion": "v1", "kind": "ConfigMap", "name": metadata.name, "uid": metadata.uid, "blockOwnerDeletion": true})
}

#[tokio::test]
async fn dependents_go_after_before_or_never() {
    let bed = Bed::start(ServerOptions::default()).await;
    for (policy, stays) in [
        (PropagationPolicy::Background, false),
        (PropagationPolicy::Foreground, false),
        (PropagationPolicy::Orphan, true),
    ] {
        let parent = bed.create("parent", &json!([])).await;
        let child = bed.create("child", &json!([owner(&parent)])).await;
        let grandchild = bed.create("grandchild", &json!([owner(&child)])).await;
        bed.delete("parent", policy.clone()).await;
        bed.gone(&parent).await;
        if stays {
            let orphan = bed.maps.get("child").await.expect("an orphan stays");
            assert_eq!(orphan.metadata.owner_references, None);
        } else {
            bed.gone(&child).await;
            bed.gone(&grandchild).await;
        }
    }
}

#[tokio::test]
async fn a_foreground_deletion_waits_for_what_blocks_it() {
    let bed = Bed::start(ServerOptions::default()).await;
    let parent = bed.create("parent", &json!([])).await;
    let child = bed.create("child", &json!([owner(&parent)])).await;
    let hold = Patch::Merge(json!({"metadata": {"finalizers": ["example.com/hold"]}}));
    bed.maps.patch("child", &PatchParams::default(), &hold).await.expect("held");
    bed.delete("parent", PropagationPolicy::Foreground).await;
    let marked = await_condition(bed.maps.clone(), "child", |map: Option<&ConfigMap>| {
        map.is_some_and(|m| m.metadata.deletion_timestamp.is_some())
    });
    tokio::time::timeout(LIMIT, marked).await.expect("marked in time").expect("watched");
    assert!(bed.maps.get("parent").await.expect("still there").metadata.deletion_timestamp.is_some());
    let release = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    bed.maps.patch("child", &PatchParams::default(), &release).await.expect("released");
    bed.gone(&child).await;
    bed.gone(&parent).await;
}

#[tokio::test]
async fn who_is_born_without_its_owner_goes_and_who_keeps_one_stays() {
    let bed = Bed::start(ServerOptions::default()).await;
    let parent = bed.create("parent", &json!([])).await;
    let absent = json!({"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "no-such-uid"});
    let orphan = bed.create("orphan", &json!([absent])).await;
    bed.gone(&orphan).await;
    // The same uid under another name is no owner either.
    let mut misnamed = owner(&parent);
    misnamed["name"] = "another".into();
    let stray = bed.create("stray", &json!([misnamed])).await;
    bed.gone(&stray).await;
    bed.create("half", &json!([owner(&parent), absent])).await;
    let trimmed = await_condition(bed.maps.clone(), "half", |map: Option<&ConfigMap>| {
        map.and_then(|m| m.metadata.owner_references.as_ref()).is_some_and(|r| r.len() == 1)
    });
    tokio::time::timeout(LIMIT, trimmed).await.expect("trimmed in time").expect("watched");
    // A kind that the server does not know cannot be looked up, so nothing happens.
    let foreign = json!({"apiVersion": "example.com/v1", "kind": "Thing", "name": "t", "uid": "u"});
    bed.create("foreign", &json!([foreign])).await;
    let last = bed.create("last", &json!([absent])).await;
    bed.gone(&last).await;
    assert!(bed.maps.get("foreign").await.is_ok());
}

#[tokio::test]
async fn a_namespace_takes_its_content_along() {
    let bed = Bed::start(ServerOptions::default().with_namespace("team")).await;
    let namespaces: Api<Namespace> = Api::all(bed.server.client());
    let maps: Api<ConfigMap> = Api::namespaced(bed.server.client(), "team");
    let held = json!({"metadata": {"name": "held", "finalizers": ["example.com/hold"]}});
    let held: ConfigMap = serde_json::from_value(held).expect("a config map");
    maps.create(&PostParams::default(), &held).await.expect("created");
    let uid = namespaces.get("team").await.expect("there").metadata.uid.expect("a uid");
    namespaces.delete("team", &DeleteParams::default()).await.expect("deleted");
    let late: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "late"}})).expect("a config map");
    match maps.create(&PostParams::default(), &late).await {
        Err(kube::Error::Api(status)) => assert_eq!((status.code, status.reason.as_str()), (403, "Forbidden")),
        other => panic!("expected a refusal, got {other:?}"),
    }
    let release = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    maps.patch("held", &PatchParams::default(), &release).await.expect("released");
    let gone = await_condition(namespaces.clone(), "team", conditions::is_deleted(&uid));
    tokio::time::timeout(LIMIT, gone).await.expect("gone in time").expect("watched");
    assert!(namespaces.delete("default", &DeleteParams::default()).await.is_err());
}

#[tokio::test]
async fn nothing_is_collected_when_collection_is_off() {
    let bed = Bed::start(ServerOptions::default().without_garbage_collection()).await;
    let parent = bed.create("parent", &json!([])).await;
    bed.create("child", &json!([owner(&parent)])).await;
    bed.delete("parent", PropagationPolicy::Foreground).await;
    assert!(bed.maps.get("parent").await.expect("only marked").metadata.deletion_timestamp.is_some());
    assert!(bed.maps.get("child").await.is_ok());
}
