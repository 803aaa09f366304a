//! How does the server listen, stop listening, and end?

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::core::Core;
use super::dispatch;

/// Connections that may wait to be accepted: more than a hundred hooks that start at once.
const BACKLOG_CONNECTIONS: u32 = 1_024;

/// The listening side of a server, with its connections.
#[derive(Debug)]
pub struct Listening {
    core: Arc<Core>,
    /// Bound and never listening: it keeps the port from everybody else while the server is down.
    holder: TcpSocket,
    url: Arc<str>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Listening {
    /// Listens on a free loopback port.
    pub fn start(core: Arc<Core>) -> std::io::Result<Self> {
        let holder = bound(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = holder.local_addr()?;
        let url: Arc<str> = format!("http://{address}").into();
        let listening = Self { core, holder, url, task: Mutex::new(None) };
        listening.come_back()?;
        Ok(listening)
    }

    /// Where clients connect to.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Closes the port and every connection; clients are refused until [`Self::come_back`].
    pub async fn go_down(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
            // An aborted task ends with an error that says no more than that.
            drop(task.await);
        }
    }

    /// Listens on the same port again.
    pub fn come_back(&self) -> std::io::Result<()> {
        let listener = bound(self.holder.local_addr()?)?.listen(BACKLOG_CONNECTIONS)?;
        let task = tokio::spawn(accept(Arc::clone(&self.core), Arc::clone(&self.url), listener));
        if let Some(before) = self.task.lock().unwrap_or_else(PoisonError::into_inner).replace(task) {
            before.abort();
        }
        Ok(())
    }
}

/// A socket on an address that the holder has as well. Only sockets of the same user that ask for it can share one, and none is given
/// a shared one when it asks for any free port.
fn bound(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

/// Accepts until it is aborted; its connections are its own and end with it.
async fn accept(core: Arc<Core>, url: Arc<str>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(serve(Arc::clone(&core), Arc::clone(&url), stream))),
                Err(error) => tracing::warn!(%error, "could not accept a connection"),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(core: Arc<Core>, url: Arc<str>, stream: TcpStream) {
    // Small lines must not wait for each other: a watch event is one segment.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not set TCP_NODELAY");
    }
    let service = service_fn(move |request| dispatch::answer(Arc::clone(&core), Arc::clone(&url), request));
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection ended early");
    }
}
