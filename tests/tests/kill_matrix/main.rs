//! Does consistency survive every crash? Each party of the protocol, alone and in pairs, killed and stopped at each edge of it.
//!
//! I2: what the plans' own programs wrote down shows that nothing was held for longer than `--quiesce-max` and a second. I3: no receipt says more
//! than these words and the moments of the cuts prove.

mod bed;
mod case;
#[expect(dead_code, reason = "the file belongs to the tests of the agent, which use all of it")]
#[path = "../agent_hooks/hook.rs"]
mod hook;
mod strike;
mod truth;

use std::collections::BTreeMap;
use std::sync::Arc;

use coordinator_core::verify::{Outcome, verify};
use shared::admission::MemberPhase;
use shared::verdict::Verdict;
use testbed::pair::compare;
use testbed::velero::truth::Consistency;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::bed::Bed;
use crate::case::{Action, Case, Edge, Victim, Way};
use crate::hook::Running;
use crate::strike::strike;

/// `--quiesce-max`.
const QUIESCE_MAX: &str = "2s";
/// The same and the second of a stuck keeper, ms.
const HELD_MS_MAX: i64 = 3_000;
/// What a machine that is busy with dozens of cases takes beyond that to start the program that lets go, ms.
const STARTING_MS: i64 = 1_500;

/// How many cases run side by side. Most of them wait.
const SIDE_BY_SIDE: usize = 40;

/// What came out.
struct Came {
    claimed: Option<Verdict>,
    truth: Consistency,
    held_ms: i64,
}

/// One Backup of the group by a Velero that does what Velero does: a pre hook that fails stops no cut, and skips the pod's post hook.
async fn run(case: &Case, quiesce_max: &str) -> Result<Came, String> {
    let bed = Arc::new(Bed::start(case.way, quiesce_max).await);
    let [first, second] = &bed.pods[..] else { panic!("two pods") };
    second.allow("may-freeze");
    second.allow("may-thaw");
    if case.edge != Edge::Quiescing {
        first.allow("may-freeze");
    }
    if case.edge != Edge::Thawing {
        first.allow("may-thaw");
    }
    let word = (case.edge == Edge::Waiting).then(|| bed.hold_word_back());
    let mut mending = JoinSet::new();
    let is_settled = case.action == Action::Kill;
    bed.backup("InProgress").await;

    let pre = first.hook("pre", case.way).start();
    match case.edge {
        Edge::Waiting => {
            bed.member_that(first, "waits", |member| member.phase == MemberPhase::Waiting).await;
            mending = strike(&bed, case, Some(pre.pid())).await;
        }
        Edge::Quiescing => {
            assert!(first.says("freezes").await, "{case}: it never began to hold: {}\n{}", pre.output(), bed.story());
            mending = strike(&bed, case, Some(pre.pid())).await;
            first.allow("may-freeze");
        }
        Edge::Quiesced | Edge::Cutting | Edge::Thawing => {}
    }
    for fault in word.into_iter().flatten() {
        bed.cluster.server.faults().remove(fault);
    }
    let mut said = Vec::new();
    let mut went_on = Vec::new();
    for (pod, pre) in [(first, Some(pre)), (second, None)] {
        let pre: Running = pre.unwrap_or_else(|| pod.hook("pre", case.way).start());
        let ended = pre.ended().await;
        went_on.push(ended.status.success());
        said.push(ended.output);
    }
    if case.edge == Edge::Quiesced {
        mending = strike(&bed, case, None).await;
    }
    // Who is stopped is stopped for so long that nothing is held any more when the cut comes; who is killed is not.
    if case.edge == Edge::Quiesced && !is_settled {
        while mending.join_next().await.is_some() {}
    }
    let mut cuts = vec![bed.cut(first).await];
    if case.edge == Edge::Cutting {
        mending = strike(&bed, case, None).await;
        if !is_settled {
            while mending.join_next().await.is_some() {}
        }
    }
    cuts.push(bed.cut(second).await);
    for (pod, _) in bed.pods.iter().zip(&went_on).filter(|(_, went_on)| **went_on) {
        let post = pod.hook("post", case.way).start();
        if case.edge == Edge::Thawing && pod.made == first.made {
            assert!(first.says("thaws").await, "{case}: it never let go: {}\n{}", post.output(), bed.story());
            mending = strike(&bed, case, Some(post.pid())).await;
            first.allow("may-thaw");
        }
        said.push(post.ended().await.output);
    }
    while mending.join_next().await.is_some() {}
    bed.backup("Completed").await;
    for pod in &bed.pods {
        if !pod.nobody_is_left().await {
            return Err(format!("{}: somebody is left: {said:#?}\n{}", pod.made.name, bed.story()));
        }
    }
    let receipt = bed.receipt().await;
    check(&bed, &cuts, receipt.as_ref()).map_err(|why| format!("{why}\n{receipt:?}\n{said:#?}\n{}", bed.story()))
}

