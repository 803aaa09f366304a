//! What goes wrong for both programs, told once for both Veleros: each story takes a [`Pair`](super::Pair), plays, and holds what was
//! said against what really happened. The simulator must behave as the real server does, or a story fails on one of them.

mod hooks;
mod native;
mod pods;
mod restarts;

pub use hooks::{a_pre_outlives_veleros_timeout, one_of_two_is_never_quiesced};
pub use native::{Cloud, NATIVE_FLAGS, a_generated_schedule_cuts_a_group_together};
pub use pods::{a_pod_comes_again_in_mid_round, a_pod_is_deleted_in_mid_round};
pub use restarts::{
    a_coordinator_is_killed_in_mid_round, the_second_coordinator_takes_over, velero_dies_in_mid_backup,
};

use anyhow::Result;
use serde_json::{Value, json};

use super::{HookPlan, Pair};
use crate::velero::cluster::{Made, Workload};

/// The group of most stories: three pods, which Velero takes into one block.
async fn shop(pair: &Pair) -> Result<(Made, Value)> {
    let made = pair.with(Workload::stateful_set("shop", "db", 3), &HookPlan::default()).await?;
    let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}});
    Ok((made, spec))
}
