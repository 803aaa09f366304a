//! The client for the API server: every call bounded, counted, and never repeated behind our back.
//!
//! kube's default stack repeats 429, 503 and 504 up to 15 times with up to 1000 s of delay, and notices a connection whose
//! other end vanished only after 295 s. Here nothing is repeated (watches and decisions come again by themselves), and
//! the kernel asks silent connections whether they live.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ClientBuilder, ConfigExt as _};
use kube::{Client, Config};
use tower::{BoxError, ServiceBuilder};

use super::meter::{MeterLayer, Observer};

/// Connecting (TCP) takes one round trip; 5 s is five lost packets.
const CONNECT_TIMEOUT_MS: u64 = 5_000;

/// A silent connection is asked after this, ms, …
const KEEPALIVE_AFTER_MS: u64 = 10_000;
/// … again each this, ms, …
const KEEPALIVE_INTERVAL_MS: u64 = 5_000;
/// … and given up after so many questions: 25 s in all, below the 25 s + heartbeat that a hook waits for a word.
const KEEPALIVE_QUESTIONS: u32 = 3;

/// Idle connections that are kept: writes come in bursts, one a group; more than this many at once is rare.
const IDLE_CONNECTIONS_MAX: usize = 16;

/// The client cannot be built from the configuration.
#[derive(Debug, thiserror::Error)]
#[error("the kubeconfig's credentials or certificates cannot be used (check its users and clusters entries)")]
pub struct ClientError {
    /// What is wrong.
    #[source]
    source: Box<kube::Error>,
}

/// Builds the client.
///
/// # Errors
/// When certificates or credentials of the configuration are not usable.
pub fn client(config: &Config, observer: Arc<dyn Observer>) -> Result<Client, ClientError> {
    build(config, observer).map_err(|source| ClientError { source: Box::new(source) })
}

/// A client of an API server that answers nothing.
#[cfg(test)]
pub fn silent() -> Client {
    type Never = std::future::Pending<Result<http::Response<Body>, std::convert::Infallible>>;
    Client::new(tower::service_fn(|_request: http::Request<Body>| -> Never { std::future::pending() }), "velero")
}

fn build(config: &Config, observer: Arc<dyn Observer>) -> Result<Client, kube::Error> {
    let https = config.rustls_https_connector_with_connector(connector())?;
    let hyper: HyperClient<_, Body> =
        HyperClient::builder(TokioExecutor::new()).pool_max_idle_per_host(IDLE_CONNECTIONS_MAX).build(https);
    let service = ServiceBuilder::new()
        .layer(MeterLayer::new(observer))
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(hyper);
    Ok(ClientBuilder::new(service, config.default_namespace.clone()).build())
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(Duration::from_millis(CONNECT_TIMEOUT_MS)));
    connector.set_keepalive(Some(Duration::from_millis(KEEPALIVE_AFTER_MS)));
    connector.set_keepalive_interval(Some(Duration::from_millis(KEEPALIVE_INTERVAL_MS)));
    connector.set_keepalive_retries(Some(KEEPALIVE_QUESTIONS));
    connector
}
