//! How do hooks run here? As in a pod: with the pod's own token, and without a kubeconfig.

use std::process::Stdio;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use testbed::binaries::hook_agent;
use testbed::control_plane::BoundPod;
use testbed::velero::cluster::{PODINFO_PATH, TOKEN_PATH, Workload};
use testbed::velero::hook_calls::HookPhase;
use tokio::process::{Child, Command};

use crate::cluster::{Installed, SHOP, SHOP_ACCOUNT, text};

/// Velero's timeout of the hooks: far more than a round takes.
const TIMEOUT: Duration = Duration::from_mins(1);

/// What Kubernetes sets in every container, and where the authority is.
pub fn in_cluster(installed: &Installed) -> Vec<(String, String)> {
    let url = installed.control_plane.url().trim_start_matches("https://");
    let (host, port) = url.rsplit_once(':').expect("an address with a port");
    let authority = text(installed.control_plane.authority());
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![pair("KUBERNETES_SERVICE_HOST", host), pair("KUBERNETES_SERVICE_PORT", port), pair("CA_FILE", authority)]
}

/// Two pods whose labels are mounted and whose hooks run the agent.
pub fn workload(name: &str) -> Workload {
    let agent = text(hook_agent());
    Workload::stateful_set(SHOP, name, 2)
        .service_account(SHOP_ACCOUNT)
        .hook(HookPhase::Pre, &[agent, "pre", "--hook-timeout", "60s"], "Fail", TIMEOUT)
        .hook(HookPhase::Post, &[agent, "post"], "Fail", TIMEOUT)
        .token()
        .env("TOKEN_FILE", &format!("{TOKEN_PATH}/token"))
        .env("PODINFO_DIR", PODINFO_PATH)
        .env("QUIESCE", "none")
}

/// How a hook ended.
pub struct Ended {
    pub code: Option<i32>,
    pub said: String,
}

impl Installed {
    /// A `pre` in the pod `db-0` that does not mount its labels, and that fails rather than goes on unheard.
    pub async fn pre(&self) -> Child {
        let pod = Api::<Pod>::namespaced(self.client.clone(), SHOP).get("db-0").await.expect("the pod");
        let uid = pod.metadata.uid.expect("a uid");
        let bound = Some(BoundPod { name: "db-0", uid: &uid });
        let token = self.control_plane.token(SHOP, SHOP_ACCOUNT, bound).await.expect("a token");
        let token = self.write("db-0.token", &token);
        let mut command = Command::new(hook_agent());
        command.arg("pre").env_clear().envs(in_cluster(self)).env("TOKEN_FILE", text(&token));
        command.envs([("HOOK_TIMEOUT", "30s"), ("ON_UNREACHABLE", "fail")]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command.spawn().expect("the hook-agent starts")
    }
}

/// Waits for a hook's end.
pub async fn ended(hook: Child) -> Ended {
    let output = tokio::time::timeout(TIMEOUT, hook.wait_with_output()).await.expect("it ends").expect("it ran");
    let said = [output.stdout, output.stderr].concat();
    Ended { code: output.status.code(), said: String::from_utf8_lossy(&said).into_owned() }
}
