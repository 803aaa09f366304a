//! How does a backup of one group go under the original's rules, second by second?

use std::collections::BTreeSet;

use crate::velero::backup::Phase;
use crate::velero::truth::Consistency;

use super::markers::Markers;
use super::outcome::{MemberOutcome, Outcome, PreEnd, Step, StepKind};
use super::rule::Rule;

/// The pre hook's time-out in the original's Schedules (`10m`).
pub const PRE_TIMEOUT_S: u64 = 600;

/// The coordinator's `CronJob` runs this often (`* * * * *`).
pub const COORDINATOR_EVERY_S: u64 = 60;

/// The pre hook's loop sleeps this long.
const PRE_ASKS_EVERY_S: u64 = 10;

/// Velero's poll for a snapshot's handle: what one CSI cut takes at least.
const CUT_S: u64 = 5;

/// How Velero processes the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Velero's default: pre, cut, post of one pod, then the next pod.
    EachPodAlone,
    /// `orderedResources`: all pre hooks one after another, all cuts, all post hooks.
    OneBlock,
    /// Each pod alone, as many at once as there are workers.
    ParallelWorkers(usize),
}

/// How much is granted to the scripts beyond what they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Nothing at all: the scripts are where the installation puts them, in Velero's own pod, and no workload has them.
    AsInstalled,
    /// They are in the workloads' images, with `kubectl` and the rights that it needs.
    Literal,
    /// That, and the group id loses the quotes that the labels file has around it.
    Unquoted,
    /// All that, and the markers carry the labels that the coordinator looks for.
    Labelled,
}

/// What to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Pods in the group, one volume each.
    pub members: usize,
    /// How Velero processes them.
    pub layout: Layout,
    /// What is granted.
    pub reading: Reading,
    /// "Completed" markers that an earlier backup left. None is what an installation begins with, and nothing in the original
    /// ever makes the first one.
    pub completed_before: usize,
    /// Seconds after a run of the coordinator at which the Backup begins.
    pub begins_at_s: u64,
    /// The pre hook's time-out: [`PRE_TIMEOUT_S`], unless somebody cannot wait so long.
    pub pre_timeout_s: u64,
    /// The coordinator's period: [`COORDINATOR_EVERY_S`].
    pub coordinator_every_s: u64,
}

impl Scenario {
    /// A group on an installation without leftovers, begun on the minute.
    pub fn new(members: usize, layout: Layout, reading: Reading) -> Self {
        Self {
            members,
            layout,
            reading,
            completed_before: 0,
            begins_at_s: 0,
            pre_timeout_s: PRE_TIMEOUT_S,
            coordinator_every_s: COORDINATOR_EVERY_S,
        }
    }
}

/// A pod's pre hook, from its start on.
#[derive(Clone, Copy, Debug)]
struct Loop {
    started_s: u64,
    ended_s: Option<u64>,
}

/// Where a worker is in its block.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Pre { nth: usize, since_s: Option<u64> },
    Cut { nth: usize, since_s: Option<u64> },
    Post { nth: usize },
}

struct Play {
    scenario: Scenario,
    markers: Markers,
    loops: Vec<Option<Loop>>,
    pre: Vec<Option<(PreEnd, u64)>>,
    cuts: Vec<u64>,
    posts: Vec<bool>,
    steps: Vec<Step>,
}

