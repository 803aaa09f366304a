//! The embedded API server: what does a test hold in its hand?
//!
//! An in-process HTTP server on 127.0.0.1 that speaks enough of the Kubernetes API for kube's clients and for kubectl, over the kinds in
//! [`kinds`]. Objects live in memory ([`store`]); whatever the server cannot do as the real one does, it refuses with 501. Faults
//! ([`faults`]) and a request log ([`request_log`]) are part of it.
//!
//! Differences to the real server that a test may notice:
//! - plain HTTP, and no authorisation: who is known may do everything; requests without a token count as `system:anonymous`, because kubectl
//!   sends no token over plain HTTP;
//! - JSON only, no tables, no `/openapi`: kubectl needs `--validate=false`, and its typed creates (`kubectl create configmap`) get 501;
//! - validation is of metadata, field types, Leases and Pods' containers; defaults are those in [`checks`]; admission adds no finalizers to
//!   claims and volumes;
//! - custom kinds keep fields that nobody declared;
//! - core/v1 and events.k8s.io/v1 Events are two collections;
//! - Pods go at once, without a grace period; the garbage collector and the end of Namespaces run inside, unless switched off.

mod apply;
mod checks;
mod collector;
mod core;
mod discovery;
mod dispatch;
pub mod faults;
mod form;
pub mod kinds;
mod kubeconfig;
mod options;
mod patching;
mod request;
pub mod request_log;
mod selector;
mod server;
pub mod status;
pub mod store;
mod users;
mod verbs;

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use anyhow::Context as _;
use kube::config::AuthInfo;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

pub use faults::{Effect, Fault, FaultId, Faults, Target, Times};
pub use options::ServerOptions;
pub use request::Verb;
pub use request_log::{Record, RequestLog};

use self::core::Core;
use kinds::KindId;
use server::Listening;
use status::ApiError;
use store::{Key, Outcome, Store, Stored};
use users::{PodClaims, Users};

/// A running server. It ends when this is dropped.
#[derive(Debug)]
pub struct ApiServer {
    core: Arc<Core>,
    listening: Listening,
    collector: Option<JoinHandle<()>>,
}

