//! Every case of the conformance suite against both servers: `cargo test --test api_conformance real::watches`.

use anyhow::Result;
use std::sync::Arc;
use testbed::api::{ApiServer, ServerOptions};
use testbed::conformance::{self, Cluster, Mint, PodToken};
use testbed::control_plane::{BoundPod, ControlPlane};
use testbed::kubectl;

/// Whether this case can be tried: kubectl's need a kubectl, and say so when there is none.
fn can_be_tried(name: &str) -> bool {
    !name.starts_with("kubectl::") || kubectl::is_there(name)
}

async fn on_the_real_one(name: &str) -> Result<()> {
    let Some(control_plane) = ControlPlane::shared().await else { return Ok(()) };
    if !can_be_tried(name) {
        return Ok(());
    }
    let namespace = control_plane.namespace(name.rsplit(':').next().unwrap_or(name)).await;
    let mint: Mint = Arc::new(move |PodToken { namespace, service_account, pod, pod_uid }| {
        Box::pin(async move {
            let bound = BoundPod { name: &pod, uid: &pod_uid };
            Ok(control_plane.token(&namespace, &service_account, Some(bound)).await?)
        })
    });
    conformance::run(name, Cluster::open(control_plane.kubeconfig(), namespace, mint).await?).await
}

async fn on_the_embedded_one(name: &str) -> Result<()> {
    if !can_be_tried(name) {
        return Ok(());
    }
    // One each: it is up in no time, and lives on the test's own runtime.
    let server = ApiServer::start(ServerOptions::default()).await?;
    let folder =
        std::env::temp_dir().join(format!("testbed-conformance-{}-{}", std::process::id(), name.replace("::", "-")));
    tokio::fs::create_dir_all(&folder).await?;
    let kubeconfig = server.write_kubeconfig(&folder);
    let server = Arc::new(server);
    let mint: Mint = {
        let server = Arc::clone(&server);
        Arc::new(move |PodToken { namespace, service_account, pod, pod_uid }| {
            let token = server.token_for_pod(&namespace, &service_account, &pod, &pod_uid);
            Box::pin(std::future::ready(Ok(token)))
        })
    };
    let cluster = Cluster::open(kubeconfig, "conformance".to_owned(), mint).await?;
    let namespace = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "conformance"}});
    cluster.post("/api/v1/namespaces", &namespace).await?.ok()?;
    let outcome = conformance::run(name, cluster).await;
    tokio::fs::remove_dir_all(&folder).await?;
    outcome
}

macro_rules! as_tests {
    (both { $($group:ident { $($case:ident)* })* } embedded { $($own_group:ident { $($own_case:ident)* })* }) => {
        mod embedded {
            $(mod $group { $(
                #[tokio::test]
                async fn $case() -> anyhow::Result<()> {
                    crate::on_the_embedded_one(concat!(stringify!($group), "::", stringify!($case))).await
                }
            )* })*
            $(mod $own_group { $(
                #[tokio::test]
                async fn $own_case() -> anyhow::Result<()> {
                    crate::on_the_embedded_one(concat!(stringify!($own_group), "::", stringify!($own_case))).await
                }
            )* })*
        }

        mod real {
            $(mod $group { $(
                #[tokio::test]
                async fn $case() -> anyhow::Result<()> {
                    crate::on_the_real_one(concat!(stringify!($group), "::", stringify!($case))).await
                }
            )* })*
        }
    };
}

testbed::conformance_cases!(as_tests);
