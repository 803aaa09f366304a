//! A stretch of wire between a client and a server that a case can cut.

use anyhow::Result;
use kube::config::{KubeConfigOptions, Kubeconfig};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Forwards bytes, TLS or not, from a loopback port of its own.
pub struct Wire {
    /// Where clients connect.
    pub address: SocketAddr,
    cuts: watch::Sender<u64>,
    accepting: JoinHandle<()>,
}

impl Wire {
    /// Lays a wire to a server on loopback.
    pub async fn to(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (cuts, seen) = watch::channel(0);
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(forward(near, server, seen.clone()));
            }
        });
        Ok(Self { address, cuts, accepting })
    }

    /// Cuts every connection that is open now; new ones pass.
    pub fn cut(&self) {
        self.cuts.send_modify(|count| *count += 1);
    }

    /// A client that goes through this wire, with the access of a kubeconfig.
    pub async fn client(&self, kubeconfig: &std::path::Path) -> Result<kube::Client> {
        let content = Kubeconfig::read_from(kubeconfig)?;
        let mut config = kube::Config::from_custom_kubeconfig(content, &KubeConfigOptions::default()).await?;
        let scheme = config.cluster_url.scheme_str().unwrap_or("http").to_owned();
        config.cluster_url = format!("{scheme}://{}", self.address).parse()?;
        Ok(kube::Client::try_from(config)?)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn forward(mut near: TcpStream, server: SocketAddr, mut cuts: watch::Receiver<u64>) {
    // Cuts before this connection are none of its business.
    cuts.mark_unchanged();
    let Ok(mut far) = TcpStream::connect(server).await else { return };
    tokio::select! {
        _ = cuts.changed() => {}
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
    }
}
