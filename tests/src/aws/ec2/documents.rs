//! Which documents does EC2 answer with? Names and order of elements are those of the EC2 API reference.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use super::account::snapshot::Snapshot;
use super::account::volume::Volume;
use super::refusal::Refusal;
use super::settings::StartTimes;
use crate::aws::xml;

/// The account that everything belongs to: the one of AWS's own examples.
pub(super) const OWNER: &str = "111122223333";

const XMLNS: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

/// An answer to an action: `<ActionResponse>` with the request's id and the action's own elements.
#[derive(Serialize)]
struct Response<'a, T> {
    #[serde(rename = "@xmlns")]
    xmlns: &'static str,
    #[serde(rename = "requestId")]
    request_id: &'a str,
    #[serde(flatten)]
    own: &'a T,
}

/// Renders an answer.
pub(super) fn response<T: Serialize>(action: &str, request_id: &str, own: &T) -> Bytes {
    xml::document(&format!("{action}Response"), &Response { xmlns: XMLNS, request_id, own })
}

/// Renders a refusal.
pub(super) fn refusal(why: &Refusal, request_id: &str) -> Bytes {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body<'a> {
        errors: Errors,
        #[serde(rename = "RequestID")]
        request_id: &'a str,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Errors {
        error: ErrorItem,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct ErrorItem {
        code: &'static str,
        message: String,
    }
    let error = ErrorItem { code: why.code(), message: why.message() };
    xml::document("Response", &Body { errors: Errors { error }, request_id })
}

/// A list: each entry is an `<item>`.
#[derive(Serialize)]
pub(super) struct Items<T> {
    item: Vec<T>,
}

impl<T> FromIterator<T> for Items<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self { item: items.into_iter().collect() }
    }
}

/// `<return>true</return>`: done.
#[derive(Serialize)]
pub(super) struct Done {
    #[serde(rename = "return")]
    pub(super) done: bool,
}

#[derive(Serialize)]
struct TagItem<'a> {
    key: &'a str,
    value: &'a str,
}

fn tag_items(tags: &BTreeMap<String, String>) -> Items<TagItem<'_>> {
    tags.iter().map(|(key, value)| TagItem { key, value }).collect()
}

/// A snapshot, alone or in a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SnapshotItem<'a> {
    snapshot_id: &'a str,
    volume_id: &'a str,
    status: &'static str,
    start_time: String,
    progress: String,
    owner_id: &'static str,
    volume_size: u32,
    description: &'a str,
    encrypted: bool,
    tag_set: Items<TagItem<'a>>,
}

impl<'a> SnapshotItem<'a> {
    pub(super) fn of(snapshot: &'a Snapshot, times: StartTimes, now: Timestamp) -> Self {
        Self {
            snapshot_id: snapshot.id.as_str(),
            volume_id: snapshot.volume.as_str(),
            status: if snapshot.is_pending(now) { "pending" } else { "completed" },
            start_time: time(snapshot.cut, times),
            progress: format!("{}%", snapshot.progress_percent(now)),
            owner_id: OWNER,
            volume_size: snapshot.size_gib,
            description: &snapshot.description,
            encrypted: snapshot.encrypted,
            tag_set: tag_items(&snapshot.tags),
        }
    }
}

/// A volume, alone or in a list. None is attached.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VolumeItem<'a> {
    volume_id: &'a str,
    size: u32,
    snapshot_id: &'a str,
    availability_zone: &'a str,
    status: &'static str,
    create_time: String,
    tag_set: Items<TagItem<'a>>,
    volume_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    iops: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throughput: Option<u32>,
    encrypted: bool,
    multi_attach_enabled: bool,
}

impl<'a> VolumeItem<'a> {
    pub(super) fn of(volume: &'a Volume, status: &'static str) -> Self {
        let what = &volume.what;
        Self {
            volume_id: volume.id.as_str(),
            size: what.size_gib,
            snapshot_id: what.snapshot.as_ref().map_or("", |id| id.as_str()),
            availability_zone: &what.zone,
            status,
            create_time: time(volume.created, StartTimes::Milliseconds),
            tag_set: tag_items(&what.tags),
            volume_type: what.volume_type.as_str(),
            iops: what.iops,
            throughput: what.throughput,
            encrypted: what.encrypted,
            multi_attach_enabled: false,
        }
    }
}

/// `<snapshotSet>`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Snapshots<'a> {
    pub(super) snapshot_set: Items<SnapshotItem<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
}

/// `<volumeSet>`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Volumes<'a> {
    pub(super) volume_set: Items<VolumeItem<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
}

/// `<tagSet>` of `DescribeTags`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tags {
    pub(super) tag_set: Items<OwnedTag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
}

/// A tag with what it is on.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OwnedTag {
    pub(super) resource_id: String,
    pub(super) resource_type: &'static str,
    pub(super) key: String,
    pub(super) value: String,
}

/// `<availabilityZoneInfo>`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Zones {
    pub(super) availability_zone_info: Items<Zone>,
}

/// A zone that is up.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Zone {
    #[serde(rename = "zoneName")]
    pub(super) name: &'static str,
    #[serde(rename = "zoneState")]
    pub(super) state: &'static str,
    #[serde(rename = "regionName")]
    pub(super) region: &'static str,
    #[serde(rename = "optInStatus")]
    pub(super) opt_in: &'static str,
    #[serde(rename = "zoneType")]
    pub(super) kind: &'static str,
}

/// A time as EC2 writes it, never later than it was.
fn time(at: Timestamp, times: StartTimes) -> String {
    let format = match times {
        StartTimes::Milliseconds => "%Y-%m-%dT%H:%M:%S%.3fZ",
        StartTimes::WholeSeconds => "%Y-%m-%dT%H:%M:%S.000Z",
    };
    at.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_cut_off_and_never_rounded_up() {
        let at = "2026-11-23T03:00:00.9999Z".parse().expect("a time");
        assert_eq!(time(at, StartTimes::Milliseconds), "2026-11-23T03:00:00.999Z");
        assert_eq!(time(at, StartTimes::WholeSeconds), "2026-11-23T03:00:00.000Z");
    }

    #[test]
    fn answers_and_refusals_have_the_documented_shapes() {
        let done = response("DeleteSnapshot", "r-1", &Done { done: true });
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DeleteSnapshotResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
                        <requestId>r-1</requestId><return>true</return></DeleteSnapshotResponse>";
        assert_eq!(std::str::from_utf8(&done), Ok(expected));
        let refused = refusal(&Refusal::RequestLimitExceeded, "r-2");
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>RequestLimitExceeded</Code>\
                        <Message>Request limit exceeded.</Message></Error></Errors><RequestID>r-2</RequestID></Response>";
        assert_eq!(std::str::from_utf8(&refused), Ok(expected));
    }
}
