//! Which Backup does the server take up when? The loop around the queue.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use kube::api::ListParams;
use kube::core::DynamicObject;
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::Server;
use super::finish::{finish, leave_in_progress};
use super::listing::namespaces;
use super::run::{Job, Outcome, run};
use super::status::{fields, now, write, write_phase};
use crate::velero::backup::{BackupSpec, Phase, read_spec};
use crate::velero::queue::{QueueEntry, QueueVerdict, judge};
use crate::velero::selection::{Filter, Selection, ValidationErrors};
use crate::velero::settings::LostHandovers;
use crate::velero::truth::{Fact, LogLevel};

/// A Backup that the server knows. Its phase is what the server wrote, not what it last saw.
struct Known {
    uid: String,
    spec: BackupSpec,
    phase: Phase,
    /// 0 outside the queue.
    position: u64,
    /// Order of arrival.
    arrival: u64,
}

/// What a task of the controller ended with.
enum Ended {
    Run(String, Outcome),
    Finished,
}

struct Controller {
    server: Arc<Server>,
    known: BTreeMap<String, Known>,
    arrivals: u64,
    /// Those that hold a slot: Velero's tracker, which lags behind the phases.
    running: BTreeSet<String>,
    handovers: u32,
    tasks: JoinSet<Ended>,
}

/// How long a server that starts waits for an API server that has not got its stores ready (429), as client-go does.
const FIRST_LIST_PATIENCE: Duration = Duration::from_secs(30);

/// How often it asks meanwhile.
const FIRST_LIST_RETRY: Duration = Duration::from_millis(200);

async fn first_list(server: &Server) -> kube::Result<Vec<DynamicObject>> {
    let give_up = Instant::now() + FIRST_LIST_PATIENCE;
    loop {
        match server.backups().list(&ListParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 429 && Instant::now() < give_up => {
                tokio::time::sleep(FIRST_LIST_RETRY).await;
            }
            listed => return listed.map(|list| list.items),
        }
    }
}

/// Marks what an earlier server left `InProgress` as `Failed`; answers with all Backups that are there.
pub(super) async fn mark_interrupted(server: &Server) -> kube::Result<Vec<DynamicObject>> {
    let found = first_list(server).await?;
    for backup in found.iter().filter(|backup| Phase::of(backup) == Some(Phase::InProgress)) {
        let name = backup.metadata.name.as_deref().unwrap_or_default();
        let reason = "found a backup with status \"InProgress\" during the server starting, mark it as \"Failed\"";
        write_phase(server, name, Phase::Failed, fields(json!({"failureReason": reason}))).await;
    }
    Ok(server.backups().list(&ListParams::default()).await?.items)
}

/// Serves Backups until it is told to stop; then nothing of it runs any more.
pub(super) async fn control(server: Arc<Server>, found: Vec<DynamicObject>, mut stop: watch::Receiver<bool>) {
    let mut controller = Controller {
        server: server.clone(),
        known: BTreeMap::new(),
        arrivals: 0,
        running: BTreeSet::new(),
        handovers: 0,
        tasks: JoinSet::new(),
    };
    // An error means that the sender is gone, which is as good as being told.
    let stopped = async { drop(stop.wait_for(|stop| *stop).await) };
    tokio::select! {
        () = stopped => {}
        () = controller.serve(found) => {}
    }
    controller.tasks.shutdown().await;
}

