//! How the API server is reached: the pod's own access, or a kubeconfig. kube's own retries are off; ours have a deadline.

use std::env::VarError;
use std::path::PathBuf;
use std::time::Duration;

use kube::Client;
use kube::config::{AuthInfo, Config, KubeConfigOptions, Kubeconfig, KubeconfigError};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use shared::deadline::CALL_TIMEOUT_MS;

use crate::settings::Access;
use crate::small_file::{self, FileError};

/// A bundle of certificate authorities; a cluster's has 1 to 2 KiB, the whole web's some 250, bytes.
const CA_BYTES_MAX: u64 = 1024 * 1024;

/// Why there is no way to the API server.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig that the user named is unusable.
    #[error("--kubeconfig (KUBECONFIG): `{0}` cannot be used")]
    Kubeconfig(String, #[source] KubeconfigError),
    /// Not in a pod, and no kubeconfig.
    #[error("no API server is known: {0} is not set by Kubernetes, and no --kubeconfig (KUBECONFIG) is given")]
    NotInPod(&'static str, #[source] VarError),
    /// What Kubernetes set is no address.
    #[error("`{0}` from KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT is no address")]
    Address(String, #[source] http::uri::InvalidUri),
    /// The certificate authority is absent.
    #[error("there is no certificate authority at {0}: is a ServiceAccount token mounted into this container?")]
    NoAuthority(PathBuf),
    /// The certificate authority cannot be read.
    #[error("no certificate authority")]
    Authority(#[source] FileError),
    /// The certificate authority is not PEM.
    #[error("{0} holds no certificate (PEM)")]
    NotPem(PathBuf),
    /// kube refused the configuration: an unreadable token, mostly.
    #[error("the API server's access data cannot be used")]
    Client(#[source] kube::Error),
}

impl ConnectError {
    /// Whether the user named something wrong, rather than that the pod has no access.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Kubeconfig(..))
    }
}

/// A client for the API server. No request is made yet.
pub async fn connect(access: &Access) -> Result<Client, ConnectError> {
    let mut config = match &access.kubeconfig {
        Some(paths) => from_kubeconfig(paths).await.map_err(|e| ConnectError::Kubeconfig(paths.clone(), e))?,
        None => in_pod(access)?,
    };
    if access.kubeconfig.is_none() || access.token_file_given {
        config.auth_info =
            AuthInfo { token_file: Some(access.token_file.display().to_string()), ..AuthInfo::default() };
    }
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_millis(CALL_TIMEOUT_MS));
    // Answers are bounded call by call; a read timeout here would cut watches.
    config.read_timeout = None;
    config.write_timeout = Some(Duration::from_millis(CALL_TIMEOUT_MS));
    Client::try_from(config).map_err(ConnectError::Client)
}

/// Several files are merged, as kubectl does.
async fn from_kubeconfig(paths: &str) -> Result<Config, KubeconfigError> {
    let mut merged = Kubeconfig::default();
    for path in std::env::split_paths(paths).filter(|path| !path.as_os_str().is_empty()) {
        merged = merged.merge(Kubeconfig::read_from(path)?)?;
    }
    Config::from_custom_kubeconfig(merged, &KubeConfigOptions::default()).await
}

fn in_pod(access: &Access) -> Result<Config, ConnectError> {
    let variable = |name| std::env::var(name).map_err(|e| ConnectError::NotInPod(name, e));
    let (host, port) = (variable("KUBERNETES_SERVICE_HOST")?, variable("KUBERNETES_SERVICE_PORT")?);
    let address = address(&host, &port);
    let mut config = Config::new(address.parse().map_err(|e| ConnectError::Address(address, e))?);
    let path = &access.ca_file;
    let pem = small_file::read(path, CA_BYTES_MAX).map_err(ConnectError::Authority)?;
    let pem = pem.ok_or_else(|| ConnectError::NoAuthority(path.clone()))?;
    let roots: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(|root| root.map(|root| root.to_vec()))
        .collect::<Result<_, _>>()
        .map_err(|_| ConnectError::NotPem(path.clone()))?;
    if roots.is_empty() {
        return Err(ConnectError::NotPem(path.clone()));
    }
    config.root_cert = Some(roots);
    Ok(config)
}

/// An IPv6 host needs brackets in a URL.
fn address(host: &str, port: &str) -> String {
    if host.contains(':') { format!("https://[{host}]:{port}") } else { format!("https://{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_kinds() {
        assert_eq!(address("10.0.0.1", "443"), "https://10.0.0.1:443");
        assert_eq!(address("fd00::1", "6443"), "https://[fd00::1]:6443");
    }
}
