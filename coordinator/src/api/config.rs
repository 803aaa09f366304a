//! Which API server, and as whom: a kubeconfig, the pod's service account, or the user's own kubeconfig.

use std::env;
use std::path::{Path, PathBuf};

use kube::Config;
use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};

/// Set in every pod by the kubelet.
const IN_CLUSTER_VARIABLE: &str = "KUBERNETES_SERVICE_HOST";

/// The way to the API server cannot be found out.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A kubeconfig was named, and it cannot be read or understood.
    #[error(
        "kubeconfig {path} cannot be used (name another with --kubeconfig or KUBECONFIG, or unset it inside a pod)"
    )]
    Named {
        /// As given.
        path: String,
        /// What is wrong with it.
        source: Box<KubeconfigError>,
    },
    /// The service account's files are not there.
    #[error("this is a pod, but its service account cannot be used (is automountServiceAccountToken false?)")]
    InCluster {
        /// What is missing.
        source: InClusterError,
    },
    /// Nothing was named, this is no pod, and the user has no kubeconfig.
    #[error("no kubeconfig: this is no pod, and {path} cannot be used (set --kubeconfig or KUBECONFIG)")]
    Nothing {
        /// Where it was looked for.
        path: String,
        /// What is wrong there.
        source: Box<KubeconfigError>,
    },
    /// A kubeconfig asks for a proxy.
    #[error("the kubeconfig asks for the proxy {0}, and this program goes through none; use a direct server address")]
    Proxy(String),
}

/// Finds out how to reach the API server: `named` (paths as in `KUBECONFIG`), else the pod's service account, else `~/.kube/config`.
///
/// # Errors
/// When the first of them that applies cannot be used.
pub async fn load(named: Option<&str>) -> Result<Config, ConfigError> {
    let config = match named {
        Some(paths) => from_paths(paths)
            .await
            .map_err(|source| ConfigError::Named { path: paths.to_owned(), source: Box::new(source) })?,
        None if env::var_os(IN_CLUSTER_VARIABLE).is_some() => {
            Config::incluster().map_err(|source| ConfigError::InCluster { source })?
        }
        None => from_home().await?,
    };
    match &config.proxy_url {
        Some(proxy) => Err(ConfigError::Proxy(proxy.to_string())),
        None => Ok(config),
    }
}

async fn from_home() -> Result<Config, ConfigError> {
    let home = env::home_dir().unwrap_or_else(|| PathBuf::from("/"));
    let path = home.join(".kube/config");
    from_paths(&path.to_string_lossy())
        .await
        .map_err(|source| ConfigError::Nothing { path: path.display().to_string(), source: Box::new(source) })
}

/// Several paths are merged, the first one wins, as kubectl does.
async fn from_paths(paths: &str) -> Result<Config, KubeconfigError> {
    let mut merged: Option<Kubeconfig> = None;
    for path in env::split_paths(paths).filter(|path| *path != Path::new("")) {
        let next = Kubeconfig::read_from(path)?;
        merged = Some(match merged {
            Some(earlier) => earlier.merge(next)?,
            None => next,
        });
    }
    let merged = merged.ok_or(KubeconfigError::FindPath)?;
    Config::from_custom_kubeconfig(merged, &KubeConfigOptions::default()).await
}
