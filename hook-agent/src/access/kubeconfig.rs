//! What a kubeconfig says, as far as a token or a certificate in it is concerned. Logins by other programs are not run.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Access, CERTIFICATES_BYTES_MAX, ClientIdentity, Token, certificates};
use crate::small_file::{self, FileError};

/// A kubeconfig with hundreds of clusters; what is longer is another file, bytes.
const KUBECONFIG_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why a kubeconfig cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    /// There is no file.
    #[error("there is no such file")]
    Absent,
    /// It cannot be read.
    #[error("it cannot be read")]
    File(#[source] FileError),
    /// It is no YAML (nor JSON, which is YAML too), or not a kubeconfig's.
    #[error("{0} is no kubeconfig")]
    Shape(PathBuf, #[source] Box<serde_saphyr::Error>),
    /// Something is referred to that is not there.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// The server's address is none.
    #[error("the server's address is wrong")]
    Server(#[source] http::uri::InvalidUri),
    /// Base64 or PEM is broken.
    #[error("{0} is not what it should be: PEM in base64, or a file of PEM")]
    Broken(&'static str),
    /// It asks for something that the agent does not do.
    #[error("it asks for {0}, which the hook-agent does not do; use a token (--token-file)")]
    NotDone(&'static str),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Kubeconfig {
    current_context: Option<String>,
    clusters: Option<Vec<NamedCluster>>,
    contexts: Option<Vec<NamedContext>>,
    users: Option<Vec<NamedUser>>,
}

#[derive(Debug, Deserialize)]
struct NamedCluster {
    name: String,
    cluster: Cluster,
}

#[derive(Debug, Deserialize)]
struct NamedContext {
    name: String,
    context: Context,
}

#[derive(Debug, Deserialize)]
struct NamedUser {
    name: String,
    user: Option<User>,
}

#[derive(Debug, Deserialize)]
struct Context {
    cluster: String,
    user: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Cluster {
    server: Option<String>,
    certificate_authority: Option<String>,
    certificate_authority_data: Option<String>,
    tls_server_name: Option<String>,
    insecure_skip_tls_verify: Option<bool>,
    proxy_url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct User {
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<String>,
    client_certificate: Option<String>,
    client_certificate_data: Option<String>,
    client_key: Option<String>,
    client_key_data: Option<String>,
    exec: Option<IgnoredAny>,
    auth_provider: Option<IgnoredAny>,
    username: Option<String>,
}

/// Access as the current context of these files says; several are separated as in PATH, and the first that names something wins.
pub fn access(paths: &str) -> Result<Access, KubeconfigError> {
    let mut all = Kubeconfig::default();
    let mut dir = None;
    for path in std::env::split_paths(paths).filter(|path| !path.as_os_str().is_empty()) {
        let Some(text) = small_file::read(&path, KUBECONFIG_BYTES_MAX).map_err(KubeconfigError::File)? else {
            continue;
        };
        let Kubeconfig { current_context, clusters, contexts, users } = parse(&text, &path)?;
        all.current_context = all.current_context.or(current_context.filter(|name| !name.is_empty()));
        all.clusters.get_or_insert_default().extend(clusters.unwrap_or_default());
        all.contexts.get_or_insert_default().extend(contexts.unwrap_or_default());
        all.users.get_or_insert_default().extend(users.unwrap_or_default());
        dir.get_or_insert(path.parent().unwrap_or(Path::new("")).to_owned());
    }
    all.into_access(&dir.ok_or(KubeconfigError::Absent)?)
}

fn parse(text: &str, path: &Path) -> Result<Kubeconfig, KubeconfigError> {
    serde_saphyr::from_str(text).map_err(|e| KubeconfigError::Shape(path.to_owned(), Box::new(e)))
}

impl Kubeconfig {
    fn into_access(self, dir: &Path) -> Result<Access, KubeconfigError> {
        let Self { current_context, clusters, contexts, users } = self;
        let name = current_context.ok_or(KubeconfigError::Missing("current-context"))?;
        let context = contexts.into_iter().flatten().find(|c| c.name == name);
        let Context { cluster, user } = context.ok_or(KubeconfigError::Missing("context of the current name"))?.context;
        let cluster = clusters.into_iter().flatten().find(|c| c.name == cluster);
        let Cluster {
            server,
            certificate_authority,
            certificate_authority_data,
            tls_server_name,
            insecure_skip_tls_verify,
            proxy_url,
        } = cluster.ok_or(KubeconfigError::Missing("cluster of the context's name"))?.cluster;
        if insecure_skip_tls_verify == Some(true) {
            return Err(KubeconfigError::NotDone("TLS without a check of the server's certificate"));
        }
        if proxy_url.is_some_and(|url| !url.is_empty()) {
            return Err(KubeconfigError::NotDone("a proxy"));
        }
        let server: Uri = server.ok_or(KubeconfigError::Missing("server"))?.parse().map_err(KubeconfigError::Server)?;
        if server.host().is_none() || !matches!(server.scheme_str(), Some("http" | "https")) {
            return Err(KubeconfigError::Missing("server that begins with https:// or http://"));
        }
        let authority = pem(certificate_authority_data, certificate_authority, dir, "certificate-authority")?;
        let roots = match authority {
            Some(pem) => certificates(&pem).ok_or(KubeconfigError::Broken("certificate-authority"))?,
            None if server.scheme_str() == Some("https") => {
                return Err(KubeconfigError::Missing("certificate-authority"));
            }
            None => Vec::new(),
        };
        let user = users.into_iter().flatten().find(|u| Some(&u.name) == user.as_ref()).and_then(|u| u.user);
        let (token, identity) = credentials(user.unwrap_or_default(), dir)?;
        Ok(Access { server, roots, server_name: tls_server_name, identity, token })
    }
}

fn credentials(user: User, dir: &Path) -> Result<(Token, Option<ClientIdentity>), KubeconfigError> {
    let User {
        token,
        token_file,
        client_certificate,
        client_certificate_data,
        client_key,
        client_key_data,
        exec,
        auth_provider,
        username,
    } = user;
    if exec.is_some() || auth_provider.is_some() {
        return Err(KubeconfigError::NotDone("a login by another program"));
    }
    if username.is_some() {
        return Err(KubeconfigError::NotDone("a user name and password"));
    }
    let token = match (token.filter(|t| !t.is_empty()), token_file.filter(|f| !f.is_empty())) {
        (Some(token), _) => Token::Text(token.trim().to_owned()),
        (None, Some(file)) => Token::File(dir.join(file)),
        (None, None) => Token::Absent,
    };
    let certificate = pem(client_certificate_data, client_certificate, dir, "client-certificate")?;
    let key = pem(client_key_data, client_key, dir, "client-key")?;
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(ClientIdentity {
            chain: certificates(&certificate).ok_or(KubeconfigError::Broken("client-certificate"))?,
            key: PrivateKeyDer::from_pem_slice(&key).map_err(|_| KubeconfigError::Broken("client-key"))?,
        }),
        (None, None) => None,
        (Some(_), None) => return Err(KubeconfigError::Missing("client-key")),
        (None, Some(_)) => return Err(KubeconfigError::Missing("client-certificate")),
    };
    Ok((token, identity))
}

/// PEM that stands in the file itself, or in the file that it names.
fn pem(
    data: Option<String>,
    file: Option<String>,
    dir: &Path,
    what: &'static str,
) -> Result<Option<Vec<u8>>, KubeconfigError> {
    if let Some(data) = data.filter(|data| !data.is_empty()) {
        return STANDARD.decode(data).map(Some).map_err(|_| KubeconfigError::Broken(what));
    }
    let Some(file) = file.filter(|file| !file.is_empty()) else { return Ok(None) };
    let text = small_file::read(&dir.join(file), CERTIFICATES_BYTES_MAX).map_err(KubeconfigError::File)?;
    text.map(|text| Some(text.into_bytes())).ok_or(KubeconfigError::Broken(what))
}

#[cfg(test)]
mod tests;
