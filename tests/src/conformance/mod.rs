//! One suite for two servers: what this product relies on, asked of the embedded server and of a real kube-apiserver alike.
//!
//! A case is an `async fn(Cluster) -> anyhow::Result<()>` in the file of its subject. [`conformance_cases`] is the one
//! table of them all; `tests/api_conformance.rs` makes a test of each entry for each server, so that every failure is
//! reported under its own name. A case that is not in the table is dead code, which the compiler refuses.

// A case builds what it wants in place and gives it away; `path` and `patch` are the words of the subject.
#![allow(clippy::needless_pass_by_value, clippy::similar_names)]

#[macro_use]
mod table;

mod access;
mod applying;
mod cluster;
mod compare;
mod deleting;
mod event_rules;
mod garbage;
mod kubectl;
mod lease_rules;
mod listing;
mod metadata_rules;
mod objects;
mod patching;
mod refusals;
mod runtime;
mod samples;
mod statuses;
mod watches;
mod watching;
mod wire;

pub use cluster::{Cluster, Mint, PodToken};

use anyhow::{Context, Result};
use futures::future::BoxFuture;

/// Asks of one behaviour.
#[derive(Clone, Copy)]
pub struct Case {
    /// Such as `watches::one_object_by_its_name`.
    pub name: &'static str,
    /// What it needs besides a server.
    run: fn(Cluster) -> BoxFuture<'static, Result<()>>,
}

macro_rules! as_table {
    (both { $($group:ident { $($case:ident)* })* } embedded { $($own_group:ident { $($own_case:ident)* })* }) => {
        /// Every case there is.
        pub static CASES: &[Case] = &[
            $($(Case { name: concat!(stringify!($group), "::", stringify!($case)), run: |c| Box::pin($group::$case(c)) },)*)*
            $($(Case { name: concat!(stringify!($own_group), "::", stringify!($own_case)), run: |c| Box::pin($own_group::$own_case(c)) },)*)*
        ];
    };
}

conformance_cases!(as_table);

/// Runs one case by its name. An error names it, and the namespace that it left behind.
pub async fn run(name: &str, cluster: Cluster) -> Result<()> {
    let case = CASES.iter().find(|case| case.name == name).with_context(|| format!("no case {name}"))?;
    let namespace = cluster.namespace.clone();
    (case.run)(cluster).await.with_context(|| format!("{name}, namespace {namespace}"))
}
