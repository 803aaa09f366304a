//! What is there to be looked at? A cluster in the middle of its night: some groups are cut, some run, one waits, most are to come.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::{Timestamp, ToSpan as _};
use serde_json::Value;
use shared::admission::{Admission, Mode, RoundPhase};
use shared::group_lease::{Epoch, GroupLease};
use shared::identity::{GroupKey, PodName};
use shared::receipt::{MemberEnd, MemberReceipt, Receipt};
use shared::time::WallTime;
use shared::verdict::{Verdict, VerdictReason};
use testbed::api::ServerOptions;
use testbed::coordinator_bed::{CoordinatorBed, Member};
use testbed::coordinator_process::CoordinatorProcess;
use testbed::velero::cluster::{MadePod, Workload};

/// Everything that is waited for comes within this, on a machine that does ten other things.
const SOON: Duration = Duration::from_mins(3);

/// How far the night has come, hours of eight.
const INTO_THE_NIGHT_H: i64 = 3;

const TEAMS: [&str; 12] = [
    "billing",
    "catalog",
    "checkout",
    "identity",
    "ledger",
    "mail",
    "metrics",
    "orders",
    "payments",
    "search",
    "shop",
    "warehouse",
];
const KINDS: [&str; 8] = ["postgres", "redis", "kafka", "mariadb", "elastic", "minio", "rabbit", "etcd"];

/// A cluster and its coordinator.
pub struct Night {
    /// The coordinator that leads.
    pub coordinator: CoordinatorProcess,
    /// What the page lies at.
    pub url: String,
    _members: Vec<Member>,
    _bed: CoordinatorBed,
}

/// Makes one of so many groups.
pub async fn night(groups: usize) -> anyhow::Result<Night> {
    let bed = CoordinatorBed::start(ServerOptions::default()).await?;
    let mut pods = Vec::new();
    for number in 0..groups {
        pods.push(bed.workload(&workload(number)).await.pods.swap_remove(0));
    }
    let start = Timestamp::now().checked_sub(INTO_THE_NIGHT_H.hours())?.strftime("%H:00").to_string();
    let parallel = if groups > 50 { "4" } else { "1" };
    let flags = ["--schedules", "dry-run", "--backup-window-start", &start, "--backup-window-hours", "8"];
    let busy = ["--concurrent-backups", parallel, "--expected-duration", if groups > 50 { "2m" } else { "25m" }];
    let coordinator = bed.coordinator("snapshot-coordinator-7d9c4b6f5-x2x8q", flags.into_iter().chain(busy));
    let planned = status(&coordinator, "the plan", |document| {
        let planned = document["groups"]["items"]
            .as_array()
            .is_some_and(|items| items.len() == groups && items.iter().all(|item| item["nextRunAt"].is_string()));
        planned && document["role"] == "leads"
    });
    let planned = planned.await?;
    let now: WallTime = Timestamp::now().into();
    let mut due: Vec<(WallTime, GroupKey)> = Vec::new();
    for item in planned["groups"]["items"].as_array().context("groups")? {
        let next: WallTime = item["nextRunAt"].as_str().context("a time")?.parse()?;
        let key = format!(
            "{}/{}",
            item["namespace"].as_str().unwrap_or_default(),
            item["group"].as_str().unwrap_or_default()
        );
        due.push((next.plus_ms(-86_400_000), key.parse()?));
    }
    due.sort();
    // What was due in this night, the latest last: these run, those before are over. What comes after them was cut last night, or never.
    let begun = now.plus_ms(-(INTO_THE_NIGHT_H + 1) * 3_600_000);
    let (tonight, later): (Vec<_>, Vec<_>) = due.into_iter().partition(|(at, _)| *at >= begun && *at < now);
    let running = tonight.len().min(if groups > 50 { 3 } else { 1 });
    let (over, open) = tonight.split_at(tonight.len() - running);
    for (number, (at, key)) in over.iter().enumerate() {
        put_receipt(&bed, key, *at, number)?;
    }
    for (number, (at, key)) in later.iter().enumerate().filter(|(number, _)| number % 5 != 4) {
        put_receipt(&bed, key, *at, number * 3)?;
    }
    let mut members = Vec::new();
    for (_, key) in open {
        let pod = pod_of(&bed, &pods, key).context("a pod of the group")?;
        members.push(Member::register(&bed, pod, key.group.as_str(), 1).await?);
    }
    let expected = over.len() + later.len() - later.len() / 5;
    let seen = status(&coordinator, "receipts and rounds", |document| {
        let verdicts = document["totals"]["lastVerdicts"].as_object();
        let told: u64 = verdicts.map_or(0, |all| all.values().filter_map(Value::as_u64).sum());
        let rounds = ["roundsRunning", "roundsWaiting"].iter().filter_map(|name| document["totals"][*name].as_u64());
        told == expected as u64 && rounds.sum::<u64>() == open.len() as u64
    });
    seen.await?;
    let url = format!("http://{}/", coordinator.http_address(SOON).await);
    Ok(Night { coordinator, url, _members: members, _bed: bed })
}

