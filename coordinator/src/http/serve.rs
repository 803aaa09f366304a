//! Listens, and bounds what a client can take: connections, time, header and body size.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::routes::{Sources, router};

/// Connections at once: a kubelet, two Prometheus servers and a few people need a dozen. More wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 64;

/// A request's headers come within this, ms: longer is a client that holds connections.
const HEADERS_TIMEOUT_MS: u64 = 5_000;

/// A connection ends after this, ms, whatever it does: scrapers keep theirs for a while and make new ones.
const CONNECTION_TIMEOUT_MS: u64 = 300_000;

/// Request line and headers together, bytes; hyper's smallest.
const HEADERS_BYTES_MAX: usize = 16 * 1024;

/// A pause after the kernel refused to accept, ms: it is short of files or memory, and asking at once makes it worse.
const ACCEPT_PAUSE_MS: u64 = 100;

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}; choose another --http-address (HTTP_ADDRESS), or end what uses it")]
pub struct ListenError {
    /// As set.
    address: SocketAddr,
    /// What the kernel said.
    source: io::Error,
}

/// A listening socket.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Listens; from now on clients can connect.
    ///
    /// # Errors
    /// When the address is taken or not ours.
    pub async fn bind(address: SocketAddr) -> Result<Self, ListenError> {
        let listen = async {
            let socket = TcpListener::bind(address).await?;
            let address = socket.local_addr()?;
            Ok(Self { socket, address })
        };
        listen.await.map_err(|source| ListenError { address, source })
    }

    /// Where, with the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is dropped.
    pub async fn serve(self, sources: Sources) {
        let router = router(sources);
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            // The semaphore is never closed; if it were, nobody could be served any more.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match self.socket.accept().await {
                Ok((stream, _peer)) => {
                    let router = router.clone();
                    tokio::spawn(async move {
                        serve_one(stream, router).await;
                        drop(place);
                    });
                }
                Err(_refused) => tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await,
            }
        }
    }
}

async fn serve_one(stream: TcpStream, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(HEADERS_TIMEOUT_MS))
        .max_buf_size(HEADERS_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // How a client's connection ends concerns nobody else.
    let _ended = timeout(Duration::from_millis(CONNECTION_TIMEOUT_MS), connection).await.is_ok();
}