/// Plays a scenario to its end.
pub fn play(scenario: &Scenario) -> Outcome {
    let members = scenario.members;
    let mut play = Play {
        scenario: *scenario,
        markers: Markers::new(scenario.reading, scenario.completed_before, scenario.coordinator_every_s),
        loops: vec![None; members],
        pre: vec![None; members],
        cuts: vec![0; members],
        posts: vec![false; members],
        steps: Vec::new(),
    };
    let (mut blocks, workers): (Vec<Vec<usize>>, usize) = match scenario.layout {
        Layout::EachPodAlone => ((0..members).map(|member| vec![member]).collect(), 1),
        Layout::OneBlock => (vec![(0..members).collect()], 1),
        Layout::ParallelWorkers(workers) => ((0..members).map(|member| vec![member]).collect(), workers.max(1)),
    };
    blocks.reverse();
    let mut at_work: Vec<(Vec<usize>, Stage)> = Vec::new();
    let mut now_s = 0;
    loop {
        if (now_s + scenario.begins_at_s).is_multiple_of(scenario.coordinator_every_s) {
            play.coordinator(now_s);
        }
        while let Some((kind, rule)) = play.markers.runs_woke(now_s) {
            play.step(now_s, kind, rule);
        }
        play.loops_ask(now_s);
        // A worker that is done takes the next block in the same second.
        loop {
            while at_work.len() < workers
                && let Some(block) = blocks.pop()
            {
                at_work.push((block, Stage::Pre { nth: 0, since_s: None }));
            }
            let before = at_work.len();
            at_work.retain_mut(|(block, stage)| !play.work(now_s, block, stage));
            if at_work.len() == before {
                break;
            }
        }
        if at_work.is_empty() && blocks.is_empty() {
            return play.outcome(now_s);
        }
        now_s += 1;
    }
}

impl Play {
    fn step(&mut self, at_s: u64, kind: StepKind, rule: Rule) {
        self.steps.push(Step { at_s, kind, rule });
    }

    fn coordinator(&mut self, now_s: u64) {
        for (kind, rule) in self.markers.coordinator_ran(now_s) {
            let is_look = |step: &&Step| matches!(step.kind, StepKind::Held { .. } | StepKind::Released);
            let last = self.steps.iter().rev().find(is_look);
            if last.is_none_or(|step| step.kind != kind) {
                self.step(now_s, kind, rule);
            }
        }
    }

    /// Every loop that runs asks at its own tenth second, also those that Velero has given up on.
    fn loops_ask(&mut self, now_s: u64) {
        let is_released = self.markers.is_released();
        for hook in self.loops.iter_mut().flatten().filter(|hook| hook.ended_s.is_none()) {
            if is_released && (now_s - hook.started_s).is_multiple_of(PRE_ASKS_EVERY_S) {
                hook.ended_s = Some(now_s);
            }
        }
    }

    /// Brings a block as far as it gets in this second; says whether it is done.
    fn work(&mut self, now_s: u64, block: &[usize], stage: &mut Stage) -> bool {
        loop {
            let next = match *stage {
                Stage::Pre { nth, since_s } => self.pre(now_s, block, nth, since_s),
                Stage::Cut { nth, since_s } => self.cut(now_s, block, nth, since_s),
                Stage::Post { nth } => {
                    let Some(&member) = block.get(nth) else { return true };
                    self.post(now_s, member);
                    Some(Stage::Post { nth: nth + 1 })
                }
            };
            // What cannot go on now is asked again in the next second.
            let Some(next) = next else { return false };
            *stage = next;
        }
    }

    fn pre(&mut self, now_s: u64, block: &[usize], nth: usize, since_s: Option<u64>) -> Option<Stage> {
        let Some(&member) = block.get(nth) else { return Some(Stage::Cut { nth: 0, since_s: None }) };
        if self.scenario.reading == Reading::AsInstalled {
            self.pre[member] = Some((PreEnd::NotStarted, 0));
            self.step(now_s, StepKind::PreEnded(member, PreEnd::NotStarted), Rule::ScriptsAreElsewhere);
            return Some(Stage::Pre { nth: nth + 1, since_s: None });
        }
        let Some(since_s) = since_s else {
            let rule = self.markers.pre_started(member, now_s);
            self.step(now_s, StepKind::PreStarted(member), rule);
            // Its first question comes before its first sleep.
            let ended_s = self.markers.is_released().then_some(now_s);
            self.loops[member] = Some(Loop { started_s: now_s, ended_s });
            return Some(Stage::Pre { nth, since_s: Some(now_s) });
        };
        let has_ended = self.loops[member].is_some_and(|hook| hook.ended_s.is_some());
        let (end, rule) = if has_ended {
            (PreEnd::Released, Rule::PreAsksEveryTenSeconds)
        } else if now_s - since_s >= self.scenario.pre_timeout_s {
            (PreEnd::TimedOut, Rule::PreTimesOutAfterTenMinutes)
        } else {
            return None;
        };
        self.pre[member] = Some((end, now_s - since_s));
        self.step(now_s, StepKind::PreEnded(member, end), rule);
        Some(Stage::Pre { nth: nth + 1, since_s: None })
    }

