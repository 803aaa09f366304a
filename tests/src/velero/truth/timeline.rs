//! In which order did hooks and cuts happen, and how long did each pod wait and hold still?

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::fact::{CutWay, Entry, ExecId, Fact, LogLevel, Moment, ProcessExit, Reported};
use crate::velero::backup::Phase;
use crate::velero::hook_calls::HookPhase;
use crate::velero::object_name::ObjectName;

/// Facts in the order in which they happened. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Timeline(Vec<Arc<Entry>>);

/// One hook, from its start to its end and to what Velero made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookRun {
    /// Its number.
    pub exec: ExecId,
    /// The Backup.
    pub backup: String,
    /// The pod.
    pub pod: ObjectName,
    /// Before or after the cut.
    pub phase: HookPhase,
    /// Process id; the process may be gone.
    pub pid: u32,
    /// Just before the process was started.
    pub started: Moment,
    /// When the process was seen to have ended, and how.
    pub exited: Option<(Moment, ProcessExit)>,
    /// What it wrote, once nobody held its output any more.
    pub output: Option<(String, String)>,
    /// When Velero went on, and with what answer.
    pub reported: Option<(Moment, Reported)>,
}

/// One cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutSeen {
    /// The claim.
    pub claim: ObjectName,
    /// The volume's point in time.
    pub at: Moment,
    /// By what.
    pub way: CutWay,
}

/// From when to when a pod held still, as far as its hooks' processes prove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiesce {
    /// Its last pre hook had really ended, all of them with exit 0.
    pub from: Moment,
    /// Its first post hook after that was about to start; `None` while there is none.
    pub until: Option<Moment>,
}

/// The kinds of [`Step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepKind {
    /// A pre hook started.
    Pre,
    /// A volume was cut.
    Cut,
    /// A post hook started.
    Post,
}

/// The skeleton of a backup: one hook start or cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub at: Moment,
    /// What.
    pub kind: StepKind,
    /// The pod, or for a cut the claim.
    pub subject: ObjectName,
}

impl Timeline {
    /// Takes entries that are in order already.
    pub fn new(entries: Vec<Arc<Entry>>) -> Self {
        Self(entries)
    }

    /// The facts themselves.
    pub fn entries(&self) -> &[Arc<Entry>] {
        &self.0
    }

    /// Only what belongs to one Backup.
    #[must_use]
    pub fn of_backup(&self, name: &str) -> Self {
        let execs: BTreeSet<ExecId> =
            self.hooks().into_iter().filter(|hook| hook.backup == name).map(|hook| hook.exec).collect();
        let belongs = |fact: &Fact| match fact {
            Fact::ServerStarted | Fact::ServerKilled => false,
            Fact::HookExited { exec, .. } | Fact::HookClosed { exec, .. } => execs.contains(exec),
            Fact::Phase { backup, .. }
            | Fact::Logged { backup, .. }
            | Fact::BlockBegun { backup, .. }
            | Fact::HookStarted { backup, .. }
            | Fact::HookReported { backup, .. }
            | Fact::CutRequested { backup, .. }
            | Fact::Cut { backup, .. }
            | Fact::SnapshotReady { backup, .. }
            | Fact::PodStored { backup, .. } => backup == name,
        };
        Self(self.0.iter().filter(|entry| belongs(&entry.fact)).cloned().collect())
    }

