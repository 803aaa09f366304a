//! One API server as a case sees it: requests with their exact answers, and nothing of kube's own interpretation.

use super::compare::subset;
use super::watching::Watching;
use anyhow::{Context, Result, bail};
use axum::http::{Method, Request, StatusCode};
use futures::future::BoxFuture;
use kube::Client;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// Where one kind is served.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Such as `/apis/coordination.k8s.io/v1`.
    pub root: &'static str,
    /// Such as `leases`.
    pub plural: &'static str,
}

/// The protocol's own kind; no status subresource, spec validated.
pub const LEASES: Kind = Kind { root: "/apis/coordination.k8s.io/v1", plural: "leases" };
/// No status, no generation, updates need no resourceVersion.
pub const CONFIG_MAPS: Kind = Kind { root: "/api/v1", plural: "configmaps" };
/// Status subresource, field selectors.
pub const PODS: Kind = Kind { root: "/api/v1", plural: "pods" };
/// Status subresource, namespaced.
pub const CLAIMS: Kind = Kind { root: "/api/v1", plural: "persistentvolumeclaims" };
/// Status subresource, cluster-scoped.
pub const VOLUMES: Kind = Kind { root: "/api/v1", plural: "persistentvolumes" };
/// Status subresource, counted generation.
pub const STATEFUL_SETS: Kind = Kind { root: "/apis/apps/v1", plural: "statefulsets" };
/// Neither spec nor status; only its series may change.
pub const EVENTS: Kind = Kind { root: "/apis/events.k8s.io/v1", plural: "events" };
/// A custom kind without status subresource.
pub const BACKUPS: Kind = Kind { root: "/apis/velero.io/v1", plural: "backups" };
/// A custom kind with status subresource, namespaced.
pub const SNAPSHOTS: Kind = Kind { root: "/apis/snapshot.storage.k8s.io/v1", plural: "volumesnapshots" };
/// A custom kind with status subresource, cluster-scoped.
pub const SNAPSHOT_CONTENTS: Kind = Kind { root: "/apis/snapshot.storage.k8s.io/v1", plural: "volumesnapshotcontents" };

/// Media types of the four patches.
pub const MERGE: &str = "application/merge-patch+json";
/// RFC 6902.
pub const JSON_PATCH: &str = "application/json-patch+json";
/// Kubernetes' own, for built-in kinds.
pub const STRATEGIC: &str = "application/strategic-merge-patch+json";
/// Server-side apply; JSON is YAML.
pub const APPLY: &str = "application/apply-patch+yaml";

/// Asks a server for the token that a pod would find mounted.
pub type Mint = Arc<dyn Fn(PodToken) -> BoxFuture<'static, Result<String>> + Send + Sync>;

/// Whose token. The pod exists, runs under the service account, and both are in the namespace.
#[derive(Clone, Debug)]
pub struct PodToken {
    /// Of all three.
    pub namespace: String,
    /// The service account's name.
    pub service_account: String,
    /// The pod's name.
    pub pod: String,
    /// The pod's uid.
    pub pod_uid: String,
}

/// One API server, an admin's access to it, and a namespace that no other case uses.
#[derive(Clone)]
pub struct Cluster {
    /// The admin's client, without retries.
    pub client: Client,
    /// Such as `http://127.0.0.1:40123`.
    pub url: String,
    /// The admin's kubeconfig.
    pub kubeconfig: PathBuf,
    /// The case's own.
    pub namespace: String,
    /// The one thing that is not asked for over HTTP: nobody creates tokens in the embedded server that way.
    pub mint: Mint,
}

/// What the server said to one request.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub code: u16,
    /// The body; a JSON string when it is no JSON.
    pub body: Value,
    /// Method and path, for messages.
    asked: String,
}

impl Cluster {
    /// Reads the kubeconfig; a client made here lives on this runtime and does not retry.
    pub async fn open(kubeconfig: PathBuf, namespace: String, mint: Mint) -> Result<Self> {
        let content = Kubeconfig::read_from(&kubeconfig)?;
        let mut config = kube::Config::from_custom_kubeconfig(content, &KubeConfigOptions::default()).await?;
        config.default_retry = false;
        let url = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        Ok(Self { client: Client::try_from(config)?, url, kubeconfig, namespace, mint })
    }

    /// Path of all objects of a kind in the case's namespace.
    pub fn all(&self, kind: Kind) -> String {
        format!("{}/namespaces/{}/{}", kind.root, self.namespace, kind.plural)
    }

