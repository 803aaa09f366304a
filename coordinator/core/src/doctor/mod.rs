//! What is wrong, or could be better, with a cluster that takes part: checks over what was gathered, one file a subject.
//!
//! Each check is a function of [`facts::Facts`] that pushes findings. Nothing is asked here; what could not be gathered is a
//! fact too, and a finding of its own. The same facts give the same findings in the same order.

mod access;
mod agents;
mod bindings;
mod claims;
pub mod facts;
pub mod finding;
#[cfg(test)]
mod fixtures;
mod gathered;
mod groups;
mod hooks;
mod installs;
mod metrics;
mod running;
mod schedules;
mod server;
mod server_flags;
mod snapshots;

use facts::Facts;
use finding::Finding;

/// Whether Velero's server is there, as far as Deployments are known.
pub fn has_server(facts: &Facts) -> bool {
    server_flags::server(facts).is_some()
}

/// Every finding, the gravest first, each once.
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for check in [
        gathered::check,
        installs::check,
        running::check,
        bindings::check,
        server::check,
        snapshots::check,
        claims::check,
        groups::check,
        hooks::check,
        agents::check,
        access::check,
        metrics::check,
        schedules::check,
    ] {
        check(facts, &mut findings);
    }
    findings.sort();
    // Pods of one StatefulSet have one cause and one cure.
    findings.dedup_by(|a, b| a.check == b.check && a.subject == b.subject && a.evidence == b.evidence);
    findings
}