    /// All hooks whose process was started, in order of their start.
    pub fn hooks(&self) -> Vec<HookRun> {
        let mut runs: BTreeMap<ExecId, HookRun> = BTreeMap::new();
        for entry in &self.0 {
            let Entry { at, fact } = &**entry;
            match fact {
                Fact::HookStarted { exec, backup, pod, container: _, phase, command: _, pid } => {
                    let (backup, pod) = (backup.clone(), pod.clone());
                    let run = HookRun {
                        exec: *exec,
                        backup,
                        pod,
                        phase: *phase,
                        pid: *pid,
                        started: *at,
                        exited: None,
                        output: None,
                        reported: None,
                    };
                    runs.insert(*exec, run);
                }
                Fact::HookExited { exec, exit } => {
                    runs.entry(*exec).and_modify(|run| run.exited = Some((*at, *exit)));
                }
                Fact::HookClosed { exec, stdout, stderr } => {
                    runs.entry(*exec).and_modify(|run| run.output = Some((stdout.clone(), stderr.clone())));
                }
                Fact::HookReported { exec: Some(exec), reported, .. } => {
                    runs.entry(*exec).and_modify(|run| run.reported = Some((*at, reported.clone())));
                }
                _ => {}
            }
        }
        let mut runs: Vec<HookRun> = runs.into_values().collect();
        runs.sort_by_key(|run| run.started);
        runs
    }

    /// The hooks of one pod in one phase.
    pub fn hooks_of(&self, pod: &ObjectName, phase: HookPhase) -> Vec<HookRun> {
        self.hooks().into_iter().filter(|hook| hook.pod == *pod && hook.phase == phase).collect()
    }

    /// All cuts, in order.
    pub fn cuts(&self) -> Vec<CutSeen> {
        let cut = |entry: &Arc<Entry>| match &entry.fact {
            Fact::Cut { claim, way, .. } => Some(CutSeen { claim: claim.clone(), at: entry.at, way: *way }),
            _ => None,
        };
        self.0.iter().filter_map(cut).collect()
    }

    /// From the first to the last cut; `None` without any.
    pub fn skew(&self) -> Option<Duration> {
        let cuts = self.cuts();
        Some(cuts.last()?.at.after(cuts.first()?.at))
    }

    /// Hook starts and cuts, in order.
    pub fn steps(&self) -> Vec<Step> {
        let step = |entry: &Arc<Entry>| {
            let (kind, subject) = match &entry.fact {
                Fact::HookStarted { pod, phase: HookPhase::Pre, .. } => (StepKind::Pre, pod),
                Fact::HookStarted { pod, phase: HookPhase::Post, .. } => (StepKind::Post, pod),
                Fact::Cut { claim, .. } => (StepKind::Cut, claim),
                _ => return None,
            };
            Some(Step { at: entry.at, kind, subject: subject.clone() })
        };
        self.0.iter().filter_map(step).collect()
    }

    /// The steps as text, for example `pre db-0 · cut data-db-0 · post db-0`; namespaces are left away.
    pub fn order(&self) -> String {
        let words = |step: &Step| {
            let kind = match step.kind {
                StepKind::Pre => "pre",
                StepKind::Cut => "cut",
                StepKind::Post => "post",
            };
            format!("{kind} {}", step.subject.name)
        };
        self.steps().iter().map(words).collect::<Vec<_>>().join(" · ")
    }

    /// Whether all pre hooks started before the first cut, and all cuts came before the first post hook.
    pub fn is_one_block(&self) -> bool {
        self.steps().is_sorted_by_key(|step| step.kind)
    }

    /// How long Velero waited for a pod's pre hooks: from the first start to the last answer.
    pub fn wait(&self, pod: &ObjectName) -> Option<Duration> {
        let pre = self.hooks_of(pod, HookPhase::Pre);
        let (answered, _) = pre.last()?.reported.as_ref()?;
        Some(answered.after(pre.first()?.started))
    }

    /// When a pod held still; `None` when no pre hook ran, or one ended with anything but 0, or has not ended yet.
    pub fn quiesce(&self, pod: &ObjectName) -> Option<Quiesce> {
        let ends: Option<Vec<Moment>> = self
            .hooks_of(pod, HookPhase::Pre)
            .iter()
            .map(|hook| hook.exited.filter(|(_, exit)| *exit == ProcessExit::Code(0)).map(|(at, _)| at))
            .collect();
        let from = ends?.into_iter().max()?;
        let until = self.hooks_of(pod, HookPhase::Post).iter().map(|hook| hook.started).find(|at| *at >= from);
        Some(Quiesce { from, until })
    }

