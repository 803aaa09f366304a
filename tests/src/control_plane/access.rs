//! How one user reaches one control plane: the kubeconfig, and the client made from it.

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The file could not be read or written.
    #[error("cannot access {}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is no kubeconfig.
    #[error("{} is no kubeconfig", path.display())]
    Parse {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// It names what is not there.
    #[error("unusable kubeconfig")]
    Kubeconfig(#[source] Box<kube::config::KubeconfigError>),
    /// TLS could not be set up.
    #[error("cannot make a client")]
    Client(#[source] Box<kube::Error>),
}

/// A kubeconfig with one cluster, one user with a bearer token and one context; as JSON, which is YAML too.
pub fn kubeconfig(url: &str, authority: &Path, token: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "testbed", "cluster": {"server": url, "certificate-authority": authority}}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "user"}}],
        "current-context": "testbed",
    })
}

/// A client that does not retry, so that a test sees what the server said.
pub async fn client_of(kubeconfig: Value) -> Result<Client, ClientError> {
    let kubeconfig: Kubeconfig = serde_json::from_value(kubeconfig).expect("its shape is fixed");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let mut config = config.map_err(|error| ClientError::Kubeconfig(Box::new(error)))?;
    config.default_retry = false;
    Client::try_from(config).map_err(|error| ClientError::Client(Box::new(error)))
}

/// Writes a kubeconfig.
pub fn put_json(path: &Path, content: &Value) -> Result<(), ClientError> {
    std::fs::write(path, content.to_string()).map_err(|source| ClientError::File { path: path.to_owned(), source })
}
