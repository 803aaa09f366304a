//! Which Backup and which phase does an exec belong to? Pure: from the lines of both logs to facts.
//!
//! A kubelet is told neither, and Velero's lines about hooks name no pod. But Velero says which pods it puts into which block, and
//! announces each hook with its container and command before it asks for it. An exec belongs to the oldest announcement of its command
//! whose Backup has the pod in a block.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::follow::Mounts;
use super::kubelet_log::{ExecEvent, ExecLine};
use super::server_log::Said;
use crate::velero::go_duration::GoDuration;
use crate::velero::hook_calls::HookPhase;
use crate::velero::object_name::ObjectName;
use crate::velero::truth::{ExecId, Fact, ProcessExit, Reported};

/// What the logs have said so far.
#[derive(Debug)]
pub(super) struct Attribution {
    mounts: Arc<Mounts>,
    backups: BTreeMap<String, Pods>,
    announced: VecDeque<Announced>,
    open: Vec<Open>,
    last_exec: u64,
}

/// The pods of one Backup.
#[derive(Debug, Default)]
struct Pods {
    /// Of the block that is being made, in hook order.
    pending: Vec<ObjectName>,
    /// Of all blocks.
    taken: BTreeSet<ObjectName>,
}

#[derive(Debug)]
struct Announced {
    backup: String,
    phase: HookPhase,
    container: String,
    command: Vec<String>,
}

/// An exec that is not over.
#[derive(Debug)]
struct Open {
    exec: ExecId,
    backup: String,
    phase: HookPhase,
    pod: ObjectName,
    pid: u32,
    started: Timestamp,
    /// Velero has gone on without it, or has gone itself.
    is_given_up: bool,
}

/// A fact and when it happened.
pub(super) type Dated = (Timestamp, Fact);

impl Attribution {
    pub(super) fn new(mounts: Arc<Mounts>) -> Self {
        Self { mounts, backups: BTreeMap::new(), announced: VecDeque::new(), open: vec![], last_exec: 0 }
    }

    /// The server has ended: nobody hears of the hooks that run, and what it announced never comes.
    pub(super) fn server_ended(&mut self) {
        self.announced.clear();
        self.open.iter_mut().for_each(|open| open.is_given_up = true);
    }

    /// Velero said something of a Backup; it was read at `now`.
    pub(super) fn said(&mut self, now: Timestamp, backup: &str, said: Said) -> Vec<Dated> {
        let fact = match said {
            Said::PodTaken(pod) => {
                let pods = self.backups.entry(backup.to_owned()).or_default();
                if pods.taken.insert(pod.clone()) {
                    pods.pending.push(pod);
                }
                return vec![];
            }
            Said::BlockHanded => {
                let pods = self.backups.entry(backup.to_owned()).or_default();
                let pods = std::mem::take(&mut pods.pending);
                if pods.is_empty() {
                    return vec![];
                }
                Fact::BlockBegun { backup: backup.to_owned(), claims: self.mounts.claims_of(&pods), pods }
            }
            Said::HookAnnounced { phase, container, command } => {
                self.announced.push_back(Announced { backup: backup.to_owned(), phase, container, command });
                return vec![];
            }
            Said::HookFailed { phase, error } => return self.hook_failed(now, backup, phase, &error),
            Said::Logged { level, message } => Fact::Logged { backup: backup.to_owned(), level, message },
        };
        vec![(now, fact)]
    }

    /// Only a hook that timed out goes on without its exec; of any other failure the kubelet's line says more.
    fn hook_failed(&mut self, now: Timestamp, backup: &str, phase: HookPhase, error: &str) -> Vec<Dated> {
        let of_hook = |open: &&mut Open| open.backup == backup && open.phase == phase && !open.is_given_up;
        let Some(limit) = timed_out(error) else { return vec![] };
        let off = |open: &Open| (open.started + limit).duration_since(now).abs();
        let Some(open) = self.open.iter_mut().filter(of_hook).min_by_key(|open| off(open)) else { return vec![] };
        open.is_given_up = true;
        vec![(now, open.reported(Reported::TimedOut(limit)))]
    }

    /// The kubelet said something of an exec. `None` for one that is no hook of Velero's.
    pub(super) fn exec(&mut self, line: ExecLine) -> Vec<Dated> {
        let at = line.at;
        let facts = match line.what {
            ExecEvent::Started => self.started(line).into_iter().collect(),
            ExecEvent::Ended { code } => match self.find(&line) {
                Some(place) => vec![Fact::HookExited { exec: self.open[place].exec, exit: ProcessExit::Code(code) }],
                None => vec![],
            },
            ExecEvent::Released { code, ref stdout, ref stderr } => match self.find(&line) {
                Some(place) => {
                    let open = self.open.remove(place);
                    let (stdout, stderr) = (stdout.clone(), stderr.clone());
                    let mut facts = vec![Fact::HookClosed { exec: open.exec, stdout, stderr }];
                    if !open.is_given_up {
                        facts.push(open.reported(Reported::Exited(code)));
                    }
                    facts
                }
                None => vec![],
            },
            ExecEvent::Refused { ref error } => match self.announced_for(&line) {
                Some(Announced { backup, phase, .. }) => {
                    let reported = Reported::NotStarted(error.clone());
                    vec![Fact::HookReported { exec: None, backup, pod: line.pod, phase, reported }]
                }
                None => vec![],
            },
        };
        facts.into_iter().map(|fact| (at, fact)).collect()
    }

    fn started(&mut self, line: ExecLine) -> Option<Fact> {
        let Announced { backup, phase, .. } = self.announced_for(&line)?;
        let ExecLine { at, pod, container, command, pid, .. } = line;
        self.last_exec += 1;
        let exec = ExecId(self.last_exec);
        let open = Open { exec, backup: backup.clone(), phase, pod: pod.clone(), pid, started: at, is_given_up: false };
        self.open.push(open);
        Some(Fact::HookStarted { exec, backup, pod, container, phase, command, pid })
    }

    /// Takes the announcement that an exec answers to.
    fn announced_for(&mut self, line: &ExecLine) -> Option<Announced> {
        let Self { announced, backups, .. } = self;
        let fits = |a: &Announced| {
            a.container == line.container
                && a.command == line.command
                && backups.get(&a.backup).is_some_and(|pods| pods.taken.contains(&line.pod))
        };
        announced.iter().position(fits).and_then(|place| announced.remove(place))
    }

    fn find(&self, line: &ExecLine) -> Option<usize> {
        self.open.iter().position(|open| open.pid == line.pid && open.pod == line.pod)
    }
}

impl Open {
    fn reported(&self, reported: Reported) -> Fact {
        let Self { exec, backup, pod, phase, .. } = self;
        Fact::HookReported { exec: Some(*exec), backup: backup.clone(), pod: pod.clone(), phase: *phase, reported }
    }
}

/// `timed out after 5s`, as `pod_command_executor.go` words it.
fn timed_out(error: &str) -> Option<Duration> {
    GoDuration::parse(error.strip_prefix("timed out after ")?).ok()?.positive()
}

#[cfg(test)]
#[path = "attribution_tests.rs"]
mod tests;