impl ApiServer {
    /// Starts a server on a free loopback port, with its tasks on the current runtime.
    #[expect(clippy::unused_async, reason = "it spawns: only a runtime can call it")]
    pub async fn start(options: ServerOptions) -> anyhow::Result<Self> {
        let ServerOptions { absent_groups, history_events_max, collects_garbage, takes_anonymous, namespaces } =
            options;
        let (store, upsets) = Store::new(history_events_max);
        let core = Arc::new(Core {
            store: Arc::new(store),
            users: Users::new(takes_anonymous),
            faults: Faults::default(),
            log: RequestLog::default(),
            absent_groups: RwLock::new(absent_groups),
        });
        let collector = collects_garbage.then(|| tokio::spawn(collector::run(Arc::clone(&core.store), upsets)));
        let listening =
            Listening::start(Arc::clone(&core)).context("listening on a loopback port for the embedded API server")?;
        let server = Self { core, listening, collector };
        for name in namespaces {
            server.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))?;
        }
        Ok(server)
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        self.listening.url().to_owned()
    }

    /// A client for the user `admin`.
    ///
    /// # Panics
    /// When kube cannot make a client for a loopback address, which would be a defect of this file.
    pub fn client(&self) -> kube::Client {
        self.client_with_token(&self.core.users.admin_token)
    }

    /// A client for a token; see [`Self::token_for_user`] and [`Self::token_for_pod`].
    ///
    /// # Panics
    /// As [`Self::client`].
    pub fn client_with_token(&self, token: &str) -> kube::Client {
        let url = self.listening.url().parse().expect("a loopback URL is a URI");
        let mut config = kube::Config::new(url);
        // Faults are to be seen by the code under test, not smoothed over here.
        config.default_retry = false;
        config.auth_info = AuthInfo { token: Some(token.to_owned().into()), ..AuthInfo::default() };
        kube::Client::try_from(config).expect("a client for plain HTTP needs nothing that can be missing")
    }

    /// Writes `<dir>/kubeconfig` for the user `admin`.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn write_kubeconfig(&self, dir: &Path) -> PathBuf {
        self.write_kubeconfig_for(dir, "admin", &self.core.users.admin_token)
    }

    /// Writes `<dir>/kubeconfig` for a user and one of its tokens.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn write_kubeconfig_for(&self, dir: &Path, user: &str, token: &str) -> PathBuf {
        let written = kubeconfig::write(dir, self.listening.url(), user, token);
        written.unwrap_or_else(|e| panic!("cannot write a kubeconfig into {}: {e}", dir.display()))
    }

    /// A new token for a user of any name; requests with it are logged as that user.
    pub fn token_for_user(&self, user: &str) -> String {
        self.core.users.add(user)
    }

    /// A token with the claims of one that is projected into a pod, for user `system:serviceaccount:<namespace>:<service account>`.
    /// Node and service account uid are taken from the stored objects when there are any.
    pub fn token_for_pod(&self, namespace: &str, service_account: &str, pod: &str, pod_uid: &str) -> String {
        let account = self.get("v1", "ServiceAccount", namespace, service_account);
        let account_uid = account.map_or_else(verbs::random_uid, |a| a.uid().to_owned());
        let stored = self.get("v1", "Pod", namespace, pod);
        let node = stored.as_ref().and_then(|p| p.value["spec"]["nodeName"].as_str());
        let known = node.and_then(|name| self.get("v1", "Node", "", name));
        let node = node.map(|name| (name, known.as_ref().map(|n| n.uid())));
        let claims = PodClaims { namespace, service_account, service_account_uid: &account_uid, pod, pod_uid, node };
        self.core.users.add_pod_token(&claims)
    }

    /// Makes a token unknown: 401 from now on.
    pub fn revoke_token(&self, token: &str) {
        self.core.users.revoke(token);
    }

    /// What goes wrong on purpose.
    pub fn faults(&self) -> &Faults {
        &self.core.faults
    }

    /// The kept request records, oldest first.
    pub fn requests(&self) -> Vec<Record> {
        self.core.log.records()
    }

    /// The request log with its counters.
    pub fn request_log(&self) -> &RequestLog {
        &self.core.log
    }

    /// The objects, without HTTP; writes through it are events as any other.
    pub fn store(&self) -> &Store {
        &self.core.store
    }

    /// Reads an object without HTTP.
    pub fn get(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Option<Arc<Stored>> {
        self.core.store.get(kinds::by_type(api_version, kind)?, &Key::new(namespace, name))
    }

    /// Creates or replaces an object without HTTP, status included and unchecked; uid and creation time are kept or made up.
    pub fn put(&self, mut object: Value) -> Result<Arc<Stored>, ApiError> {
        let id = kind_of(&object)?;
        let key = Key::of(&object);
        let written = self.core.store.write(id, &key, |_, live| {
            let fresh = object.take();
            let status = fresh.get("status").cloned();
            let mut base = fresh.clone();
            verbs::begin(kinds::kind(id), &mut base);
            if let Some(status) = status {
                base["status"] = status;
            }
            // Marks of deletion are kept as well: a test may need an object that is on its way out.
            for field in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
                if !fresh["metadata"][field].is_null() {
                    base["metadata"][field] = fresh["metadata"][field].clone();
                }
            }
            for field in ["uid", "creationTimestamp"] {
                let kept = live.map_or(&fresh["metadata"][field], |l| &l.value["metadata"][field]);
                if kept.is_string() {
                    base["metadata"][field] = kept.clone();
                }
            }
            Ok(Outcome::Put(base))
        })?;
        Ok(written.object)
    }

    /// Deletes an object without HTTP, as a delete request without options does. `false`: it is not there.
    pub fn delete(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Result<bool, ApiError> {
        let id = kinds::by_type(api_version, kind).ok_or_else(ApiError::no_such_path)?;
        match verbs::remove(
            &self.core.store,
            kinds::kind(id),
            id,
            &Key::new(namespace, name),
            &verbs::DeleteOptions::default(),
        ) {
            Ok(_) => Ok(true),
            Err(gone) if gone.reason == "NotFound" => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Serves an API group from now on, as when its CRDs are installed.
    pub fn install_group(&self, group: &str) {
        self.core.set_served(group, true);
    }

    /// Serves an API group no longer; its objects stay where they are.
    pub fn remove_group(&self, group: &str) {
        self.core.set_served(group, false);
    }

    /// Closes the port and all connections; clients are refused until [`Self::come_back`]. Objects and tokens stay.
    pub async fn go_down(&self) {
        self.listening.go_down().await;
    }

    /// Listens on the same port again.
    #[expect(clippy::unused_async, reason = "it spawns: only a runtime can call it")]
    pub async fn come_back(&self) -> anyhow::Result<()> {
        let back = self.listening.come_back();
        back.with_context(|| format!("listening again on {}", self.listening.url()))
    }

    /// Ends the server: port and connections are closed when this returns.
    pub async fn shutdown(self) {
        self.listening.go_down().await;
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        if let Some(task) = self.collector.take() {
            task.abort();
        }
    }
}

fn kind_of(object: &Value) -> Result<KindId, ApiError> {
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    kinds::by_type(text("apiVersion"), text("kind")).ok_or_else(|| {
        ApiError::bad_request(format!(
            "no kind \"{}\" in \"{}\" in the server's table",
            text("kind"),
            text("apiVersion")
        ))
    })
}
