//! What is worth telling of what happens, and in which words? A line per event that matters; large groups in sums.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::layout::Layout;
use super::paper::{Ink, length};
use super::workloads::{BUDGET, GROUPS, Group, LONER, group_in};
use crate::velero::hook_calls::HookPhase;
use crate::velero::object_name::ObjectName;
use crate::velero::truth::{Entry, Fact, Moment, Reported};

/// Pods of a group of this size or smaller get a line each where they are processed one by one.
const PODS_TOLD_EACH_MAX: u32 = 3;

/// A large group that is processed one by one gets this many lines.
const PARTS_TOLD: u32 = 4;

/// A wait for the budget that is shorter is not worth a word, ms.
const WAIT_TOLD_MIN_MS: u64 = 100;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Whom it is about.
    pub subject: String,
    /// Its colour.
    pub ink: Ink,
    /// What happened.
    pub text: String,
}

/// What is known of one pod's part.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    came: Option<Moment>,
    still: Option<Moment>,
    let_go: Option<Moment>,
}

/// What is known of one group.
#[derive(Clone, Debug, Default)]
struct Story {
    parts: BTreeMap<String, Part>,
    cuts: Vec<Moment>,
    has_waited: bool,
}

/// Tells one layout's night.
#[derive(Debug)]
pub struct Narrator {
    layout: Layout,
    stories: BTreeMap<&'static str, Story>,
    loners_told: BTreeSet<String>,
}

impl Narrator {
    /// Nothing has happened yet.
    pub fn new(layout: Layout) -> Self {
        Self { layout, stories: BTreeMap::new(), loners_told: BTreeSet::new() }
    }

    /// Something that the simulator saw.
    pub fn fact(&mut self, Entry { at, fact }: &Entry) -> Option<Line> {
        match fact {
            Fact::HookStarted { pod, phase: HookPhase::Pre, .. } => {
                self.part(pod)?.came.get_or_insert(*at);
                None
            }
            Fact::HookReported { pod, phase, reported, .. } if !reported.is_success() => {
                Some(failed(pod, *phase, reported))
            }
            Fact::HookReported { pod, phase: HookPhase::Pre, .. } => self.still(pod, *at),
            Fact::Cut { claim, .. } => self.cut(claim, *at),
            Fact::HookStarted { pod, phase: HookPhase::Post, .. } => self.let_go(pod, *at),
            _ => None,
        }
    }

    /// Something that the coordinator logged.
    pub fn logged(&mut self, line: &Value) -> Option<Line> {
        let group = GROUPS.iter().find(|group| {
            let key = group.key();
            line["namespace"] == key.namespace.as_str() && line["group_id"] == key.group.as_str()
        })?;
        let (ink, text) = match line["event_type"].as_str()? {
            "group_status" => self.waits(group, &line["wait"])?,
            "group_granted" => granted(group, line["waited_ms"].as_u64()?),
            "group_ready" => self.released(group, line["pod_count"].as_u64()?)?,
            "barrier_degraded" => (Ink::Fair, line["message"].as_str()?.to_owned()),
            "member_expired" => (Ink::Bad, line["message"].as_str()?.to_owned()),
            "group_receipt" => receipt(line),
            _ => return None,
        };
        Some(Line { subject: group.label(), ink, text })
    }

    /// Whether pods of a group are told one by one.
    fn is_one_by_one(&self, group: &Group) -> bool {
        self.layout == Layout::EachPodAlone || group.pods == 1
    }

    fn story(&mut self, namespace: &str) -> Option<(&'static Group, &mut Story)> {
        let group = group_in(namespace)?;
        Some((group, self.stories.entry(group.namespace).or_default()))
    }

    fn part(&mut self, pod: &ObjectName) -> Option<&mut Part> {
        let (_, story) = self.story(&pod.namespace)?;
        Some(story.parts.entry(pod.name.clone()).or_default())
    }

    fn still(&mut self, pod: &ObjectName, at: Moment) -> Option<Line> {
        let Some(part) = self.part(pod) else { return self.loner(pod) };
        part.still = Some(at);
        let (group, story) = self.story(&pod.namespace)?;
        let came: Vec<Moment> = story.parts.values().filter(|p| p.still.is_some()).filter_map(|p| p.came).collect();
        let took = at.after(came.iter().min().copied()?);
        let (all, pods) = (came.len() == group.pods as usize, group.pods);
        let text = format!("all {pods} pods hold still, {} after the first hook began", length(took));
        (all && !self.is_one_by_one(group)).then(|| plain(group, text))
    }

    fn loner(&mut self, pod: &ObjectName) -> Option<Line> {
        let is_new = pod.namespace == LONER.0 && self.loners_told.insert(pod.name.clone());
        let text = "has no volumes and is in no group: its hooks return at once".to_owned();
        is_new.then(|| Line { subject: format!("{}/{}", pod.namespace, pod.name), ink: Ink::Dim, text })
    }

