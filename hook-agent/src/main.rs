//! The hook-agent: Velero's pre and post hooks of a snapshot group.

mod access;
mod call;
mod cli;
mod client;
mod clock;
mod decide;
mod failure;
mod follow;
mod group;
mod help;
mod identity;
mod inject;
mod install;
mod keeper;
mod leases;
mod lines;
mod member;
mod post;
mod pre;
mod quiesce;
mod ready;
mod resident;
mod retry;
mod settings;
mod signals;
mod small_file;
mod start;
mod sweep;
mod watch_group;

fn main() -> std::process::ExitCode {
    start::start().into()
}
