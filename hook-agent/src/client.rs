//! The HTTP client: address, TLS, bearer token. No retries, no redirects, no proxies; every answer is the caller's to judge.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::uri::{PathAndQuery, Uri};
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use shared::deadline::CALL_TIMEOUT_MS;

use crate::access::{Access, Token};
use crate::failure::Cause;
use crate::small_file;

/// A projected token has 1 to 2 KiB; API servers refuse headers of more than 1 MiB in all, most proxies of 8 to 64 KiB.
pub const TOKEN_BYTES_MAX: u64 = 64 * 1024;

/// Talks to one API server.
#[derive(Clone)]
pub struct Client {
    http: HyperClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    server: Uri,
    token: Token,
}

/// Why a client cannot be made: the access data contradict each other.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A certificate or key is of no use to TLS.
    #[error("the certificates for TLS cannot be used")]
    Tls(#[source] rustls::Error),
    /// The server's name is none.
    #[error("tls-server-name `{0}` is no name")]
    ServerName(String),
}

/// Why a request got no answer at all.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It could not be made: the token cannot be read or sent.
    #[error("the token cannot be used")]
    Token(#[source] Cause),
    /// The connection failed or was cut.
    #[error("no connection")]
    Connection(#[source] Cause),
}

impl Client {
    /// A client; no connection is opened yet.
    pub fn new(access: Access) -> Result<Self, ClientError> {
        let Access { server, roots, server_name, identity, token } = access;
        let mut store = RootCertStore::empty();
        for root in roots {
            store.add(root).map_err(ClientError::Tls)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(ClientError::Tls)?
            .with_root_certificates(store);
        let config = match identity {
            Some(identity) => config.with_client_auth_cert(identity.chain, identity.key).map_err(ClientError::Tls)?,
            None => config.with_no_client_auth(),
        };
        let mut builder = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http();
        if let Some(name) = server_name {
            let known = ServerName::try_from(name.clone()).map_err(|_| ClientError::ServerName(name))?;
            builder = builder.with_server_name_resolver(FixedServerNameResolver::new(known));
        }
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_millis(CALL_TIMEOUT_MS)));
        let http = HyperClient::builder(TokioExecutor::new()).build(builder.enable_http1().wrap_connector(connector));
        Ok(Self { http, server, token })
    }

    /// Sends a request whose target is a path below the server's address.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Incoming>, SendError> {
        let (mut parts, body) = request.into_parts();
        parts.uri = below(&self.server, &parts.uri).map_err(|e| SendError::Connection(e.into()))?;
        if let Some(token) = self.bearer()? {
            parts.headers.insert(AUTHORIZATION, token);
        }
        let request = Request::from_parts(parts, Full::new(Bytes::from(body)));
        self.http.request(request).await.map_err(|e| SendError::Connection(e.into()))
    }

    fn bearer(&self) -> Result<Option<HeaderValue>, SendError> {
        let token = match &self.token {
            Token::Absent => return Ok(None),
            Token::Text(token) => token.clone(),
            Token::File(path) => small_file::read(path, TOKEN_BYTES_MAX)
                .map_err(|e| SendError::Token(e.into()))?
                .ok_or_else(|| SendError::Token(format!("there is no token at {}", path.display()).into()))?,
        };
        let mut value =
            HeaderValue::try_from(format!("Bearer {}", token.trim())).map_err(|e| SendError::Token(e.into()))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// `target`'s path and query below `server`, whose own path is kept (as kubectl does behind Rancher and its kin).
fn below(server: &Uri, target: &Uri) -> Result<Uri, http::Error> {
    let mut parts = server.clone().into_parts();
    let base = server.path().trim_end_matches('/');
    let rest = target.path_and_query().map_or("/", PathAndQuery::as_str);
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{base}{rest}"))?);
    Ok(Uri::from_parts(parts)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_own_path_is_kept() {
        for (server, expected) in [
            ("http://h:1", "http://h:1/api/v1?x=y"),
            ("https://h/", "https://h/api/v1?x=y"),
            ("https://h/k8s/c-1", "https://h/k8s/c-1/api/v1?x=y"),
            ("https://[::1]:6443/k8s/", "https://[::1]:6443/k8s/api/v1?x=y"),
        ] {
            let uri = below(&server.parse().unwrap(), &Uri::from_static("/api/v1?x=y")).unwrap();
            assert_eq!(uri.to_string(), expected);
        }
    }
}
