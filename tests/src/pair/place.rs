//! Which API server does a pair stand on, and how do its programs reach it?

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{Api, PostParams};
use kube::{Client, ResourceExt as _};
use serde_json::json;

use super::hooks::HookPlan;
use crate::api::{ApiServer, ServerOptions};
use crate::control_plane::ControlPlane;
use crate::real_velero::{NODE, RealBed};
use crate::velero::backup::VELERO_NAMESPACE;
use crate::velero::cluster::Workload;
use crate::velero::kubelet::TokenSource;

/// What the hook-agent's help tells users to allow.
const LEASE_VERBS: [&str; 4] = ["get", "create", "patch", "watch"];

/// An API server and the namespaces that this pair has on it.
#[derive(Clone)]
pub enum Place {
    /// In this process, for this pair alone.
    Embedded(Arc<ApiServer>),
    /// A real kube-apiserver, shared with others.
    Real {
        /// It.
        control_plane: &'static ControlPlane,
        /// Where Velero and the coordinator are.
        system: String,
        /// Prefix of the namespaces with workloads.
        prefix: String,
    },
    /// A real kube-apiserver for this pair alone, with what a real Velero needs beside it.
    Bed(Arc<RealBed>),
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded(server) => write!(f, "embedded at {}", server.url()),
            Self::Bed(bed) => write!(f, "{} with a real Velero", bed.control_plane.url()),
            Self::Real { control_plane, system, .. } => write!(f, "{} namespace {system}", control_plane.url()),
        }
    }
}

impl Place {
    /// A new embedded server.
    pub async fn embedded() -> anyhow::Result<Self> {
        Ok(Self::Embedded(Arc::new(ApiServer::start(ServerOptions::default()).await?)))
    }

    /// The real control plane; `None` where none can be had, which was said then.
    pub async fn real(test: &str) -> Option<Self> {
        let control_plane = ControlPlane::shared().await?;
        let system = control_plane.namespace(test).await;
        Some(Self::Real { control_plane, prefix: format!("{system}-"), system })
    }

    /// A bed for a real Velero, inside of [`crate::isolated::run`].
    pub async fn bed() -> anyhow::Result<Self> {
        Ok(Self::Bed(Arc::new(RealBed::start().await?)))
    }

    /// The administrator's client.
    pub async fn client(&self) -> Client {
        match self {
            Self::Embedded(server) => server.client(),
            Self::Real { control_plane, .. } => control_plane.client().await,
            Self::Bed(bed) => bed.control_plane.client().await,
        }
    }

    /// The namespace of Velero and of the coordinator.
    pub fn system_namespace(&self) -> &str {
        match self {
            Self::Embedded(_) | Self::Bed(_) => VELERO_NAMESPACE,
            Self::Real { system, .. } => system,
        }
    }

    /// The namespace that a test calls `name`.
    pub fn namespace(&self, name: &str) -> String {
        match self {
            Self::Embedded(_) | Self::Bed(_) => name.to_owned(),
            Self::Real { prefix, .. } => format!("{prefix}{name}"),
        }
    }

    /// A kubeconfig for a program; on the embedded server as a user of this name, so that faults can strike it alone.
    pub fn kubeconfig(&self, folder: &Path, user: &str) -> anyhow::Result<PathBuf> {
        match self {
            Self::Embedded(server) => {
                let dir = folder.join(user);
                std::fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
                Ok(server.write_kubeconfig_for(&dir, user, &server.token_for_user(user)))
            }
            Self::Real { control_plane, .. } => Ok(control_plane.kubeconfig()),
            Self::Bed(bed) => Ok(bed.control_plane.kubeconfig()),
        }
    }

    /// Where the pods' tokens come from.
    pub fn tokens(&self) -> TokenSource {
        match self {
            Self::Embedded(server) => {
                let server = Arc::clone(server);
                TokenSource::mint(move |pod| {
                    server.token_for_pod(&pod.namespace, &pod.service_account, &pod.name, &pod.uid)
                })
            }
            Self::Real { .. } | Self::Bed(_) => TokenSource::TokenRequest,
        }
    }

    /// The workload with hooks as this place's kubelet runs them.
    pub fn dressed(&self, workload: Workload, hooks: &HookPlan) -> Workload {
        match self {
            Self::Bed(_) => hooks.onto_node(workload, NODE),
            Self::Embedded(_) | Self::Real { .. } => hooks.onto(workload),
        }
    }

    /// Lets the pods of a namespace do what the hook-agent needs, and no more. The embedded server knows no rights.
    pub async fn allow_hooks(&self, client: &Client, namespace: &str) -> anyhow::Result<()> {
        if matches!(self, Self::Embedded(_)) {
            return Ok(());
        }
        let role: Role = serde_json::from_value(json!({"metadata": {"name": "hook-agent"}, "rules": [
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": LEASE_VERBS},
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
        ]}))?;
        let binding: RoleBinding = serde_json::from_value(json!({
            "metadata": {"name": "hook-agent"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role.name_any()},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
        }))?;
        let there = |error: &kube::Error| matches!(error, kube::Error::Api(status) if status.code == 409);
        let post = PostParams::default();
        let made = Api::namespaced(client.clone(), namespace).create(&post, &role).await;
        made.map(drop).or_else(|e| if there(&e) { Ok(()) } else { Err(e) }).context("the hooks' Role")?;
        let bound = Api::namespaced(client.clone(), namespace).create(&post, &binding).await;
        bound.map(drop).or_else(|e| if there(&e) { Ok(()) } else { Err(e) }).context("the hooks' RoleBinding")
    }
}
