//! What would Velero do here? A simulator of its server with the real rules for hooks, blocks, order, time-outs and restarts.

pub mod backup;
pub mod go_duration;
pub mod hook_calls;
pub mod inventory;
pub mod item_blocks;
pub mod kubelet;
pub mod object_name;
pub mod selection;
pub mod truth;
pub mod version;
