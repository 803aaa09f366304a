//! EBS behind a real Velero: how do a cluster's volumes lie in the EC2 stand-in, and how do its cuts become truth?
//!
//! Two ways lead there: Velero's own plugin ([`Ebs::native`]), and the snapshot chain of a CSI cluster
//! ([`crate::real_velero::SnapshotChain`]). Either way the moment of a cut is what EC2's own log says.

mod provisioner;

pub use provisioner::{Provisioner, Restored};

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use k8s_openapi::api::core::v1::PersistentVolume;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::json;

use crate::aws::ec2::{Cut, Ec2, NewVolume, VolumeId};
use crate::pair::{Night, Pair, PairOptions};
use crate::velero::VolumeMode;
use crate::velero::backup::VELERO_NAMESPACE;
use crate::velero::cluster::DRIVER;
use crate::velero::object_name::ObjectName;
use crate::velero::truth::{CutWay, Fact};

/// The one location of volumes' snapshots.
const LOCATION: &str = "aws";

/// The region of the EC2 stand-in.
const REGION: &str = "us-east-1";

/// What the AWS plugin puts on each snapshot.
const TAG_BACKUP: &str = "velero.io/backup";

/// An EC2 for one bed.
#[derive(Debug)]
pub struct Ebs {
    /// It.
    pub ec2: Arc<Ec2>,
    way: CutWay,
    /// Which claim a volume belongs to.
    claims: Mutex<BTreeMap<VolumeId, ObjectName>>,
    /// How many cuts are truth already.
    told: Mutex<usize>,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ebs {
    /// An EC2 without limits, whose snapshots are asked for in this way.
    pub fn start(way: CutWay) -> Self {
        Self { ec2: Arc::new(Ec2::start()), way, claims: Mutex::default(), told: Mutex::default() }
    }

    /// A pair whose Velero takes native snapshots here. Its location is put in by [`Self::put_location`].
    pub fn native(&self, mut options: PairOptions) -> PairOptions {
        options.velero.volume_mode = VolumeMode::Native;
        options.real.flags.push(format!("--default-volume-snapshot-locations=aws:{LOCATION}"));
        options.real.variables.push(("AWS_ENDPOINT_URL_EC2".to_owned(), self.ec2.url()));
        options
    }

    /// A pair whose snapshots nobody takes until [`crate::real_velero::SnapshotChain`] runs; Velero polls for handles as it does
    /// everywhere (each fifth second) unless `early_polling`.
    pub fn chain(&self, mut options: PairOptions, early_polling: bool) -> PairOptions {
        options.real.quick_snapshotter = false;
        options.real.early_polling = early_polling;
        options
    }

    /// Tells Velero that there is a place for native snapshots.
    pub async fn put_location(&self, client: &Client) -> anyhow::Result<()> {
        let kind = GroupVersionKind::gvk("velero.io", "v1", "VolumeSnapshotLocation");
        let resource = ApiResource::from_gvk_with_plural(&kind, "volumesnapshotlocations");
        let locations: Api<DynamicObject> = Api::namespaced_with(client.clone(), VELERO_NAMESPACE, &resource);
        let location = json!({"apiVersion": "velero.io/v1", "kind": "VolumeSnapshotLocation",
            "metadata": {"name": LOCATION, "namespace": VELERO_NAMESPACE},
            "spec": {"provider": "aws", "config": {"region": REGION}}});
        let apply = PatchParams::apply("testbed").force();
        locations.patch(LOCATION, &apply, &Patch::Apply(location)).await.context("the VolumeSnapshotLocation")?;
        Ok(())
    }

    /// Lays every volume of the EBS driver that is in the cluster into EC2, under the id that its handle names.
    pub async fn lay(&self, client: &Client) -> anyhow::Result<()> {
        let volumes: Api<PersistentVolume> = Api::all(client.clone());
        for volume in volumes.list(&ListParams::default()).await.context("listing volumes")? {
            let Some(spec) = volume.spec else { continue };
            let (Some(source), Some(claim)) = (spec.csi.filter(|csi| csi.driver == DRIVER), spec.claim_ref) else {
                continue;
            };
            let id = VolumeId::named(&source.volume_handle);
            let claim = ObjectName::new(claim.namespace.unwrap_or_default(), claim.name.unwrap_or_default());
            if lock(&self.claims).insert(id.clone(), claim).is_none() {
                self.ec2.lay_volume(id, NewVolume::default());
            }
        }
        Ok(())
    }

    /// Writes the cuts that EC2 made into the truth of a Backup that is over, and takes it anew. No other Backup may have cut
    /// since the last time.
    pub fn told(&self, pair: &Pair, mut night: Night) -> anyhow::Result<Night> {
        let mut told = lock(&self.told);
        let cuts = self.ec2.cuts();
        for Cut { at, volume, snapshot, tags } in &cuts[*told..] {
            let claim = lock(&self.claims).get(volume).cloned();
            let claim = claim.with_context(|| format!("{snapshot} is of {volume}, which is no claim's"))?;
            if let Some(backup) = tags.get(TAG_BACKUP) {
                anyhow::ensure!(*backup == night.backup, "{snapshot} is of Backup {backup}, not of {}", night.backup);
            }
            let cut = Fact::Cut { backup: night.backup.clone(), claim, way: self.way };
            pair.velero.truth().record_at(*at, cut);
        }
        *told = cuts.len();
        night.seen = pair.velero.timeline().of_backup(&night.backup);
        Ok(night)
    }
}