    /// The claims of the blocks and the pods of the block that mount each.
    pub fn claims(&self) -> BTreeMap<ObjectName, BTreeSet<ObjectName>> {
        let mut claims: BTreeMap<ObjectName, BTreeSet<ObjectName>> = BTreeMap::new();
        for entry in &self.0 {
            if let Fact::BlockBegun { claims: of_block, .. } = &entry.fact {
                for (claim, pods) in of_block {
                    claims.entry(claim.clone()).or_default().extend(pods.iter().cloned());
                }
            }
        }
        claims
    }

    /// The phases the server wrote, in order.
    pub fn phases(&self) -> Vec<Phase> {
        let phase = |entry: &Arc<Entry>| if let Fact::Phase { phase, .. } = &entry.fact { Some(*phase) } else { None };
        self.0.iter().filter_map(phase).collect()
    }

    /// The last phase that the server wrote of one Backup.
    pub fn last_phase(&self, name: &str) -> Option<Phase> {
        self.0.iter().rev().find_map(|entry| match &entry.fact {
            Fact::Phase { backup, phase } if backup == name => Some(*phase),
            _ => None,
        })
    }

    /// When the server wrote a phase for the first time.
    pub fn entered(&self, wanted: Phase) -> Option<Moment> {
        let is_it = |entry: &&Arc<Entry>| matches!(&entry.fact, Fact::Phase { phase, .. } if *phase == wanted);
        self.0.iter().find(is_it).map(|entry| entry.at)
    }

    /// Lines of the Backups' logs at a level.
    pub fn logged(&self, wanted: LogLevel) -> Vec<&str> {
        let mut lines = Vec::new();
        for entry in &self.0 {
            if let Fact::Logged { level, message, .. } = &entry.fact
                && *level == wanted
            {
                lines.push(message.as_str());
            }
        }
        lines
    }

    /// The pods whose object went into the tarball.
    pub fn stored_pods(&self) -> BTreeSet<ObjectName> {
        let pod =
            |entry: &Arc<Entry>| if let Fact::PodStored { pod, .. } = &entry.fact { Some(pod.clone()) } else { None };
        self.0.iter().filter_map(pod).collect()
    }
}

impl fmt::Display for Timeline {
    /// One line a fact: seconds since the log began, then the fact.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|entry| writeln!(f, "{:9.3} {}", entry.at.since_start.as_secs_f64(), line(&entry.fact)))
    }
}

fn line(fact: &Fact) -> String {
    match fact {
        Fact::ServerStarted => "server started".into(),
        Fact::ServerKilled => "server killed".into(),
        Fact::Phase { backup, phase } => format!("{backup}: {phase}"),
        Fact::Logged { backup, level, message } => format!("{backup}: {level:?}: {message}"),
        Fact::BlockBegun { backup, pods, claims } => {
            format!("{backup}: block of {} pods, {} claims", pods.len(), claims.len())
        }
        Fact::HookStarted { exec, backup, pod, container, phase, command, pid } => {
            format!("{backup}: {} {pod}/{container} started as #{} pid {pid}: {command:?}", phase.as_str(), exec.0)
        }
        Fact::HookExited { exec, exit } => format!("#{} ended: {exit:?}", exec.0),
        Fact::HookClosed { exec, stdout, stderr } => format!("#{} closed: {stdout:?} {stderr:?}", exec.0),
        Fact::HookReported { exec: _, backup, pod, phase, reported } => {
            format!("{backup}: {} {pod} reported: {reported}", phase.as_str())
        }
        Fact::CutRequested { backup, claim } => format!("{backup}: cut of {claim} requested"),
        Fact::Cut { backup, claim, way } => format!("{backup}: cut {claim} ({way:?})"),
        Fact::SnapshotReady { backup, claim } => format!("{backup}: snapshot of {claim} ready"),
        Fact::PodStored { backup, pod } => format!("{backup}: pod {pod} stored"),
    }
}
