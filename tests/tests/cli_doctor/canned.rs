//! An API server that only says what a test gave it to say: lists in pages, refusals, reviews, a proxy.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How a review of somebody's rights is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reviews {
    /// Everybody may do everything.
    #[default]
    Allow,
    /// Agents may not `patch` Leases; all else is allowed.
    NoPatchForAgents,
    /// Nobody may `patch` claims.
    NoPatchOfClaims,
    /// The coordinator asks, which may not ask about others; about itself: no `patch` of Backups.
    OfOneselfOnly,
    /// Somebody asks who may not ask about others, and may do nothing.
    OfSomebody,
    /// What is allowed is allowed to a group: the `ServiceAccounts` of the namespace that is asked about, and of Velero's.
    ToGroups,
    /// No answer that means anything.
    Broken,
}

/// What it says.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// By path and query: a status and a body. A list that is not here is empty, anything else is not found.
    pub answers: BTreeMap<String, (u16, String)>,
    /// How reviews are answered.
    pub reviews: Reviews,
}

impl Said {
    /// A list of one page.
    #[must_use]
    pub fn list(self, path: &str, items: &[Value]) -> Self {
        self.page(&format!("{path}?limit=500"), items, None)
    }

    /// One page of a list.
    #[must_use]
    pub fn page(self, path: &str, items: &[Value], next: Option<&str>) -> Self {
        let page =
            json!({"apiVersion": version_of(path), "kind": "List", "metadata": {"continue": next}, "items": items});
        self.answer(path, 200, &page.to_string())
    }

    /// Any answer.
    #[must_use]
    pub fn answer(mut self, path: &str, code: u16, body: &str) -> Self {
        self.answers.insert(path.to_owned(), (code, body.to_owned()));
        self
    }

    /// A refusal as an API server words it.
    #[must_use]
    pub fn refuses(self, path: &str, code: u16, reason: &str) -> Self {
        let (code, status) = refusal(code, reason);
        self.answer(path, code, &status)
    }

    fn to(&self, method: &Method, uri: &Uri, body: &Value) -> (u16, String) {
        let path = uri.path();
        if method == Method::POST {
            return self.review(path, body);
        }
        let asked = uri.path_and_query().map_or(path, |it| it.as_str());
        if let Some(answer) = self.answers.get(asked).or_else(|| self.answers.get(path)) {
            return answer.clone();
        }
        if uri.query().is_some_and(|query| query.starts_with("limit=")) {
            let empty = json!({"apiVersion": version_of(path), "kind": "List", "metadata": {}, "items": []});
            return (200, empty.to_string());
        }
        refusal(404, "NotFound")
    }

    fn review(&self, path: &str, body: &Value) -> (u16, String) {
        let of_others = path.ends_with("/subjectaccessreviews");
        if path.ends_with("/selfsubjectreviews") {
            let coordinator = self.reviews == Reviews::OfOneselfOnly;
            let us = if coordinator { "system:serviceaccount:velero:snapshot-coordinator" } else { "alice" };
            return (201, json!({"status": {"userInfo": {"username": us}}}).to_string());
        }
        let user = body.pointer("/spec/user").and_then(Value::as_str).unwrap_or_default();
        let asked = |field: &str| body.pointer(&format!("/spec/resourceAttributes/{field}")).and_then(Value::as_str);
        let patches = |resource: &str| asked("verb") == Some("patch") && asked("resource") == Some(resource);
        let allowed = match self.reviews {
            Reviews::Allow => true,
            Reviews::NoPatchForAgents => user.ends_with(":snapshot-coordinator") || !patches("leases"),
            Reviews::NoPatchOfClaims => !patches("persistentvolumeclaims"),
            Reviews::OfOneselfOnly | Reviews::OfSomebody if of_others => return refusal(403, "Forbidden"),
            Reviews::OfSomebody => false,
            Reviews::ToGroups => {
                let namespace = user.split(':').nth(2).unwrap_or_default();
                let group = json!(format!("system:serviceaccounts:{namespace}"));
                body.pointer("/spec/groups").and_then(Value::as_array).is_some_and(|groups| groups.contains(&group))
            }
            Reviews::OfOneselfOnly => !patches("backups"),
            Reviews::Broken => return (500, "the authorizer is ill".to_owned()),
        };
        (201, json!({"status": {"allowed": allowed}}).to_string())
    }
}

fn refusal(code: u16, reason: &str) -> (u16, String) {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason,
        "message": format!("{reason}, on purpose"), "code": code});
    (code, status.to_string())
}

/// `/apis/apps/v1/…` is of `apps/v1`.
fn version_of(path: &str) -> String {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["apis", group, version, ..] => format!("{group}/{version}"),
        _ => "v1".to_owned(),
    }
}

/// One that runs; it ends when this is dropped.
#[derive(Debug)]
pub struct Canned {
    task: JoinHandle<()>,
    asked: Arc<Mutex<Vec<String>>>,
    kubeconfig: PathBuf,
}

impl Drop for Canned {
    fn drop(&mut self) {
        self.task.abort();
        // Left behind it is a small file in the temporary folder.
        let _ = std::fs::remove_file(&self.kubeconfig);
    }
}

impl Canned {
    /// Starts one on a free loopback port.
    pub async fn start(said: Said) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("it listens");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let state = (Arc::new(said), Arc::clone(&asked));
        let router = Router::new().fallback(answer).with_state(state);
        let task = tokio::spawn(async move {
            // It serves until it is dropped.
            let _ended = axum::serve(listener, router).await.is_ok();
        });
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let kubeconfig = std::env::temp_dir().join(format!("testbed-doctor-{}-{count}", std::process::id()));
        let text = json!({"apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]});
        std::fs::write(&kubeconfig, text.to_string()).expect("it can be written");
        Self { task, asked, kubeconfig }
    }

    /// Leads to it.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Paths with their queries that were asked for so far, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

type Told = (Arc<Said>, Arc<Mutex<Vec<String>>>);

async fn answer(State((said, asked)): State<Told>, method: Method, uri: Uri, body: Bytes) -> (StatusCode, String) {
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(uri.to_string());
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let (code, text) = said.to(&method, &uri, &body);
    (StatusCode::from_u16(code).expect("a status"), text)
}
