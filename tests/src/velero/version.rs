//! How do Velero's versions differ where hooks and cuts are concerned?
//!
//! Sources: `backup.go`, `item_backupper.go`, `backup_controller.go` and `backup_queue_controller.go` of v1.14.1, v1.15.2,
//! v1.17.2 and v1.18.1. What follows lists only differences that a hook can notice.

/// A version, as far as its behaviour differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum VeleroVersion {
    /// Up to 1.14: no blocks. Each pod is hooked, cut and released before the next; one goroutine.
    UpTo1_14,
    /// 1.15: blocks, one after another; a block's post hooks may overlap the next block's pre hooks.
    V1_15,
    /// 1.16 and 1.17: blocks run by a pool of workers; one Backup at a time, no queue phases.
    V1_17,
    /// 1.18: a queue with phases, `--concurrent-backups`, a pool per Backup.
    #[default]
    V1_18,
}

impl VeleroVersion {
    /// Whether pods can share a block.
    pub fn has_blocks(self) -> bool {
        self >= Self::V1_15
    }

    /// How many blocks of one Backup run at once, given `--item-block-worker-count`.
    pub fn workers(self, configured: usize) -> usize {
        if self >= Self::V1_17 { configured.max(1) } else { 1 }
    }

    /// Whether post hooks run beside the next block (1.15.1 and 1.15.2).
    pub fn detaches_post_hooks(self) -> bool {
        self == Self::V1_15
    }

    /// Whether claims with the same volume-group label share a block.
    pub fn groups_claims_by_label(self) -> bool {
        self >= Self::V1_17
    }

    /// How many Backups run at once, given `--concurrent-backups`.
    pub fn concurrent_backups(self, configured: usize) -> usize {
        if self.has_queue() { configured.max(1) } else { 1 }
    }

    /// Whether waiting Backups pass through `Queued` and `ReadyToStart`.
    pub fn has_queue(self) -> bool {
        self >= Self::V1_18
    }
}
