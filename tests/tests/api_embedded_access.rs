//! Who gets in, what is counted, which groups are there, and how is a long list paged?

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;
use testbed::api::{ApiServer, ServerOptions};

async fn server(options: ServerOptions) -> ApiServer {
    ApiServer::start(options).await.expect("a server on loopback")
}

fn put_pod(server: &ApiServer, name: &str) {
    let containers = json!([{"name": "c", "image": "i"}]);
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default", "name": name}, "spec": {"containers": containers, "nodeName": "n"}});
    server.put(pod).expect("stored");
}

fn status(result: Result<impl std::fmt::Debug, kube::Error>) -> u16 {
    match result {
        Err(kube::Error::Api(status)) => status.code,
        other => panic!("expected a refusal by the server, got {other:?}"),
    }
}

#[tokio::test]
async fn tokens_are_told_apart_counted_and_revoked() {
    let server = server(ServerOptions::default()).await;
    put_pod(&server, "p");
    let uid = server.get("v1", "Pod", "default", "p").expect("stored").uid().to_owned();
    let token = server.token_for_pod("default", "agent", "p", &uid);
    let pods: Api<Pod> = Api::namespaced(server.client_with_token(&token), "default");
    pods.get("p").await.expect("known");
    pods.get("p").await.expect("known");
    let user = "system:serviceaccount:default:agent";
    assert_eq!(server.request_log().by_user().get(user), Some(&2));
    let last = server.requests().pop().expect("a record");
    assert_eq!(
        (last.verb, last.resource, last.name.as_str(), last.user.as_str(), last.status),
        ("get", "pods", "p", user, 200)
    );
    server.revoke_token(&token);
    assert_eq!(status(pods.get("p").await), 401);
    assert_eq!(server.requests().pop().map(|r| r.status), Some(401));
    server.request_log().clear();
    assert!(server.requests().is_empty() && server.request_log().by_user().is_empty());
}

#[tokio::test]
async fn a_kubeconfig_leads_in_and_no_token_may_be_refused() {
    let server = server(ServerOptions::default().without_anonymous()).await;
    let dir = std::env::temp_dir().join(format!("embedded-kubeconfig-{}", std::process::id()));
    let path = server.write_kubeconfig(&dir);
    let kubeconfig = Kubeconfig::read_from(&path).expect("a kubeconfig");
    let config =
        kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("a config");
    let pods: Api<Pod> = Api::default_namespaced(kube::Client::try_from(config).expect("a client"));
    pods.list(&ListParams::default()).await.expect("let in");
    let nobody = kube::Config::new(server.url().parse().expect("a uri"));
    let pods: Api<Pod> = Api::default_namespaced(kube::Client::try_from(nobody).expect("a client"));
    assert_eq!(status(pods.list(&ListParams::default()).await), 401);
    std::fs::remove_dir_all(dir).expect("removed");
}

#[tokio::test]
async fn a_group_is_absent_until_it_is_installed() {
    let server = server(ServerOptions::default().without_group("velero.io")).await;
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("velero.io", "v1", "Backup"));
    let backups: Api<DynamicObject> = Api::namespaced_with(server.client(), "velero", &kind);
    assert_eq!(status(backups.list(&ListParams::default()).await), 404);
    let groups = |server: &ApiServer| {
        let client = server.client();
        async move {
            client.list_api_groups().await.expect("discovery").groups.into_iter().map(|g| g.name).collect::<Vec<_>>()
        }
    };
    assert!(!groups(&server).await.contains(&"velero.io".to_owned()));
    server.install_group("velero.io");
    assert!(backups.list(&ListParams::default()).await.expect("served").items.is_empty());
    assert!(groups(&server).await.contains(&"velero.io".to_owned()));
}

#[tokio::test]
async fn pages_are_of_one_revision() {
    let server = server(ServerOptions::default()).await;
    for i in 0..5 {
        put_pod(&server, &format!("p{i}"));
    }
    let pods: Api<Pod> = Api::all(server.client());
    let mut params = ListParams::default().limit(2);
    let mut names = Vec::new();
    loop {
        let page = pods.list(&params).await.expect("a page");
        names.extend(page.items.into_iter().filter_map(|p| p.metadata.name));
        // What happens between two pages is not in the later one.
        server.delete("v1", "Pod", "default", "p4").expect("no error");
        put_pod(&server, "p9");
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => break,
        }
    }
    assert_eq!(names, ["p0", "p1", "p2", "p3", "p4"]);
    let first = pods.list(&ListParams::default().limit(1)).await.expect("a page");
    server.store().compact();
    put_pod(&server, "p5");
    let later = ListParams { continue_token: first.metadata.continue_, limit: Some(1), ..ListParams::default() };
    pods.list(&later).await.expect("kept from the compaction on");
    server.store().compact();
    assert_eq!(status(pods.list(&later).await), 410);
}
