//! The flags about holding groups still; a workload's annotations of the same names stand before them.

use clap::Args;
use coordinator_core::policy::ThawOnCut;
use shared::deadline::CALL_WITHIN_DEFAULT_MS;

use super::values::{self, Ms};

/// How groups may be held still.
#[derive(Debug, Args)]
pub struct HoldFlags {
    /// When a member lets go before its post hook: when all of its group is cut, at its own cut, or off
    #[arg(long, env, value_name = "WHEN", value_parser = values::thaw_on_cut, default_value = "group")]
    pub thaw_on_cut: ThawOnCut,

    /// The most members of a group that are held still at once, for databases whose quorum must live [default: all]
    #[arg(long, env, value_name = "MEMBERS", value_parser = values::frozen_max, allow_hyphen_values = true)]
    pub frozen_max: Option<u32>,

    /// The longest time for which a group is held still, from its first member on [default: each member's own limit]
    #[arg(long, env, value_name = "TIME", value_parser = values::frozen_time_max, allow_hyphen_values = true)]
    pub frozen_time_max: Option<Ms>,

    /// Lead mode: how long residents may take to hold still once they are called
    #[arg(long, env, value_name = "TIME", value_parser = values::call_within, allow_hyphen_values = true,
          default_value_t = Ms(CALL_WITHIN_DEFAULT_MS))]
    pub call_within: Ms,
}
