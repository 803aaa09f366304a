//! Tells the coordinator that a member was let go without its post hook: adds when and why to the member Lease.

use serde_json::json;
use shared::admission::MemberPhase;
use shared::member_lease::{FAILURE_CHARS_MAX, MemberLease, annotations, let_go_annotations};
use shared::quiesce::LetGo;
use std::time::Duration;

use crate::access;
use crate::call::CallError;
use crate::client::Client;
use crate::clock::Clock;
use crate::keeper::outcome::Outcome;
use crate::keeper::wire::ReportTo;
use crate::leases::Leases;
use crate::retry;

/// How long to try, ms: as long as a coordinator's failover and a restart of the API server take. Post says it again later.
const REPORT_MS: u64 = 60_000;

/// Adds it, unless the Lease is somebody else's by now or post was there. Nobody hears of a failure: the Lease then says
/// `quiesced` without an end, from which no receipt concludes anything good.
pub async fn report(to: &ReportTo, outcome: &Outcome) {
    let Some(client) = access::find(&to.access).ok().and_then(|access| Client::new(access).ok()) else { return };
    let leases = Leases::new(client, to.namespace.clone());
    let clock = Clock::start();
    let _ = retry::until(&clock, REPORT_MS, async |limit| add(&leases, to, outcome, limit).await, |_| ()).await;
}

async fn add(leases: &Leases, to: &ReportTo, outcome: &Outcome, limit: Duration) -> Result<(), CallError> {
    let lease = match leases.get(&to.lease, limit).await {
        Ok(lease) => lease,
        Err(CallError::NotFound { .. }) => return Ok(()),
        Err(e) => return Err(e),
    };
    let ours = MemberLease::decode(&lease)
        .is_ok_and(|member| member.attempt.to_string() == outcome.attempt && member.phase == MemberPhase::Quiesced);
    if !ours {
        return Ok(());
    }
    let words: String = outcome.words.chars().take(FAILURE_CHARS_MAX).collect();
    let [nearest, exact] = let_go_annotations(Some(outcome.let_go));
    let mut patch = json!({ "metadata": {
        "resourceVersion": lease.metadata.resource_version,
        "annotations": { annotations::THAWED_AT: outcome.thawed_at.to_string(), nearest.0: nearest.1, exact.0: exact.1 },
    } });
    if let Some(boot) = &outcome.thawed_boot {
        patch["metadata"]["annotations"][annotations::THAWED_BOOT] = json!(boot.to_string());
    }
    if outcome.let_go != LetGo::Cut {
        patch["metadata"]["annotations"][annotations::FAILURE] = json!(words);
    }
    leases.merge(&to.lease, &patch, limit).await.map(drop)
}
