//! Is the night told in few and true words?

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::velero::truth::{CutWay, ExecId};

fn at(ms: u64) -> Moment {
    Moment { since_start: Duration::from_millis(ms), wall: Timestamp::UNIX_EPOCH }
}

fn hook(pod: &ObjectName, phase: HookPhase, ms: u64) -> Entry {
    let (pod, container, command) = (pod.clone(), "main".into(), vec![]);
    let fact = Fact::HookStarted { exec: ExecId(1), backup: "b".into(), pod, container, phase, command, pid: 1 };
    Entry { at: at(ms), fact }
}

fn returned(pod: &ObjectName, phase: HookPhase, reported: Reported, ms: u64) -> Entry {
    let fact = Fact::HookReported { exec: None, backup: "b".into(), pod: pod.clone(), phase, reported };
    Entry { at: at(ms), fact }
}

fn cut(pod: &ObjectName, ms: u64) -> Entry {
    let claim = ObjectName::new(&pod.namespace, format!("data-{}", pod.name));
    Entry { at: at(ms), fact: Fact::Cut { backup: "b".into(), claim, way: CutWay::Csi } }
}

/// Pods processed one after the other, each hook 100 ms, each hold 200 ms.
fn told_one_by_one(layout: Layout, group: &Group) -> Vec<String> {
    let mut narrator = Narrator::new(layout);
    let mut told = Vec::new();
    for ordinal in 0..u64::from(group.pods) {
        let pod = ObjectName::new(group.namespace, format!("{}-{ordinal}", group.workload));
        let begin = ordinal * 400;
        let facts = [
            hook(&pod, HookPhase::Pre, begin),
            returned(&pod, HookPhase::Pre, Reported::Exited(0), begin + 100),
            cut(&pod, begin + 200),
            hook(&pod, HookPhase::Post, begin + 300),
        ];
        told.extend(facts.iter().filter_map(|entry| narrator.fact(entry)).map(|line| line.text));
    }
    told
}

#[test]
fn small_groups_are_told_pod_by_pod() {
    let told = told_one_by_one(Layout::EachPodAlone, &GROUPS[2]);
    assert_eq!(told.len(), 3);
    assert_eq!(told[0], "db-0: hook took 0.10s, volume cut, held for 0.20s");
}

#[test]
fn large_groups_are_told_in_sums() {
    let told = told_one_by_one(Layout::EachPodAlone, &GROUPS[1]);
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(told[3], "20 of 20 pods cut, one after the other");
    let together = told_one_by_one(Layout::OrderedBlock, &GROUPS[1]);
    assert_eq!(together.len(), 3, "{together:?}");
    assert!(together[1].starts_with("all 20 volumes cut within 7.60s"), "{together:?}");
}

#[test]
fn a_failed_hook_is_always_told() {
    let pod = ObjectName::new("search", "index-7");
    let entry = returned(&pod, HookPhase::Pre, Reported::Exited(12), 5);
    let line = Narrator::new(Layout::OrderedBlock).fact(&entry).unwrap();
    assert_eq!((line.ink, line.subject.as_str()), (Ink::Bad, "search/index"));
    assert_eq!(line.text, "pre hook of index-7: command terminated with exit code 12");
}

#[test]
fn what_the_coordinator_says_is_told_by_the_workloads_name() {
    let mut narrator = Narrator::new(Layout::ParallelWorkers);
    let key = GROUPS[1].key();
    let mut hear = |event: &str, more: serde_json::Value| {
        let mut line = json!({"event_type": event, "namespace": key.namespace, "group_id": key.group});
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        narrator.logged(&line).map(|line| (line.subject, line.text))
    };
    let wait = json!({"wait": {"for": "budget", "weight": 20, "in_use": 4, "limit": 5, "ahead": 0}});
    let (subject, text) = hear("group_status", wait.clone()).unwrap();
    assert_eq!(subject, "search/index");
    assert!(text.starts_with("waits: 4 of 5 volumes in use, needs 20"), "{text}");
    assert_eq!(hear("group_status", wait), None, "once is enough");
    assert_eq!(hear("group_status", json!({"wait": {"for": "members", "arrived": 1, "expected": 20}})), None);
    assert!(hear("group_ready", json!({"pod_count": 20})).unwrap().1.contains("one write releases"));
    let (_, text) = hear("group_receipt", json!({"verdict": "unknown", "held_ms_max": 1_500})).unwrap();
    assert_eq!(text, "RECEIPT unknown: cuts within ?, no pod held longer than 1.50s");
    assert_eq!(hear("startup", json!({})), None);
}

#[test]
fn verdicts_have_colours() {
    assert_eq!(ink_of("group-consistent"), Ink::Good);
    assert_eq!(ink_of("member-consistent"), Ink::Fair);
    assert_eq!(ink_of("unknown"), Ink::Bad);
}
