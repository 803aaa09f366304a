//! The least that a process can do to be released: watch one Lease, end when it says so. What hooks are compared with.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, WatchEvent, WatchParams};
use kube::config::AuthInfo;
use kube::{Client, Config};
use tokio::process::Command;

use crate::stamp;

/// As first argument it turns this program into such a client.
pub const ARGUMENT: &str = "bare-client";

/// The holder that stands for "go".
pub const GO: &str = "go";

/// Far more than any wait here, s.
const WATCH_S: u32 = 290;

/// A client as a process of its own, not started yet.
pub fn command(url: &str, token: &str, namespace: &str, lease: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("finding this program itself")?);
    command.args([ARGUMENT, url, token, namespace, lease]).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    Ok(command)
}

/// As sixth argument it has the file stamped by a program that is started for it, as a plan's programs are.
pub const BY_PROGRAM: &str = "by-program";

/// Is such a client. A fifth argument names a file that it stamps when it hears the word.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let (four, file) = arguments.split_at(arguments.len().min(4));
    let [url, token, namespace, lease] = four else { bail!("{ARGUMENT} wants URL, token, namespace and Lease") };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut config = Config::new(url.parse().context("the URL")?);
        config.default_retry = false;
        config.auth_info = AuthInfo { token: Some(token.clone().into()), ..AuthInfo::default() };
        let leases: Api<Lease> = Api::namespaced(Client::try_from(config)?, namespace);
        let only_this = WatchParams::default().fields(&format!("metadata.name={lease}")).timeout(WATCH_S);
        let mut events = Box::pin(leases.watch(&only_this, "0").await?);
        while let Some(event) = events.next().await {
            match event? {
                WatchEvent::Added(lease) | WatchEvent::Modified(lease) if holder(&lease) == Some(GO) => {
                    return match file {
                        [] => Ok(()),
                        [file] => stamp::put(Path::new(file)),
                        [file, ..] => stamp::by_program(Path::new(file)),
                    };
                }
                WatchEvent::Error(status) => bail!("the watch was ended: {}", status.message),
                _ => {}
            }
        }
        bail!("the watch ended before the word came")
    })
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref()
}