impl Controller {
    async fn serve(&mut self, found: Vec<DynamicObject>) {
        let backups = self.server.backups();
        let mut events = pin!(watcher(backups, watcher::Config::default()).default_backoff());
        let mut recheck = tokio::time::interval(self.server.settings.queue_recheck);
        recheck.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for backup in found {
            self.seen(&backup).await;
        }
        loop {
            tokio::select! {
                event = events.try_next() => match event {
                    Ok(Some(watcher::Event::Apply(backup) | watcher::Event::InitApply(backup))) => self.seen(&backup).await,
                    Ok(Some(watcher::Event::Delete(backup))) => self.deleted(&backup),
                    Ok(Some(watcher::Event::Init | watcher::Event::InitDone)) => {}
                    Ok(None) => return,
                    Err(error) => tracing::debug!(%error, "Backups cannot be watched just now"),
                },
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(Ended::Run(name, outcome)) => self.ran(&name, outcome).await,
                    Ok(Ended::Finished) => {}
                    Err(error) => tracing::error!(%error, "a Backup's task died"),
                },
                _ = recheck.tick() => self.start_what_may().await,
            }
        }
    }

    /// A Backup that is not known yet is taken in; changes of a known one are the server's own.
    async fn seen(&mut self, backup: &DynamicObject) {
        let name = backup.metadata.name.clone().unwrap_or_default();
        let uid = backup.metadata.uid.clone().unwrap_or_default();
        if self.known.get(&name).is_some_and(|known| known.uid == uid) {
            return;
        }
        let Some(phase) = Phase::of(backup) else { return };
        let spec = match read_spec(backup) {
            Ok(spec) => spec,
            Err(error) => {
                let message = format!("{error}: {}", error.source);
                self.server.truth.record(Fact::Logged { backup: name, level: LogLevel::Error, message });
                return;
            }
        };
        let position = backup.data.pointer("/status/queuePosition").and_then(serde_json::Value::as_u64).unwrap_or(0);
        self.arrivals += 1;
        self.known.insert(name.clone(), Known { uid, spec, phase, position, arrival: self.arrivals });
        match phase {
            Phase::New if self.server.settings.version.has_queue() => self.enqueue(&name).await,
            Phase::ReadyToStart => self.begin(&name).await,
            Phase::WaitingForPluginOperations
            | Phase::WaitingForPluginOperationsPartiallyFailed
            | Phase::Finalizing
            | Phase::FinalizingPartiallyFailed => self.finish(name, phase),
            _ => {}
        }
        self.start_what_may().await;
    }

    /// A run goes on without its Backup.
    fn deleted(&mut self, backup: &DynamicObject) {
        let name = backup.metadata.name.as_deref().unwrap_or_default();
        if !self.running.contains(name) {
            self.known.remove(name);
        }
    }

    async fn enqueue(&mut self, name: &str) {
        let position = self.known.values().map(|known| known.position).max().unwrap_or(0) + 1;
        write_phase(&self.server, name, Phase::Queued, fields(json!({"queuePosition": position}))).await;
        if let Some(known) = self.known.get_mut(name) {
            (known.phase, known.position) = (Phase::Queued, position);
        }
    }

    /// Looks at every waiting Backup, in order.
    async fn start_what_may(&mut self) {
        if self.server.settings.version.has_queue() {
            self.start_from_queue().await;
        } else {
            self.start_first_come().await;
        }
    }

    /// Up to 1.17: one at a time, in order of arrival.
    async fn start_first_come(&mut self) {
        while self.running.is_empty() {
            let waiting = self.known.iter().filter(|(_, known)| known.phase == Phase::New);
            let Some(name) = waiting.min_by_key(|(_, known)| known.arrival).map(|(name, _)| name.clone()) else {
                return;
            };
            self.begin(&name).await;
        }
    }

    async fn start_from_queue(&mut self) {
        if !self.known.values().any(|known| known.phase == Phase::Queued) {
            return;
        }
        let cluster = match namespaces(&self.server.client).await {
            Ok((all, _)) => all,
            Err(error) => return tracing::warn!(%error, "namespaces cannot be listed; Backups stay queued"),
        };
        let mut waiting: Vec<(u64, String)> =
            self.queue(&cluster).into_iter().filter(|e| e.position > 0).map(|e| (e.position, e.name)).collect();
        waiting.sort();
        for (_, name) in waiting {
            let entries = self.queue(&cluster);
            let Some(candidate) = entries.iter().find(|entry| entry.name == name) else { continue };
            let settings = &self.server.settings;
            let concurrent = settings.version.concurrent_backups(settings.concurrent_backups);
            match judge(candidate, &entries, self.running.len(), concurrent) {
                QueueVerdict::Start => self.dequeue(&name).await,
                QueueVerdict::NoSlot => return,
                verdict => tracing::debug!(?verdict, name, "stays queued"),
            }
        }
    }

    fn queue(&self, cluster: &[String]) -> Vec<QueueEntry> {
        let in_queue = |phase| matches!(phase, Phase::Queued | Phase::ReadyToStart | Phase::InProgress);
        let entry = |(name, known): (&String, &Known)| {
            let filter = Filter::new(&known.spec.included_namespaces, &known.spec.excluded_namespaces);
            let namespaces = cluster.iter().filter(|ns| filter.takes(ns)).cloned().collect();
            QueueEntry { name: name.clone(), phase: known.phase, position: known.position, namespaces }
        };
        self.known.iter().filter(|(_, known)| in_queue(known.phase)).map(entry).collect()
    }

    async fn dequeue(&mut self, name: &str) {
        write_phase(&self.server, name, Phase::ReadyToStart, fields(json!({"queuePosition": null}))).await;
        if let Some(known) = self.known.get_mut(name) {
            (known.phase, known.position) = (Phase::ReadyToStart, 0);
        }
        let mut rest: Vec<(&String, &mut Known)> =
            self.known.iter_mut().filter(|(_, k)| k.phase == Phase::Queued).collect();
        rest.sort_by_key(|(_, known)| known.position);
        for (position, (other, known)) in (1..).zip(rest) {
            if known.position != position {
                known.position = position;
                write(&self.server, other, json!({"status": {"queuePosition": position}})).await;
            }
        }
        self.begin(name).await;
    }

    /// Validates a Backup and runs it.
    async fn begin(&mut self, name: &str) {
        let Some(known) = self.known.get_mut(name) else { return };
        let mut spec = known.spec.clone();
        match namespaces(&self.server.client).await {
            Ok((_, excluded)) => spec.excluded_namespaces.extend(excluded),
            Err(error) => tracing::warn!(%error, "namespaces cannot be listed; none is left out by its label"),
        }
        let selection = match Selection::new(&spec) {
            Ok(selection) => selection,
            Err(ValidationErrors(errors)) => {
                known.phase = Phase::FailedValidation;
                let status = fields(json!({"validationErrors": errors}));
                return write_phase(&self.server, name, Phase::FailedValidation, status).await;
            }
        };
        known.phase = Phase::InProgress;
        self.running.insert(name.to_owned());
        write(&self.server, name, json!({"metadata": {"labels": {"velero.io/storage-location": "default"}}})).await;
        let status = fields(json!({"startTimestamp": now(), "version": 1, "formatVersion": "1.1.0"}));
        write_phase(&self.server, name, Phase::InProgress, status).await;
        let job = Job { name: name.to_owned(), spec, selection };
        let server = self.server.clone();
        self.tasks.spawn(async move { Ended::Run(job.name.clone(), run(server, job).await) });
    }

    /// A run is over: the phase changes first, which wakes the queue; the slot is freed after. When the queue was faster it
    /// finds no slot and idles until it looks by itself.
    async fn ran(&mut self, name: &str, outcome: Outcome) {
        let phase = leave_in_progress(&self.server, name, &outcome).await;
        if let Some(known) = self.known.get_mut(name) {
            known.phase = phase;
        }
        self.handovers += 1;
        let is_lost = match self.server.settings.lost_handovers {
            LostHandovers::Never => false,
            LostHandovers::Every(nth) => self.server.settings.version.has_queue() && self.handovers % nth == 0,
        };
        self.running.remove(name);
        self.finish(name.to_owned(), phase);
        if !is_lost {
            self.start_what_may().await;
        }
    }

    fn finish(&mut self, name: String, phase: Phase) {
        let server = self.server.clone();
        self.tasks.spawn(async move {
            finish(server, name, phase).await;
            Ended::Finished
        });
    }
}
