//! The contract that hook-agent and coordinator obey: names, Leases, identities, deadlines, verdicts, exit codes.
//!
//! Types and pure functions only. There is no client and no clock in here: whoever needs the time passes it in.
//! A Lease that another program or a person wrote badly decodes to an error value that names the field; nothing panics.

pub mod admission;
pub mod boot_time;
pub mod budget_lease;
pub mod deadline;
pub mod duration;
pub mod exit_code;
pub mod group_id;
pub mod group_lease;
pub mod identity;
mod lease_fields;
pub mod limiter_lease;
pub mod member_lease;
pub mod names;
pub mod quiesce;
pub mod receipt;
pub mod time;
pub mod verdict;

pub use lease_fields::LeaseError;
