//! How the API server is reached and who asks: as a pod does, or as a kubeconfig says.
//!
//! kube's own client is not used: with `JSONPath`, regular expressions and cloud logins it made a program that is mounted
//! into every workload pod twice as large. What is read here is what pods and kubectl's files have.

mod in_pod;
mod kubeconfig;

use std::env::VarError;
use std::path::PathBuf;

use http::Uri;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::settings::AccessFlags;
use crate::small_file::FileError;

/// Everything that a client needs.
#[derive(Debug)]
pub struct Access {
    /// Where the API server listens; a path in it is kept.
    pub server: Uri,
    /// The authorities that may have signed its certificate. None are needed for plain HTTP.
    pub roots: Vec<CertificateDer<'static>>,
    /// The name in its certificate, where that is not the address's.
    pub server_name: Option<String>,
    /// A certificate that says who asks.
    pub identity: Option<ClientIdentity>,
    /// A token that says who asks.
    pub token: Token,
}

/// A client certificate with its key.
#[derive(Debug)]
pub struct ClientIdentity {
    /// The certificate, then those that signed it.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
}

/// The bearer token.
#[derive(Clone, PartialEq, Eq)]
pub enum Token {
    /// Nobody says who asks (or the certificate does).
    Absent,
    /// This text.
    Text(String),
    /// What the file holds at the moment: the kubelet writes a new one before the old one expires.
    File(PathBuf),
}

impl std::fmt::Debug for Token {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent => f.write_str("Absent"),
            Self::Text(_) => f.write_str("Text(…)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// Why there is no way to the API server.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The kubeconfig that the user named is unusable.
    #[error("--kubeconfig (KUBECONFIG): `{0}` cannot be used")]
    Kubeconfig(String, #[source] kubeconfig::KubeconfigError),
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
}

impl AccessError {
    /// Whether the user named something wrong, rather than that the pod has no access.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Kubeconfig(..))
    }
}

/// A bundle of certificates; a cluster's has 1 to 2 KiB, the whole web's some 250, bytes.
const CERTIFICATES_BYTES_MAX: u64 = 1024 * 1024;

/// What flags, environment and files say.
pub fn find(flags: &AccessFlags) -> Result<Access, AccessError> {
    let Some(paths) = &flags.kubeconfig else { return in_pod::access(flags) };
    let mut access = kubeconfig::access(paths).map_err(|e| AccessError::Kubeconfig(paths.clone(), e))?;
    if flags.token_file_given {
        access.token = Token::File(flags.token_file.clone());
        access.identity = None;
    }
    Ok(access)
}

/// The certificates of a PEM text; `None` when there is none, or one that is broken.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    (!certificates.is_empty()).then_some(certificates)
}