fn workload(number: usize) -> Workload {
    let (team, kind) = (number % TEAMS.len(), number / TEAMS.len() + number * 5);
    let stage = number / 40;
    let namespace = if stage == 0 { TEAMS[team].to_owned() } else { format!("{}-{stage}", TEAMS[team]) };
    let name = format!("{}-{number}", KINDS[kind % KINDS.len()]);
    let replicas = u32::try_from(number % 3).unwrap_or(0) + 1;
    let set = Workload::stateful_set(&namespace, &name, replicas);
    // A person's slip, and what looks like markup.
    if number == 3 {
        set.annotation("snapshot-group.velero.io/frozen-time-max", "<b id=injected>soon</b>")
    } else {
        set
    }
}

fn pod_of<'a>(bed: &CoordinatorBed, pods: &'a [MadePod], key: &GroupKey) -> Option<&'a MadePod> {
    pods.iter().find(|pod| {
        pod.name.namespace == key.namespace.as_str() && bed.label(pod).as_deref() == Some(key.group.as_str())
    })
}

/// The receipt of a round that began with its run and took a minute or two.
fn put_receipt(bed: &CoordinatorBed, key: &GroupKey, due: WallTime, number: usize) -> anyhow::Result<()> {
    let pod = || "db-1".to_owned();
    let (verdict, why) = match number % 17 {
        4 => (Verdict::MemberConsistent, VerdictReason::QuiescesDoNotOverlap { pod: pod() }),
        11 => (Verdict::CrashConsistent, VerdictReason::CutOutsideQuiesce { pod: pod() }),
        7 | 14 => (Verdict::Unknown, VerdictReason::CutNotObserved { pod: pod() }),
        _ => (Verdict::GroupConsistent, VerdictReason::QuiescesCoverAllCuts),
    };
    let opened_at = due.plus_ms(12_000);
    let number = i64::try_from(number).unwrap_or(0);
    let quiesced_at = opened_at.plus_ms(700);
    let held_ms = 2_000 + number * 271 % 13_000;
    let member = MemberReceipt {
        pod: PodName::new("db-0")?,
        volumes: 1,
        end: MemberEnd::Done,
        admission: Some(if number % 23 == 9 { Admission::OverBudget } else { Admission::Released }),
        waited_ms: Some(600),
        quiesced_at: Some(quiesced_at),
        thawed_at: Some(quiesced_at.plus_ms(held_ms)),
        steady_ms: None,
        let_go: None,
        unheld: false,
        failure: None,
        cuts: vec![],
    };
    let epoch = Epoch(u32::try_from(number).unwrap_or(0) + 1);
    let receipt = Receipt {
        namespace: key.namespace.clone(),
        group: key.group.clone(),
        epoch: Some(epoch),
        backup: Some(format!("auto-{}-{number}", key.namespace)),
        mode: Mode::ArriveAndGo,
        way: None,
        degraded: false,
        weight: 1,
        opened_at,
        closed_at: opened_at.plus_ms(held_ms + 41_000),
        members: vec![member],
        members_omitted: 0,
        earlier_rounds: None,
        frozen_max: None,
        quiesce_skew_ms: None,
        clock_error_ms: Some(50),
        skew_ms: (verdict != Verdict::Unknown).then(|| u64::try_from(held_ms / 3).unwrap_or(0)),
        verdict,
        why,
    };
    let lease = GroupLease {
        key: key.clone(),
        epoch,
        phase: RoundPhase::Closed,
        mode: Mode::ArriveAndGo,
        degraded: false,
        call: None,
        attempts: std::collections::BTreeMap::new(),
        weight: 1,
        wait: None,
        backup: None,
        writer: "another".to_owned(),
        opened_at,
        renewed_at: opened_at,
        round_duration_s: 14_400,
        receipt: Some(receipt),
    };
    let mut object = serde_json::to_value(lease.encode())?;
    object["apiVersion"] = "coordination.k8s.io/v1".into();
    object["kind"] = "Lease".into();
    bed.server.put(object).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    Ok(())
}

/// The document, once it fits.
pub async fn status(
    coordinator: &CoordinatorProcess,
    what: &str,
    fits: impl Fn(&Value) -> bool,
) -> anyhow::Result<Value> {
    let begin = Instant::now();
    loop {
        let document: Value = serde_json::from_str(&coordinator.get("/status.json?rows=5000").await.body)?;
        if fits(&document) {
            return Ok(document);
        }
        let head = || document.to_string().chars().take(3_000).collect::<String>();
        anyhow::ensure!(begin.elapsed() < SOON, "waited in vain for {what}: {}", head());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
