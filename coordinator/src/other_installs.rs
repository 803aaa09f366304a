//! Looks for other installs of this product: leader Leases in whichever namespace.

use coordinator_core::neighbours::{Install, Neighbours, Serving};
use coordinator_core::time::Mono;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use kube::api::{Api, ListParams};
use shared::identity::Namespace;
use shared::names::LEADER_LEASE;
use shared::time::WallTime;

use crate::api::within;
use crate::cli::OtherInstalls;
use crate::election::decode;

/// So many Leases are read at most: nobody has as many installs, and somebody may have made Leases of that name.
const INSTALLS_MAX: u32 = 100;

/// One who looks.
pub struct Lookout {
    api: Api<Lease>,
    neighbours: Neighbours,
    wanted: OtherInstalls,
}

impl Lookout {
    /// One who has not looked yet.
    pub fn new(client: Client, own: Namespace, wanted: OtherInstalls) -> Self {
        Self { api: Api::all(client), neighbours: Neighbours::new(own), wanted }
    }

    /// Looks again if it is time to; says which install serves in our place. Where the API server does not answer within `limit_ms`, what was
    /// seen before still counts, for as long as it would have anyway.
    pub async fn serving(&mut self, now: Mono, limit_ms: u64) -> Option<Serving> {
        if self.wanted == OtherInstalls::Ignore {
            return None;
        }
        if self.neighbours.must_look(now) {
            let named = ListParams::default().fields(&format!("metadata.name={LEADER_LEASE}")).limit(INSTALLS_MAX);
            // The watch of all Leases, which needs the same right, tells of a refusal.
            if let Ok(leases) = within(limit_ms, self.api.list(&named)).await {
                self.neighbours.observe(leases.items.iter().filter_map(install).collect(), now);
            }
        }
        self.neighbours.serving(now)
    }
}

fn install(lease: &Lease) -> Option<Install> {
    let created = lease.metadata.creation_timestamp.as_ref().map_or(WallTime::EPOCH, |time| WallTime::from(time.0));
    let namespace = lease.metadata.namespace.as_deref()?.parse().ok()?;
    let (record, _version) = decode(lease);
    Some(Install { namespace, created, record })
}