fn check(bed: &Bed, cuts: &[i64], receipt: Option<&shared::receipt::Receipt>) -> Result<Came, String> {
    let members: Vec<_> = bed.pods.iter().map(bed::Pod::words).zip(cuts.iter().copied()).collect();
    let mut held_ms = 0;
    for (words, _) in &members {
        held_ms = held_ms.max(words.longest_held_ms()?);
    }
    let truth = truth::of(&members);
    if let Some(receipt) = receipt {
        compare(receipt.verdict, &truth).map_err(|e| e.to_string())?;
        if verify(receipt).outcome() == Outcome::ClaimsMore {
            return Err(format!("the second checker: {:?}", verify(receipt).findings));
        }
    }
    Ok(Came { claimed: receipt.map(|receipt| receipt.verdict), truth: truth.consistency, held_ms })
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_strike_the_group_is_consistent_and_is_said_to_be() {
    for way in [Way::ArriveAndGo, Way::Lead] {
        let case = Case { way, edge: Edge::Cutting, action: Action::Kill, victims: vec![] };
        let shown = run(&case, "2m").await.unwrap_or_else(|why| panic!("{case}: {why}"));
        assert_eq!(
            (shown.claimed, shown.truth),
            (Some(Verdict::GroupConsistent), Consistency::GroupConsistent),
            "{case}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_is_killed_or_stopped_everything_is_let_go_and_no_receipt_says_too_much() {
    // `KILL_MATRIX="Lead Thawing"` plays these alone.
    let only = std::env::var("KILL_MATRIX").unwrap_or_default();
    let room = Arc::new(Semaphore::new(SIDE_BY_SIDE));
    let mut running = JoinSet::new();
    for case in case::all().into_iter().filter(|case| case.to_string().contains(&only)) {
        let room = Arc::clone(&room);
        running.spawn(async move {
            let _room = room.acquire().await.expect("it is never closed");
            let played = tokio::spawn({
                let case = case.clone();
                async move { run(&case, QUIESCE_MAX).await }
            });
            (case, played.await.unwrap_or_else(|panicked| Err(panicked.to_string())))
        });
    }
    let (mut wrong, mut seen, mut longest) = (Vec::new(), BTreeMap::new(), (0, String::new()));
    while let Some(played) = running.join_next().await {
        let (case, outcome) = played.expect("it does not panic");
        match outcome {
            Err(why) => wrong.push(format!("{case}: {why}")),
            Ok(Came { held_ms, .. }) if held_ms > HELD_MS_MAX + STARTING_MS => {
                wrong.push(format!("{case}: held for {held_ms} ms"));
            }
            Ok(shown) => {
                if shown.claimed.is_none() && !case.strikes(Victim::Server) {
                    wrong.push(format!("{case}: no receipt"));
                }
                longest = longest.max((shown.held_ms, case.to_string()));
                let claimed = shown.claimed.map_or_else(|| "no receipt".to_owned(), |verdict| verdict.to_string());
                *seen.entry((shown.truth, claimed)).or_insert(0) += 1;
            }
        }
    }
    if only.is_empty() {
        let came = |truth| seen.keys().any(|(came, _)| *came == truth);
        assert!(
            came(Consistency::GroupConsistent) && came(Consistency::CrashConsistent),
            "it tells nothing apart: {seen:?}"
        );
    }
    println!("in truth and as claimed: {seen:?}; held for at most {longest:?} ms");
    assert!(wrong.is_empty(), "{} of the cases:\n{}", wrong.len(), wrong.join("\n\n"));
}