    fn cut(&mut self, claim: &ObjectName, at: Moment) -> Option<Line> {
        let (group, story) = self.story(&claim.namespace)?;
        story.cuts.push(at);
        let span = at.after(*story.cuts.first()?);
        let all = story.cuts.len() == group.volumes() as usize;
        let text = format!("all {} volumes cut within {}", group.volumes(), length(span));
        (all && !self.is_one_by_one(group)).then(|| plain(group, text))
    }

    fn let_go(&mut self, pod: &ObjectName, at: Moment) -> Option<Line> {
        self.part(pod)?.let_go = Some(at);
        let layout = self.layout;
        let (group, story) = self.story(&pod.namespace)?;
        let part = *story.parts.get(&pod.name)?;
        let over = u32::try_from(story.parts.values().filter(|p| p.let_go.is_some()).count()).unwrap_or(u32::MAX);
        let pods = group.pods;
        let told_each = pods <= PODS_TOLD_EACH_MAX;
        let text = if layout != Layout::EachPodAlone && pods > 1 {
            (over == pods).then(|| "all pods let go".to_owned())?
        } else if told_each {
            let (waited, held) = (part.still?.after(part.came?), at.after(part.still?));
            format!("{}: hook took {}, volume cut, held for {}", short(&pod.name), length(waited), length(held))
        } else {
            over.is_multiple_of(pods / PARTS_TOLD).then(|| format!("{over} of {pods} pods cut, one after the other"))?
        };
        Some(plain(group, text))
    }

    fn waits(&mut self, group: &'static Group, wait: &Value) -> Option<(Ink, String)> {
        if wait["for"] != "budget" {
            return None;
        }
        let (_, story) = self.story(group.namespace)?;
        if std::mem::replace(&mut story.has_waited, true) {
            return None;
        }
        let (in_use, weight) = (wait["in_use"].as_u64()?, group.volumes());
        let needs = if weight > BUDGET { format!("{weight}: when all others are done") } else { weight.to_string() };
        Some((Ink::Fair, format!("waits: {in_use} of {BUDGET} volumes in use, needs {needs}")))
    }

    fn released(&self, group: &Group, hooks: u64) -> Option<(Ink, String)> {
        let is_barrier = self.layout == Layout::ParallelWorkers && hooks > 1;
        is_barrier
            .then(|| (Ink::Plain, format!("all {} hooks wait at the barrier; one write releases them", group.pods)))
    }
}

fn plain(group: &Group, text: String) -> Line {
    Line { subject: group.label(), ink: Ink::Plain, text }
}

/// A Deployment's pod is called by its Deployment here: the rest of its name is noise.
fn short(pod: &str) -> &str {
    match pod.split('-').collect::<Vec<_>>()[..] {
        [name, _, _] => name,
        _ => pod,
    }
}

fn failed(pod: &ObjectName, phase: HookPhase, reported: &Reported) -> Line {
    let subject = group_in(&pod.namespace).map_or_else(|| pod.to_string(), Group::label);
    Line { subject, ink: Ink::Bad, text: format!("{} hook of {}: {reported}", phase.as_str(), pod.name) }
}

fn granted(group: &Group, waited_ms: u64) -> (Ink, String) {
    let weight = group.volumes();
    let share = if weight > BUDGET {
        format!("released: {weight} volumes, alone because over the budget of {BUDGET}")
    } else {
        format!("released: {weight} of {BUDGET} volumes")
    };
    let waited = std::time::Duration::from_millis(waited_ms);
    let after = if waited_ms < WAIT_TOLD_MIN_MS { String::new() } else { format!(", after {}", length(waited)) };
    (Ink::Plain, format!("{share}{after}"))
}

/// The verdict and its numbers; the reason stands in the table.
fn receipt(line: &Value) -> (Ink, String) {
    let verdict = line["verdict"].as_str().unwrap_or("without a verdict");
    let time = |field: &str| {
        line[field].as_u64().map_or_else(|| "?".to_owned(), |ms| length(std::time::Duration::from_millis(ms)))
    };
    let (skew, held) = (time("skew_ms"), time("held_ms_max"));
    (ink_of(verdict), format!("RECEIPT {verdict}: cuts within {skew}, no pod held longer than {held}"))
}

/// The colour of a verdict.
pub fn ink_of(verdict: &str) -> Ink {
    match verdict {
        "group-consistent" => Ink::Good,
        "member-consistent" => Ink::Fair,
        _ => Ink::Bad,
    }
}

#[cfg(test)]
#[path = "narrator_tests.rs"]
mod tests;
