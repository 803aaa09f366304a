//! An API server that fails during a round: nothing gets stuck, and the receipt stays honest.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use testbed::api::{Effect, Fault, Target, Verb};
use testbed::pair::{HookPlan, Pair, PairOptions, group_of_set};
use testbed::velero::backup::Phase;
use testbed::velero::cluster::Workload;

use testbed::pair::check::{first_cut, honest};

/// A round with these faults from its begin to its end; all members are released within their deadlines.
async fn check(name: &str, faults: Vec<Fault>) -> Result<()> {
    let pair = Pair::start(PairOptions::new(name, 5)).await?;
    let made = pair.with(Workload::stateful_set("shop", "db", 3), &HookPlan::default()).await?;
    for fault in faults {
        pair.server().faults().add(fault);
    }
    let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}});
    let night = pair.back_up("b", spec).await?;
    assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
    let waits = made.pods.iter().filter_map(|pod| night.seen.wait(&pod.name)).max().unwrap_or_default();
    assert!(waits < Duration::from_secs(20), "{waits:?}\n{}", night.seen);
    honest(&pair, &night, &made, &group_of_set("shop", "db")).await?;
    // The round ended under the faults; this look at it need not suffer them.
    pair.server().faults().clear();
    pair.nothing_granted().await
}

fn leases() -> Target {
    Target::any().resource("leases")
}

fn refuse(code: u16, retry_after_s: Option<u32>) -> Effect {
    Effect::Refuse { code, retry_after_s }
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts() -> Result<()> {
    let each = |verb| Fault::new(leases().verb(verb), refuse(409, None)).every(3);
    check("faults-409", vec![each(Verb::Patch), each(Verb::Update), each(Verb::Create)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests() -> Result<()> {
    check("faults-429", vec![Fault::new(leases(), refuse(429, Some(1))).every(3)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn internal_errors() -> Result<()> {
    check("faults-500", vec![Fault::new(leases(), refuse(500, None)).every(3)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers() -> Result<()> {
    let each = |verb| Fault::new(leases().verb(verb), Effect::LoseAnswer).every(3);
    check("faults-lost", vec![each(Verb::Patch), each(Verb::Update), each(Verb::Create)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_that_end_and_repeat_themselves() -> Result<()> {
    let ends = Fault::new(leases(), Effect::EndWatch).every(4);
    let repeats = Fault::new(leases(), Effect::ReplayEvent).every(3);
    check("faults-watches", vec![ends, repeats]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_seconds_of_nothing() -> Result<()> {
    let mut options = PairOptions::new("faults-silence", 5);
    options.velero.csi_poll = Duration::from_millis(800);
    let pair = Pair::start(options).await?;
    let made = pair.with(Workload::stateful_set("shop", "db", 3), &HookPlan::default()).await?;
    let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}});
    pair.velero.submit("b", spec).await?;
    first_cut(&pair).await?;
    let silence = pair.server().faults().add(Fault::new(leases(), Effect::Silence));
    // The outage's length is the scenario itself.
    tokio::time::sleep(Duration::from_secs(2)).await;
    pair.server().faults().remove(silence);
    let night = pair.finished("b").await?;
    assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
    honest(&pair, &night, &made, &group_of_set("shop", "db")).await?;
    pair.nothing_granted().await
}
