//! Is a log judged as it deserves?

use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::velero::hook_calls::HookPhase;
use crate::velero::truth::{CutWay, Entry, ExecId, Fact, ProcessExit};

/// Builds a log of two pods a and b with one claim each, from words `pre:a`, `cut:b`, `post:a`, `fail:a` at 1 s steps.
/// `pre` and `fail` end at once, with 0 and 7.
fn log(words: &str) -> Timeline {
    let name = |n: &str| ObjectName::new("db", n);
    let claims = ["a", "b"].map(|n| (name(&format!("claim-{n}")), vec![name(n)])).to_vec();
    let mut facts = vec![Fact::BlockBegun { backup: "x".into(), pods: vec![name("a"), name("b")], claims }];
    for (number, word) in words.split_whitespace().enumerate() {
        let (what, who) = word.split_once(':').unwrap();
        let exec = ExecId(number as u64);
        let hook = |phase| Fact::HookStarted {
            exec,
            backup: "x".into(),
            pod: name(who),
            container: "main".into(),
            phase,
            command: vec![],
            pid: 1,
        };
        match what {
            "pre" => facts.extend([hook(HookPhase::Pre), Fact::HookExited { exec, exit: ProcessExit::Code(0) }]),
            "fail" => facts.extend([hook(HookPhase::Pre), Fact::HookExited { exec, exit: ProcessExit::Code(7) }]),
            "stuck" => facts.push(hook(HookPhase::Pre)),
            "post" => facts.push(hook(HookPhase::Post)),
            "cut" => {
                facts.push(Fact::Cut { backup: "x".into(), claim: name(&format!("claim-{who}")), way: CutWay::Csi });
            }
            other => panic!("no such word: {other}"),
        }
    }
    let at = |n: usize| Moment { since_start: Duration::from_secs(n as u64), wall: Timestamp::UNIX_EPOCH };
    Timeline::new(facts.into_iter().enumerate().map(|(n, fact)| Arc::new(Entry { at: at(n), fact })).collect())
}

fn judge(words: &str, limit_s: Option<u64>) -> TruthVerdict {
    let members = BTreeSet::from(["a", "b"].map(|n| ObjectName::new("db", n)));
    truth_verdict(&log(words).of_backup("x"), &members, limit_s.map(Duration::from_secs))
}

fn check(words: &str, expected: Consistency) {
    let verdict = judge(words, None);
    assert_eq!(verdict.consistency, expected, "{words}: {verdict:?}");
    assert_eq!(verdict.reasons.is_empty(), expected == Consistency::GroupConsistent, "{words}: {verdict:?}");
}

#[test]
fn orders() {
    check("pre:a pre:b cut:a cut:b post:a post:b", Consistency::GroupConsistent);
    check("pre:a cut:a post:a pre:b cut:b post:b", Consistency::MemberConsistent);
    check("pre:a pre:b cut:a post:a cut:b post:b", Consistency::MemberConsistent);
    check("fail:a pre:b cut:a cut:b post:b", Consistency::CrashConsistent);
    check("stuck:a pre:b cut:a cut:b post:b", Consistency::CrashConsistent);
    check("pre:a pre:b cut:a post:a post:b cut:b", Consistency::CrashConsistent);
    check("pre:a pre:b cut:a post:a post:b", Consistency::NotCut);
    check("pre:a pre:b", Consistency::NotCut);
}

#[test]
fn a_second_pre_that_fails_leaves_nothing_proven() {
    check("pre:a fail:a pre:b cut:a cut:b post:a post:b", Consistency::CrashConsistent);
}

#[test]
fn what_thaws_by_itself_no_longer_covers() {
    // a is quiesced at 2 s, the cuts are at 5 and 6 s.
    assert_eq!(judge("pre:a pre:b cut:a cut:b post:a post:b", Some(4)).consistency, Consistency::GroupConsistent);
    let late = judge("pre:a pre:b cut:a cut:b post:a post:b", Some(3));
    assert_eq!(late.consistency, Consistency::MemberConsistent);
    assert_eq!(late.reasons, [TruthReason::DoesNotCoverAllCuts(ObjectName::new("db", "a"))]);
    assert_eq!(judge("pre:a pre:b cut:a cut:b post:a post:b", Some(1)).consistency, Consistency::CrashConsistent);
}

#[test]
fn skew_and_order_are_read_off() {
    let timeline = log("pre:a pre:b cut:a cut:b post:a post:b");
    assert_eq!(timeline.order(), "pre a · pre b · cut claim-a · cut claim-b · post a · post b");
    assert_eq!(timeline.skew(), Some(Duration::from_secs(1)));
    assert!(timeline.is_one_block() && !log("pre:a cut:a pre:b").is_one_block());
}