    fn cut(&mut self, now_s: u64, block: &[usize], nth: usize, since_s: Option<u64>) -> Option<Stage> {
        let Some(&member) = block.get(nth) else { return Some(Stage::Post { nth: 0 }) };
        let Some(since_s) = since_s else {
            // The cut itself is at once; what takes time is that Velero notices.
            self.cuts[member] = now_s;
            let failed = self.pre[member].is_some_and(|(end, _)| end != PreEnd::Released);
            let rule = if failed { Rule::FailedPreIsCutAllTheSame } else { Rule::NothingIsQuiesced };
            self.step(now_s, StepKind::Cut(member), rule);
            return Some(Stage::Cut { nth, since_s: Some(now_s) });
        };
        (now_s - since_s >= CUT_S).then_some(Stage::Cut { nth: nth + 1, since_s: None })
    }

    fn post(&mut self, now_s: u64, member: usize) {
        if self.pre[member].is_some_and(|(end, _)| end == PreEnd::Released) {
            self.markers.post_ran(member, now_s);
            self.posts[member] = true;
            self.step(now_s, StepKind::PostRan(member), Rule::OnlyPostWritesCompleted);
        } else {
            self.step(now_s, StepKind::PostSkipped(member), Rule::NoPostAfterFailedPre);
        }
    }

    fn outcome(self, total_s: u64) -> Outcome {
        let Self { scenario, markers: _, loops, pre, cuts, posts, steps } = self;
        let member = |n: usize| {
            let (end, wait_s) = pre[n].unwrap_or((PreEnd::TimedOut, 0));
            let still_loops = loops[n].is_some_and(|hook| hook.ended_s.is_none());
            MemberOutcome { pre: end, wait_s, cut_at_s: cuts[n], post_ran: posts[n], still_loops }
        };
        let members: Vec<MemberOutcome> = (0..cuts.len()).map(member).collect();
        let has_failed = members.iter().any(|m| m.pre != PreEnd::Released);
        let skew_s = cuts.iter().max().unwrap_or(&0) - cuts.iter().min().unwrap_or(&0);
        let mut rules: BTreeSet<Rule> = steps.iter().map(|step| step.rule).collect();
        rules.insert(Rule::NothingIsQuiesced);
        rules.extend(members.iter().any(|m| m.still_loops).then_some(Rule::TimeoutKillsNothing));
        rules.extend(has_failed.then_some(Rule::FailedHookMakesPartiallyFailed));
        let is_waiting = members.iter().any(|m| m.wait_s > 0);
        let is_serial =
            is_waiting && !matches!(scenario.layout, Layout::ParallelWorkers(workers) if workers >= members.len());
        rules.extend((is_serial && members.len() > 1).then_some(Rule::PreHooksAreSerial));
        Outcome {
            total_s,
            skew_s,
            phase: if has_failed { Phase::PartiallyFailed } else { Phase::Completed },
            consistency: if members.is_empty() { Consistency::NotCut } else { Consistency::CrashConsistent },
            members,
            steps,
            rules,
        }
    }
}

#[cfg(test)]
#[path = "play_tests.rs"]
mod tests;
