//! What these tests stand on: a bed with a leading coordinator, Backups put by hand, and the Events that users see.

use std::time::{Duration, Instant};

use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::{Api, Client};
use serde_json::{Value, json};
use shared::admission::{AttemptVerdict, RoundPhase};
use shared::group_lease::Epoch;
use testbed::api::ServerOptions;
use testbed::coordinator_bed::{CoordinatorBed, Member};
use testbed::coordinator_process::{CoordinatorProcess, eventually};
use testbed::velero::cluster::{Made, Workload};

/// Whatever is waited for comes within this, or never.
pub const SOON: Duration = Duration::from_mins(1);

/// Between two looks at the Events.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A bed with a coordinator that leads.
pub async fn leading(options: ServerOptions, flags: &[&str]) -> (CoordinatorBed, CoordinatorProcess) {
    let bed = CoordinatorBed::start(options).await.unwrap();
    let coordinator = bed.coordinator("c-0", flags);
    coordinator.line("leading", SOON, |_| true).await;
    (bed, coordinator)
}

/// A `StatefulSet` whose pods are in their group; gives the group too.
pub async fn set(bed: &CoordinatorBed, workload: Workload) -> (Made, String) {
    let made = bed.workload(&workload).await;
    for pod in &made.pods {
        eventually("a label", SOON, || bed.label(pod)).await;
    }
    let group = bed.label(&made.pods[0]).unwrap();
    (made, group)
}

/// Registers the pod and waits until it is admitted and holds.
pub async fn holding(bed: &CoordinatorBed, made: &Made, pod: usize, group: &str) -> Member {
    let nonce = u64::try_from(pod).unwrap() + 1;
    let mut member = Member::register(bed, &made.pods[pod], group, nonce).await.unwrap();
    let epoch = admitted(bed, &member).await;
    member.quiesce(epoch).await.unwrap();
    member
}

/// Waits until the member is admitted.
pub async fn admitted(bed: &CoordinatorBed, member: &Member) -> Epoch {
    eventually("admission", SOON, || member.verdict(bed).filter(|v| *v == AttemptVerdict::Admitted)).await;
    bed.group(&member.key()).unwrap().epoch
}

/// A Backup of namespace `prod` as Velero leaves it in `phase`.
pub fn put_backup(bed: &CoordinatorBed, name: &str, phase: &str) {
    let backup = json!({
        "apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"namespace": "velero", "name": name},
        "spec": {"includedNamespaces": ["prod"]}, "status": {"phase": phase},
    });
    bed.server.put(backup).unwrap_or_else(|e| panic!("{e:?}"));
}

/// Nobody's round is open, and nothing is granted.
pub async fn all_closed(bed: &CoordinatorBed, members: &[&Member]) {
    for member in members {
        eventually("a closed round", SOON, || bed.group(&member.key()).filter(|g| g.phase == RoundPhase::Closed)).await;
    }
    eventually("nothing is granted", SOON, || bed.budget().filter(|budget| budget.granted() == 0)).await;
}

/// Waits for an Event.
pub async fn told(client: &Client, reason: &str, about: (&str, &str)) -> Event {
    let events: Api<Event> = Api::all(client.clone());
    let begin = Instant::now();
    loop {
        let all = events.list(&ListParams::default()).await.expect("Events").items;
        let (kind, name) = about;
        let fits = |event: &&Event| {
            let regarding = event.regarding.clone().unwrap_or_default();
            event.reason.as_deref() == Some(reason)
                && regarding.kind.as_deref() == Some(kind)
                && regarding.name.as_deref() == Some(name)
        };
        if let Some(found) = all.iter().find(fits) {
            return found.clone();
        }
        let seen: Vec<_> = all.iter().map(|e| (&e.reason, e.regarding.as_ref().and_then(|r| r.name.clone()))).collect();
        assert!(begin.elapsed() < SOON, "no Event {reason} about {about:?}, but {seen:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What an Event says.
pub fn note(event: &Event) -> &str {
    event.note.as_deref().unwrap_or_default()
}

/// The uid of an object.
pub fn uid(bed: &CoordinatorBed, api_version: &str, kind: &str, namespace: &str, name: &str) -> Value {
    bed.server.get(api_version, kind, namespace, name).expect(name).value["metadata"]["uid"].clone()
}