    /// Path of one of them.
    pub fn one(&self, kind: Kind, name: &str) -> String {
        format!("{}/{name}", self.all(kind))
    }

    /// A name for a cluster-scoped object that no other case has.
    pub fn unique(&self, name: &str) -> String {
        format!("{}-{name}", self.namespace)
    }

    /// One request. `content_type` goes with the body.
    pub async fn send(&self, method: Method, path: &str, body: Option<(&str, Vec<u8>)>) -> Result<Answer> {
        let asked = format!("{method} {path}");
        let mut request = Request::builder().method(method).uri(path).header("Accept", "application/json");
        if let Some((content_type, _)) = &body {
            request = request.header("Content-Type", *content_type);
        }
        let request = request.body(Body::from(body.map(|(_, bytes)| bytes).unwrap_or_default()))?;
        let response = self.client.send(request).await.with_context(|| asked.clone())?;
        let code = response.status().as_u16();
        let bytes = response.into_body().collect_bytes().await.with_context(|| asked.clone())?;
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Ok(Answer { code, body, asked })
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, None).await
    }

    /// POST of an object.
    pub async fn post(&self, path: &str, object: &Value) -> Result<Answer> {
        self.send(Method::POST, path, Some(("application/json", object.to_string().into_bytes()))).await
    }

    /// PUT of an object.
    pub async fn put(&self, path: &str, object: &Value) -> Result<Answer> {
        self.send(Method::PUT, path, Some(("application/json", object.to_string().into_bytes()))).await
    }

    /// PATCH of one of the four media types.
    pub async fn patch(&self, path: &str, media_type: &str, patch: &Value) -> Result<Answer> {
        self.send(Method::PATCH, path, Some((media_type, patch.to_string().into_bytes()))).await
    }

    /// Server-side apply as `manager`.
    pub async fn apply(&self, path: &str, manager: &str, object: &Value) -> Result<Answer> {
        self.patch(&format!("{path}?fieldManager={manager}"), APPLY, object).await
    }

    /// The same, taking over what others own.
    pub async fn force_apply(&self, path: &str, manager: &str, object: &Value) -> Result<Answer> {
        self.patch(&format!("{path}?fieldManager={manager}&force=true"), APPLY, object).await
    }

    /// DELETE with `DeleteOptions`.
    pub async fn delete(&self, path: &str, options: Value) -> Result<Answer> {
        let body = Some(("application/json", options.to_string().into_bytes()));
        self.send(Method::DELETE, path, body).await
    }

    /// Creates an object and returns it as stored.
    pub async fn create(&self, kind: Kind, object: &Value) -> Result<Value> {
        self.post(&self.all(kind), object).await?.ok()
    }

    /// Starts a watch; `query` without `watch=true`.
    pub async fn watch(&self, path: &str, query: &str) -> Result<Watching> {
        Watching::start(&self.client, &format!("{path}?watch=true&{query}")).await
    }
}

impl Answer {
    /// The body of a success.
    pub fn ok(self) -> Result<Value> {
        match StatusCode::from_u16(self.code) {
            Ok(code) if code.is_success() => Ok(self.body),
            _ => bail!("{} answered {}: {}", self.asked, self.code, self.body),
        }
    }

    /// The body, which must have this HTTP status and hold at least `wanted`.
    pub fn is(self, code: u16, wanted: Value) -> Result<Value> {
        if self.code != code {
            bail!("{} answered {} instead of {code}: {}", self.asked, self.code, self.body);
        }
        subset(&self.body, &wanted).with_context(|| format!("{} answered {code}", self.asked))?;
        Ok(self.body)
    }

    /// A refusal: a Status object with this code and reason, and at least `wanted`.
    pub fn refused(self, code: u16, reason: &str, wanted: Value) -> Result<Value> {
        let mut status =
            json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason});
        for (key, value) in wanted.as_object().into_iter().flatten() {
            status[key] = value.clone();
        }
        self.is(code, status)
    }

    /// A refusal whose message holds `part`.
    pub fn refused_saying(self, code: u16, reason: &str, part: &str) -> Result<()> {
        let asked = self.asked.clone();
        let status = self.refused(code, reason, json!({}))?;
        let message = status["message"].as_str().unwrap_or_default();
        if !message.contains(part) {
            bail!("{asked}: the message lacks {part:?}: {message:?}");
        }
        Ok(())
    }
}
