//! What do pre and post cost as in a pod: TLS, a signed token and RBAC, by a real kube-apiserver? Beside kubectl's calls there.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Client;
use kube::api::{Api, DeleteParams, PostParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shared::admission::{Admission, RoundPhase};
use shared::group_lease::GroupLease;
use shared::member_lease::MemberLease;
use shared::names::{LABEL_SNAPSHOT_GROUP, group_lease, member_lease};
use testbed::bench::samples::{Compared, Samples};
use testbed::bench::table::{Aim, Figure, Unit};
use testbed::control_plane::{BoundPod, ControlPlane};
use testbed::coordinator_process::CoordinatorProcess;

use crate::cost::{Costs, run};
use crate::hook::{PATIENCE, Place};
use crate::kubectl::{self, Kubectl};
use crate::release::agent;

/// How often pre and post run, each time beside kubectl's.
const RUNS: usize = 15;

/// How often the end of a round is looked for.
const LOOK: Duration = Duration::from_millis(10);

const POD: &str = "db-0";
const GROUP: &str = "bench";

/// Rounds close soon after their post hook, so that the next can begin.
const FLAGS: [&str; 2] = ["--round-idle", "100ms"];

/// Measures; no figures where no control plane can be had, which is said.
pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let Some(control_plane) = ControlPlane::shared().await else { return Ok(Vec::new()) };
    let client = control_plane.client().await;
    let namespace = control_plane.namespace("bench").await;
    let folder = std::env::temp_dir().join(format!("testbed-bench-{}", std::process::id()));
    let measured = beside_kubectl(control_plane, client, &namespace, &folder).await;
    // Left behind it is a few small files in the temporary folder.
    let _ = std::fs::remove_dir_all(&folder);
    measured
}

async fn beside_kubectl(
    control_plane: &ControlPlane,
    client: Client,
    namespace: &str,
    folder: &Path,
) -> anyhow::Result<Vec<Figure>> {
    ensure_velero(&client).await?;
    let coordinator = CoordinatorProcess::start(&control_plane.kubeconfig(), "coordinator", FLAGS);
    coordinator.line("leading", PATIENCE, |_| true).await;
    let place = pod(control_plane, &client, namespace, folder.join("pod")).await?;
    let kubectl = Kubectl::find(control_plane.kubeconfig(), folder.join("home-of-kubectl")).await?;
    let (mut ours, mut theirs) = (Costs::default(), Costs::default());
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), kubectl::NAMESPACE);
    create::<ConfigMap>(&client, Some(kubectl::NAMESPACE), Kubectl::proceed()).await?;
    for _run in 0..RUNS {
        if let Some(kubectl) = &kubectl {
            kubectl.forget()?;
            let (pre, post) = (kubectl.pre().await?, kubectl.post().await?);
            theirs.add(pre, post);
            maps.delete(kubectl::COMPLETE, &DeleteParams::default()).await.context("cleaning up")?;
        }
        let pre = run(place.hook("pre")).await?;
        let post = run(place.hook("post")).await?;
        ours.add(pre, post);
        closed(&client, namespace).await?;
    }
    let name = kubectl.map_or_else(String::new, |kubectl| format!("kubectl {}", kubectl.version));
    Ok(figures(ours, theirs, &name))
}

/// The pod, what it may do, and its projected files.
async fn pod(control_plane: &ControlPlane, client: &Client, namespace: &str, folder: PathBuf) -> anyhow::Result<Place> {
    let within = Some(namespace);
    create::<ServiceAccount>(client, within, json!({"metadata": {"name": "db"}})).await?;
    let verbs = ["get", "create", "patch", "watch"];
    let rules = json!([{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": verbs}]);
    create::<Role>(client, within, json!({"metadata": {"name": "hook-agent"}, "rules": rules})).await?;
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "hook-agent"});
    let subjects = json!([{"kind": "ServiceAccount", "name": "db", "namespace": namespace}]);
    let binding = json!({"metadata": {"name": "hook-agent"}, "roleRef": role, "subjects": subjects});
    create::<RoleBinding>(client, within, binding).await?;
    let pod = json!({"metadata": {"name": POD, "labels": {LABEL_SNAPSHOT_GROUP: GROUP}},
        "spec": {"serviceAccountName": "db", "containers": [{"name": "db", "image": "none"}]}});
    let pod = create::<Pod>(client, within, pod).await?;
    let uid = pod.metadata.uid.context("the API server gives uids")?;
    let token = control_plane.token(namespace, "db", Some(BoundPod { name: POD, uid: &uid })).await?;
    let address = control_plane.url().trim_start_matches("https://");
    let (host, port) = address.rsplit_once(':').context("an address with a port")?;
    let server = vec![("KUBERNETES_SERVICE_HOST", host.into()), ("KUBERNETES_SERVICE_PORT", port.into())];
    let place = Place { agent: agent()?, folder, server };
    place.mount(&token, GROUP)?;
    std::fs::copy(control_plane.authority(), place.folder.join("ca.crt")).context("copying the authority")?;
    Ok(place)
}

async fn ensure_velero(client: &Client) -> anyhow::Result<()> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    if namespaces.get_opt(kubectl::NAMESPACE).await?.is_none() {
        create::<Namespace>(client, None, json!({"metadata": {"name": kubectl::NAMESPACE}})).await?;
    }
    Ok(())
}

async fn create<K>(client: &Client, namespace: Option<&str>, object: Value) -> anyhow::Result<K>
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned + serde::Serialize,
{
    let text = object.to_string();
    let kind = K::url_path(&(), namespace);
    let request = kube::core::Request::new(kind).create(&PostParams::default(), text.into_bytes())?;
    client.request(request).await.with_context(|| format!("creating {object}"))
}

/// Waits until the round is closed, and checks that the member was released in it.
async fn closed(client: &Client, namespace: &str) -> anyhow::Result<()> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), namespace);
    let end = Instant::now() + PATIENCE;
    let name = group_lease(&GROUP.parse()?);
    loop {
        let group = leases.get_opt(name.as_str()).await?;
        if group.is_some_and(|group| GroupLease::decode(&group).is_ok_and(|g| g.phase == RoundPhase::Closed)) {
            break;
        }
        ensure!(Instant::now() < end, "the round does not close");
        tokio::time::sleep(LOOK).await;
    }
    let member = MemberLease::decode(&leases.get(member_lease(&POD.parse()?)?.as_str()).await?)?;
    ensure!(member.admission == Some(Admission::Released), "pre was not released but {:?}", member.admission);
    Ok(())
}

fn figures(ours: Costs, theirs: Costs, kubectl: &str) -> Vec<Figure> {
    let figure = |what: &str, unit, ours, theirs: Vec<f64>, compared, aim| Figure {
        what: format!("{what}, real kube-apiserver, TLS"),
        unit,
        ours: Samples::of(ours),
        baseline: (!theirs.is_empty()).then(|| (kubectl.to_owned(), Samples::of(theirs))),
        compared,
        aim,
    };
    let memory = Aim::AtMost { first: 10.0, last: 8.0 };
    vec![
        figure("Wall time of pre", Unit::Ms, ours.pre_ms, theirs.pre_ms, Compared::Median, Aim::Known),
        figure("Wall time of post", Unit::Ms, ours.post_ms, theirs.post_ms, Compared::Median, Aim::Known),
        figure("Peak memory of pre, post (VmHWM)", Unit::Mb, ours.peak_mb, theirs.peak_mb, Compared::P99, memory),
    ]
}
