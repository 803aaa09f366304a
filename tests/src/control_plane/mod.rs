//! A real kube-apiserver with etcd, as child processes on loopback.
//!
//! Tests call [`ControlPlane::shared`] and take a [`ControlPlane::namespace`] each. It is started once a test binary, which
//! needs no agreement between processes and leaves nothing behind; under `cargo run -p testbed --bin control-plane --
//! cargo test …` it is started once for all of them (see [`shared`]). There is no controller manager, scheduler or kubelet:
//! nothing collects garbage, no namespace ever ends, no StatefulSet makes pods. Those are the embedded server's tests.

mod access;
mod arguments;
mod binaries;
mod crds;
mod folder;
mod keys;
mod processes;
pub mod shared;
mod start;
mod tokens;
mod wait;
mod watchdog;

pub use access::ClientError;
pub use arguments::TOKEN_ISSUER;
pub use binaries::{ASSETS_VARIABLE, BinariesError};
pub use crds::{CrdError, DEFINITIONS, Definitions};
pub use keys::{ADMIN_USER, KeysError};
pub use processes::ProcessError;
pub use start::StartError;
pub use tokens::{BoundPod, TokenError};
pub use wait::WaitError;

use access::{client_of, kubeconfig, put_json};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use processes::Processes;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// A namespace's name may have 63 characters; this much of a test's name goes in, the rest makes it unique.
const NAMESPACE_TEST_NAME_LENGTH_MAX: usize = 40;

/// A running control plane. Ends when it is dropped, or with this process at the latest; logs stay for a day.
#[derive(Debug)]
pub struct ControlPlane {
    url: String,
    authority: PathBuf,
    admin_token: String,
    kubeconfig: PathBuf,
    logs: PathBuf,
    /// None when another process started it (see [`shared`]) and will end it.
    processes: Option<Mutex<Processes>>,
}

impl ControlPlane {
    fn check(&self) -> Result<(), ProcessError> {
        match &self.processes {
            Some(processes) => processes.lock().unwrap_or_else(PoisonError::into_inner).check(),
            None => Ok(()),
        }
    }

    /// Ids of the processes by name; empty when another process owns them.
    pub fn pids(&self) -> Vec<(&'static str, u32)> {
        let processes = self.processes.as_ref();
        let pids = |processes: &Mutex<Processes>| processes.lock().unwrap_or_else(PoisonError::into_inner).pids();
        processes.map(pids).unwrap_or_default()
    }

    /// Such as `https://127.0.0.1:40123`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The token of a user whom no rule binds.
    pub fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// PEM file of the authority that signed the API server's certificate.
    pub fn authority(&self) -> &Path {
        &self.authority
    }

    /// The admin's, for `KUBECONFIG`; in the token's clear text, readable by this user alone.
    pub fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig.clone()
    }

    /// The API server's own certificate and key, PEM, for a kubelet beside it: their name is the loopback address. `None` when
    /// another process started the control plane.
    pub fn server_keys(&self) -> Option<(PathBuf, PathBuf)> {
        self.processes.as_ref()?;
        let folder = self.kubeconfig.parent()?;
        Some((folder.join(keys::SERVER_CERTIFICATE), folder.join(keys::SERVER_KEY)))
    }

    /// Where `kube-apiserver.log` and `etcd.log` are.
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// The admin's client. A new one each time: a client lives on the tokio runtime that made it, and each test has its own.
    /// It does not retry, so that a test sees what the server said.
    ///
    /// # Panics
    /// When TLS cannot be set up, which a control plane that became ready rules out.
    pub async fn client(&self) -> Client {
        self.try_client().await.expect("a client was made from this kubeconfig before")
    }

    async fn try_client(&self) -> Result<Client, ClientError> {
        client_of(kubeconfig(&self.url, &self.authority, &self.admin_token)).await
    }

    /// A client that the API server knows as that service account; RBAC applies to it.
    ///
    /// # Panics
    /// When TLS cannot be set up, as in [`Self::client`].
    pub async fn client_as_service_account(&self, namespace: &str, name: &str) -> Result<Client, TokenError> {
        let token = self.token(namespace, name, None).await?;
        Ok(self.client_with_token(&token).await)
    }

    /// A client with a token of [`Self::token`].
    ///
    /// # Panics
    /// When TLS cannot be set up, as in [`Self::client`].
    pub async fn client_with_token(&self, token: &str) -> Client {
        let client = client_of(kubeconfig(&self.url, &self.authority, token)).await;
        client.expect("the same with another token was made before")
    }

    /// A signed token of an existing service account, as a pod would get it; bound to an existing pod when asked.
    pub async fn token(&self, namespace: &str, name: &str, pod: Option<BoundPod<'_>>) -> Result<String, TokenError> {
        tokens::request(self.client().await, namespace, name, pod).await
    }

    /// A kubeconfig with another token, written to `path`.
    pub fn write_kubeconfig(&self, path: &Path, token: &str) -> Result<(), ClientError> {
        put_json(path, &kubeconfig(&self.url, &self.authority, token))
    }

    /// Creates a namespace that no other test has and returns its name. It stays: nothing here ends namespaces.
    ///
    /// Prints where it is and where the logs are; the test harness shows that when the test fails.
    ///
    /// # Panics
    /// When the API server refuses.
    pub async fn namespace(&self, test_name: &str) -> String {
        let name = unique_namespace(test_name);
        println!("control plane {}, namespace {name}, logs in {}", self.url, self.logs.display());
        match create_namespace(&self.client().await, &name).await {
            Ok(()) => name,
            Err(error) => panic!("cannot create namespace {name}: {error}"),
        }
    }
}

async fn create_namespace(client: &Client, name: &str) -> Result<(), Box<kube::Error>> {
    let namespace = Namespace {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        ..Namespace::default()
    };
    let created = Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &namespace).await;
    created.map(|_| ()).map_err(Box::new)
}

/// The test's name in a namespace's alphabet, this process, and a count.
fn unique_namespace(test_name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let legal = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = test_name.chars().take(NAMESPACE_TEST_NAME_LENGTH_MAX).map(legal).collect();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("t-{name}-{}-{count}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_legal_and_differ() {
        let long = "api_conformance::Serverseitig_angewandt_über_alles_was_es_gibt_und_noch_mehr";
        let (one, other) = (unique_namespace(long), unique_namespace(long));
        assert_ne!(one, other);
        assert!(one.len() <= 63, "{one}");
        assert!(one.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{one}");
        assert!(one.ends_with(|c: char| c.is_ascii_digit()), "{one}");
    }
}
