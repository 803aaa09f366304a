//! Which Velero does a case meet, and how does it ask?

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};
use kube::api::DynamicObject;
use kube::{Api, Client};
use serde_json::{Value, json};

use super::hold;
use crate::pair::AnyVelero;
use crate::real_velero::{NODE, RealBed, RealSettings, RealVelero};
use crate::velero::backup::{Phase, VELERO_NAMESPACE, backup_resource};
use crate::velero::bed::{BACKUP_LIMIT, Bed};
use crate::velero::cluster::{self, Made, Workload};
use crate::velero::object_name::ObjectName;
use crate::velero::truth::{Consistency, LogLevel, Timeline, truth_verdict};
use crate::velero::{VeleroSettings, snapshots};

/// A cluster with one Velero, without the product.
#[derive(Debug)]
pub struct Stage {
    /// The server.
    pub velero: AnyVelero,
    /// How it is set up.
    pub settings: VeleroSettings,
    place: Place,
    count: AtomicU32,
}

enum Place {
    Simulated(Bed),
    Real(Arc<RealBed>, Client),
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Simulated(bed) => bed.fmt(f),
            Self::Real(bed, _) => bed.fmt(f),
        }
    }
}

/// One Backup and what was left of it.
#[derive(Debug)]
pub struct Run {
    /// Its name.
    pub backup: String,
    /// Its last phase.
    pub phase: Phase,
    /// What really happened.
    pub seen: Timeline,
}

impl Stage {
    /// The simulator on an embedded API server.
    pub async fn simulated(change: fn(&mut VeleroSettings, &mut RealSettings)) -> Result<Self> {
        let mut settings = VeleroSettings::quick();
        change(&mut settings, &mut RealSettings::default());
        let bed = Bed::start().await?;
        let velero = AnyVelero::Simulated(bed.velero(settings.clone()).await?);
        Ok(Self { velero, settings, place: Place::Simulated(bed), count: AtomicU32::new(0) })
    }

    /// The real one, inside of [`crate::isolated::run`].
    pub async fn real(change: fn(&mut VeleroSettings, &mut RealSettings)) -> Result<Self> {
        let mut settings = VeleroSettings::quick();
        // A request that takes longer than this is none of ours.
        settings.item_operation_poll = std::time::Duration::from_secs(1);
        let mut real = RealSettings::default();
        change(&mut settings, &mut real);
        let bed = Arc::new(RealBed::start().await?);
        let client = bed.control_plane.client().await;
        let velero = RealVelero::start(Arc::clone(&bed), settings.clone(), real).await?;
        let velero = AnyVelero::Real(Box::new(velero));
        Ok(Self { velero, settings, place: Place::Real(bed, client), count: AtomicU32::new(0) })
    }

    /// The administrator.
    pub fn client(&self) -> &Client {
        match &self.place {
            Place::Simulated(bed) => &bed.client,
            Place::Real(_, client) => client,
        }
    }

    /// Puts a workload in; its pods run when this returns.
    pub async fn put(&self, workload: Workload) -> Result<Made> {
        let Place::Real(bed, client) = &self.place else { return Ok(cluster::create(self.client(), &workload).await?) };
        let made = cluster::create(client, &workload.on_node(NODE)).await?;
        made.pods.iter().for_each(|pod| bed.mounts.add(&pod.name, &pod.claims));
        Ok(made)
    }

    /// Submits a Backup; returns its name.
    pub async fn submit(&self, spec: Value) -> Result<String> {
        let name = format!("b{}", self.count.fetch_add(1, Ordering::Relaxed));
        self.velero.submit(&name, spec).await?;
        Ok(name)
    }

    /// Waits for a Backup's end.
    pub async fn finished(&self, backup: String) -> Result<Run> {
        let (phase, seen) = self.velero.finished(&backup, BACKUP_LIMIT).await?;
        Ok(Run { backup, phase, seen })
    }

    /// Both.
    pub async fn back_up(&self, spec: Value) -> Result<Run> {
        self.finished(self.submit(spec).await?).await
    }

    /// Waits until `condition` holds for what happened in a Backup.
    pub async fn until(&self, backup: &str, what: &str, condition: impl Fn(&Timeline) -> bool) -> Result<Timeline> {
        let of_backup = |all: &Timeline| condition(&all.of_backup(backup));
        Ok(self.velero.truth().wait_until(what, BACKUP_LIMIT, of_backup).await?.of_backup(backup))
    }

    /// The Backup's status.
    pub async fn status(&self, backup: &str) -> Result<Value> {
        let backups: Api<DynamicObject> =
            Api::namespaced_with(self.client().clone(), VELERO_NAMESPACE, &backup_resource());
        let mut found = backups.get(backup).await.with_context(|| format!("Backup {backup}"))?;
        Ok(found.data["status"].take())
    }

    /// The pods whose objects are in the Backup's tarball.
    pub fn stored_pods(&self, run: &Run) -> Result<BTreeSet<ObjectName>> {
        let Place::Real(bed, _) = &self.place else { return Ok(run.seen.stored_pods()) };
        let tarball = bed.folder().join(format!("{}.tar.gz", run.backup));
        std::fs::write(&tarball, bed.bucket.file(&run.backup, &format!("{}.tar.gz", run.backup))?)?;
        let listed = Command::new("tar").arg("-tzf").arg(&tarball).output().context("running tar")?;
        anyhow::ensure!(listed.status.success(), "{} is no tarball", tarball.display());
        let names = String::from_utf8_lossy(&listed.stdout).into_owned();
        let pod = |path: &str| {
            let (namespace, name) = path.strip_prefix("resources/pods/namespaces/")?.split_once('/')?;
            Some(ObjectName::new(namespace, name.strip_suffix(".json")?))
        };
        Ok(names.lines().filter_map(pod).collect())
    }

    /// How many `VolumeSnapshot`s a namespace has.
    pub async fn snapshots_in(&self, namespace: &str) -> Result<usize> {
        Ok(snapshots::snapshots(self.client(), namespace).list(&kube::api::ListParams::default()).await?.items.len())
    }
}

impl Run {
    /// It ended so, and hooks and cuts came in this order.
    pub fn went(&self, phase: Phase, order: &str) -> Result<()> {
        hold!(self.phase == phase, self, "the phase should be {phase}");
        hold!(self.seen.order() == order, self, "the order should be {order}");
        Ok(())
    }

    /// The group's cuts were so consistent.
    pub fn was(&self, made: &Made, consistency: Consistency) -> Result<()> {
        let verdict = truth_verdict(&self.seen, &made.names(), None);
        hold!(verdict.consistency == consistency, self, "should be {consistency}, is {verdict:?}");
        Ok(())
    }

    /// All errors of the Backup's log, one a line.
    pub fn errors(&self) -> String {
        self.seen.logged(LogLevel::Error).join("\n")
    }
}

/// `spec` of a Backup of one namespace.
pub(super) fn all_of(namespace: &str) -> Value {
    json!({"includedNamespaces": [namespace]})
}

/// The same with `orderedResources`: pods by name, as the user joins them.
pub(super) fn listed(namespace: &str, pods: &[&str], separator: &str) -> Value {
    let pods: Vec<String> = pods.iter().map(|pod| format!("{namespace}/{pod}")).collect();
    json!({"includedNamespaces": [namespace], "orderedResources": {"pods": pods.join(separator)}})
}
