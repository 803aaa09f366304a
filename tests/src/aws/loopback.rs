//! How does a stand-in listen, and end?

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Largest request body. The largest that a test sends is one part of a multipart upload: 5 MiB by the SDK's default, 8 MiB by boto3's.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the stand-in was told to cut the connection")]
pub(super) struct Cut;

/// What goes back to the client.
pub(super) type Answer = Result<Response<Full<Bytes>>, Cut>;

/// Who answers.
pub(super) trait Service: Send + Sync + 'static {
    /// Answers one request, whose body has arrived. It is carried out to its end, whether or not the client still listens.
    fn answer(self: Arc<Self>, request: Request<Bytes>) -> impl Future<Output = Answer> + Send;
}

/// A thread with a server on it. The server ends, connections included, when this is dropped.
#[derive(Debug)]
pub(super) struct Loopback {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Loopback {
    /// Listens on a free loopback port; `name` is the thread's.
    pub(super) fn start<S: Service>(name: &str, service: Arc<S>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, service) => {}
                    // Told to stop, or the owner is gone: both are the end.
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// `http://127.0.0.1:<port>`.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(address = %self.address, "a stand-in's thread panicked");
        }
    }
}

async fn accept<S: Service>(listener: TcpListener, service: Arc<S>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "a stand-in cannot listen"),
    };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(serve(Arc::clone(&service), stream))),
                Err(error) => tracing::warn!(%error, "could not accept a connection"),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve<S: Service>(service: Arc<S>, stream: TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not set TCP_NODELAY");
    }
    let answer = service_fn(|request| collect(Arc::clone(&service), request));
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn collect<S: Service>(service: Arc<S>, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(collected) => {
            let carried_out = tokio::spawn(service.answer(Request::from_parts(parts, collected.to_bytes())));
            carried_out.await.unwrap_or_else(|error| {
                tracing::error!(%error, "a stand-in's answer panicked");
                Err(Cut)
            })
        }
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => {
            let mut answer =
                Response::new(Full::from(format!("the stand-in takes {BODY_BYTES_MAX} bytes a request\n")));
            *answer.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            Ok(answer)
        }
        // The client is gone in mid-request: nobody is there to be answered.
        Err(_) => Err(Cut),
    }
}
