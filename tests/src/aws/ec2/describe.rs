//! What does a `Describe…` find?

use super::account::Account;
use super::account::snapshot::{Snapshot, SnapshotId};
use super::account::volume::{Volume, VolumeId};
use super::documents::{OWNER, OwnedTag, SnapshotItem, Snapshots, Tags, VolumeItem, Volumes, Zone, Zones};
use super::filters::{Filtered, Filters, Paging, of_tags};
use super::refusal::Refusal;
use super::settings::StartTimes;

use jiff::Timestamp;

/// The region, and its zones.
const REGION: &str = "us-east-1";
const ZONES: [&str; 3] = ["us-east-1a", "us-east-1b", "us-east-1c"];

struct SnapshotNow<'a>(&'a Snapshot, Timestamp);

impl Filtered for SnapshotNow<'_> {
    fn values(&self, name: &str) -> Option<Vec<&str>> {
        let Self(snapshot, now) = self;
        Some(match name {
            "snapshot-id" => vec![snapshot.id.as_str()],
            "volume-id" => vec![snapshot.volume.as_str()],
            "owner-id" => vec![OWNER],
            "description" => vec![&snapshot.description],
            "status" => vec![if snapshot.is_pending(*now) { "pending" } else { "completed" }],
            _ => return of_tags(&snapshot.tags, name),
        })
    }
}

impl Filtered for Volume {
    fn values(&self, name: &str) -> Option<Vec<&str>> {
        Some(match name {
            "volume-id" => vec![self.id.as_str()],
            "availability-zone" => vec![&self.what.zone],
            "volume-type" => vec![self.what.volume_type.as_str()],
            "snapshot-id" => self.what.snapshot.iter().map(SnapshotId::as_str).collect(),
            "status" => vec!["available"],
            _ => return of_tags(&self.what.tags, name),
        })
    }
}

impl Filtered for OwnedTag {
    fn values(&self, name: &str) -> Option<Vec<&str>> {
        Some(match name {
            "resource-id" => vec![&self.resource_id],
            "resource-type" => vec![self.resource_type],
            "key" => vec![&self.key],
            "value" => vec![&self.value],
            _ => return None,
        })
    }
}

impl Filtered for Zone {
    fn values(&self, name: &str) -> Option<Vec<&str>> {
        Some(match name {
            "zone-name" => vec![self.name],
            "region-name" => vec![self.region],
            "state" => vec![self.state],
            _ => return None,
        })
    }
}

/// `DescribeSnapshots`. An id that is not there is refused; another account has nothing here.
pub(super) fn snapshots<'a>(
    account: &'a Account,
    (ids, owners): (&[String], &[String]),
    filters: &Filters,
    paging: &Paging,
    (times, now): (StartTimes, Timestamp),
) -> Result<Snapshots<'a>, Refusal> {
    for id in ids {
        account.snapshot(&SnapshotId::named(id))?;
    }
    let mut found = Vec::new();
    for snapshot in account.snapshots() {
        let named = ids.is_empty() || ids.iter().any(|id| id == snapshot.id.as_str());
        let owned = owners.is_empty() || owners.iter().any(|owner| owner == "self" || owner == OWNER);
        if named && owned && filters.pass(&SnapshotNow(snapshot, now))? {
            found.push(snapshot);
        }
    }
    let (page, next_token) = paging.page(found, |s| s.id.to_string());
    let snapshot_set = page.into_iter().map(|s| SnapshotItem::of(s, times, now)).collect();
    Ok(Snapshots { snapshot_set, next_token })
}

/// `DescribeVolumes`.
pub(super) fn volumes<'a>(
    account: &'a Account,
    ids: &[String],
    filters: &Filters,
    paging: &Paging,
) -> Result<Volumes<'a>, Refusal> {
    for id in ids {
        account.volume(&VolumeId::named(id))?;
    }
    let mut found = Vec::new();
    for volume in account.volumes() {
        if (ids.is_empty() || ids.iter().any(|id| id == volume.id.as_str())) && filters.pass(volume)? {
            found.push(volume);
        }
    }
    let (page, next_token) = paging.page(found, |v| v.id.to_string());
    Ok(Volumes { volume_set: page.into_iter().map(|v| VolumeItem::of(v, "available")).collect(), next_token })
}

/// `DescribeTags`.
pub(super) fn tags(account: &Account, filters: &Filters, paging: &Paging) -> Result<Tags, Refusal> {
    let of_volumes = account.volumes().map(|v| (v.id.as_str(), "volume", &v.what.tags));
    let of_snapshots = account.snapshots().map(|s| (s.id.as_str(), "snapshot", &s.tags));
    let mut found = Vec::new();
    // By resource id, as the pages' tokens are.
    let mut all: Vec<_> = of_volumes.chain(of_snapshots).collect();
    all.sort_by_key(|(id, ..)| *id);
    for (id, resource_type, tags) in all {
        for (key, value) in tags {
            let tag = OwnedTag { resource_id: id.to_owned(), resource_type, key: key.clone(), value: value.clone() };
            if filters.pass(&tag)? {
                found.push(tag);
            }
        }
    }
    let (page, next_token) = paging.page(found, |tag| format!("{} {}", tag.resource_id, tag.key));
    Ok(Tags { tag_set: page.into_iter().collect(), next_token })
}

/// `DescribeAvailabilityZones`.
pub(super) fn zones(names: &[String], filters: &Filters) -> Result<Zones, Refusal> {
    if let Some(name) = names.iter().find(|name| !ZONES.contains(&name.as_str())) {
        return Err(Refusal::InvalidParameterValue(format!("Invalid availability zone: [{name}]")));
    }
    let mut found = Vec::new();
    for name in ZONES.into_iter().filter(|zone| names.is_empty() || names.iter().any(|n| n == zone)) {
        let zone =
            Zone { name, state: "available", region: REGION, opt_in: "opt-in-not-required", kind: "availability-zone" };
        if filters.pass(&zone)? {
            found.push(zone);
        }
    }
    Ok(Zones { availability_zone_info: found.into_iter().collect() })
}
