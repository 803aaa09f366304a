//! Which Leases nobody needs any more: the original's "older than one hour", done by what the Lease belongs to.

use std::collections::BTreeSet;

use crate::command::{Command, Target};
use crate::objects::{ObjectKey, PodKey};
use crate::state::State;
use crate::stored::Stored;
use crate::time::Now;

/// How often it is looked, ms.
const LOOK_MS: u64 = 30_000;
/// A member Lease whose pod is gone is kept for this, ms: the API server's own garbage collection comes first.
const MEMBER_KEEP_MS: u64 = 60_000;
/// A group Lease without pods is kept for this, ms: it holds the last receipt, and a rollout may leave a group empty for a while.
const GROUP_KEEP_MS: u64 = 3_600_000;
/// The most Leases that are collected at once: a cluster that lost a namespace must not fill the API server's queue.
const BATCH_MAX: usize = 20;

impl State {
    /// Deletions for Leases of pods and groups that are gone.
    pub(crate) fn collect(&mut self, now: Now) -> Vec<Command> {
        let Some(synced_at) = self.synced_at else { return vec![] };
        if now.mono.ms_since(self.collected_at) < LOOK_MS || now.mono.ms_since(synced_at) < MEMBER_KEEP_MS {
            return vec![];
        }
        self.collected_at = now.mono;
        let mut commands: Vec<Command> = self
            .members
            .iter()
            .filter(|(_, member)| {
                let key = PodKey { namespace: member.lease.namespace.clone(), name: member.lease.pod.clone() };
                let gone = self.world.pod(&key).is_none_or(|pod| pod.uid != member.lease.attempt.pod_uid);
                gone && now.mono.ms_since(member.changed_at) >= MEMBER_KEEP_MS
            })
            .map(|(key, member)| Command::DeleteLease(key.clone(), member.version.clone()))
            .collect();
        let with_pods: BTreeSet<_> = self.world.groups().cloned().collect();
        for (key, record) in &mut self.groups {
            let empty = record.round.is_none() && !with_pods.contains(key);
            record.empty_since = if empty { record.empty_since.or(Some(now.mono)) } else { None };
            if let (Some(since), Stored::Present(version, _)) = (record.empty_since, &record.stored)
                && now.mono.ms_since(since) >= GROUP_KEEP_MS
            {
                let name = shared::names::group_lease(&key.group).to_string();
                commands
                    .push(Command::DeleteLease(ObjectKey { namespace: key.namespace.clone(), name }, version.clone()));
            }
        }
        commands.retain(|command| self.writes.may_start(&command.target(), now.mono));
        commands
            .truncate(BATCH_MAX.saturating_sub(self.writes.count(|target| matches!(target, Target::StaleLease(_)))));
        commands
    }
}
