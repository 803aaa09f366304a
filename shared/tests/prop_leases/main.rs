//! Leases as they are encoded and decoded: whatever they say, however they are damaged, between versions.

mod any;
mod round_trip;
mod versions;

use k8s_openapi::api::coordination::v1::Lease;

/// A Lease as it comes back from an API server: through JSON.
fn over_the_wire(lease: &Lease) -> Lease {
    serde_json::from_str(&serde_json::to_string(lease).unwrap()).unwrap()
}
