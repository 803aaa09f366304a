//! Which action does a form ask for?

use std::collections::BTreeMap;

use super::account::NewSnapshot;
use super::account::snapshot::SnapshotId;
use super::account::volume::{NewVolume, VolumeId, VolumeType};
use super::filters::{Filters, Paging};
use super::form::Form;
use super::refusal::Refusal;

/// The version of the API that the stand-in speaks.
pub(super) const VERSION: &str = "2016-11-15";

/// What the stand-in can do; names are EC2's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    CreateSnapshot(NewSnapshot),
    DeleteSnapshot(SnapshotId),
    DescribeSnapshots { ids: Vec<String>, owners: Vec<String>, filters: Filters, paging: Paging },
    CreateVolume { what: Box<NewVolume>, token: Option<String> },
    DeleteVolume(VolumeId),
    DescribeVolumes { ids: Vec<String>, filters: Filters, paging: Paging },
    CreateTags { resources: Vec<String>, tags: BTreeMap<String, String> },
    DescribeTags { filters: Filters, paging: Paging },
    DescribeAvailabilityZones { names: Vec<String>, filters: Filters },
}

/// Reads a form to its end. `DryRun` is refused as EC2 does it: last, when all else is right.
pub(super) fn parse(mut form: Form) -> Result<Action, Refusal> {
    let name = form.required("Action")?;
    let version = form.text("Version");
    if version.as_deref() != Some(VERSION) {
        return Err(Refusal::InvalidAction(name));
    }
    let is_dry = form.parsed("DryRun")?.unwrap_or(false);
    let action = named(name, &mut form)?;
    form.finish()?;
    if is_dry { Err(Refusal::DryRun) } else { Ok(action) }
}

fn named(name: String, form: &mut Form) -> Result<Action, Refusal> {
    match name.as_str() {
        "CreateSnapshot" => {
            let volume = VolumeId::named(&form.required("VolumeId")?);
            let description = form.text("Description").unwrap_or_default();
            Ok(Action::CreateSnapshot(NewSnapshot { volume, description, tags: specified(form, "snapshot")? }))
        }
        "DeleteSnapshot" => Ok(Action::DeleteSnapshot(SnapshotId::named(&form.required("SnapshotId")?))),
        "DescribeSnapshots" => {
            let (ids, owners) = (form.list("SnapshotId"), form.list("Owner"));
            let (filters, paging) = (Filters::of(form)?, Paging::of(form)?);
            exclude(&ids, &paging)?;
            Ok(Action::DescribeSnapshots { ids, owners, filters, paging })
        }
        "CreateVolume" => create_volume(form),
        "DeleteVolume" => Ok(Action::DeleteVolume(VolumeId::named(&form.required("VolumeId")?))),
        "DescribeVolumes" => {
            let ids = form.list("VolumeId");
            let (filters, paging) = (Filters::of(form)?, Paging::of(form)?);
            exclude(&ids, &paging)?;
            Ok(Action::DescribeVolumes { ids, filters, paging })
        }
        "CreateTags" => {
            let (resources, tags) = (form.list("ResourceId"), tags(form)?);
            if resources.is_empty() {
                return Err(Refusal::MissingParameter("resourceIdSet"));
            }
            Ok(Action::CreateTags { resources, tags })
        }
        "DescribeTags" => Ok(Action::DescribeTags { filters: Filters::of(form)?, paging: Paging::of(form)? }),
        "DescribeAvailabilityZones" => {
            Ok(Action::DescribeAvailabilityZones { names: form.list("ZoneName"), filters: Filters::of(form)? })
        }
        _ => Err(Refusal::InvalidAction(name)),
    }
}

fn create_volume(form: &mut Form) -> Result<Action, Refusal> {
    let zone = form.required("AvailabilityZone")?;
    // gp2 is what EC2 makes when it is not told (CreateVolume, "VolumeType").
    let volume_type = form.parsed("VolumeType")?.unwrap_or(VolumeType::Gp2);
    let what = NewVolume {
        size_gib: form.parsed("Size")?.unwrap_or(0),
        volume_type,
        zone,
        iops: form.parsed("Iops")?,
        throughput: form.parsed("Throughput")?,
        encrypted: form.parsed("Encrypted")?.unwrap_or(false),
        snapshot: form.text("SnapshotId").map(|id| SnapshotId::named(&id)),
        tags: specified(form, "volume")?,
    };
    Ok(Action::CreateVolume { what: Box::new(what), token: form.text("ClientToken") })
}

/// The tags of all `TagSpecification`s, which must be of this resource type.
fn specified(form: &mut Form, resource_type: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let mut all = BTreeMap::new();
    for mut specification in form.structures("TagSpecification") {
        let given = specification.required("ResourceType")?;
        if given != resource_type {
            let text = format!("'{given}' is not a valid taggable resource type for this operation.");
            return Err(Refusal::InvalidParameterValue(text));
        }
        all.extend(tags(&mut specification)?);
        specification.finish()?;
    }
    Ok(all)
}

fn tags(form: &mut Form) -> Result<BTreeMap<String, String>, Refusal> {
    let mut all = BTreeMap::new();
    for mut tag in form.structures("Tag") {
        let (key, value) = (tag.required("Key")?, tag.text("Value").unwrap_or_default());
        tag.finish()?;
        if all.insert(key.clone(), value).is_some() {
            return Err(Refusal::InvalidParameterValue(format!("Duplicate tag key '{key}' specified.")));
        }
    }
    Ok(all)
}

fn exclude(ids: &[String], paging: &Paging) -> Result<(), Refusal> {
    if !ids.is_empty() && paging.is_asked() {
        let text = "The parameter maxResults cannot be used with a set of ids in the request";
        return Err(Refusal::InvalidParameterCombination(text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(form: &str, expected: Result<&str, &str>) {
        let form = format!("Version={VERSION}&{form}");
        let parsed = parse(Form::of(form.as_bytes()));
        let said = parsed.as_ref().map(|action| format!("{action:?}")).map_err(Refusal::code);
        match expected {
            Ok(part) => assert!(said.as_ref().is_ok_and(|said| said.contains(part)), "{form}: {said:?}"),
            Err(code) => assert_eq!(said.as_ref().map_err(|code| *code), Err(&code).map_err(|c| *c), "{form}"),
        }
    }

    #[test]
    fn forms_are_read_as_the_sdk_writes_them() {
        let tag =
            "TagSpecification.1.ResourceType=snapshot&TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=1";
        check(&format!("Action=CreateSnapshot&VolumeId=vol-1&{tag}"), Ok("tags: {\"a\": \"1\"}"));
        check("Action=DescribeSnapshots&SnapshotId.1=snap-1&Owner.1=self", Ok("owners: [\"self\"]"));
        check("Action=CreateVolume&AvailabilityZone=z&Size=3", Ok("volume_type: Gp2"));
        check("Action=CreateTags&ResourceId.1=vol-1&Tag.1.Key=k", Ok("tags: {\"k\": \"\"}"));
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        check("Action=CreateSnapshots&InstanceId=i-1", Err("InvalidAction"));
        check("Action=CreateSnapshot", Err("MissingParameter"));
        check("Action=CreateSnapshot&VolumeId=vol-1&Location=local", Err("UnknownParameter"));
        check("Action=CreateSnapshot&VolumeId=vol-1&DryRun=true", Err("DryRunOperation"));
        check("Action=CreateSnapshot&VolumeId=vol-1&DryRun=true&Odd=1", Err("UnknownParameter"));
        let tag = "TagSpecification.1.ResourceType=volume&TagSpecification.1.Tag.1.Key=a";
        check(&format!("Action=CreateSnapshot&VolumeId=vol-1&{tag}"), Err("InvalidParameterValue"));
        check("Action=CreateTags&ResourceId.1=vol-1&Tag.1.Key=k&Tag.2.Key=k", Err("InvalidParameterValue"));
        check("Action=DescribeSnapshots&SnapshotId.1=snap-1&MaxResults=5", Err("InvalidParameterCombination"));
        check("Action=CreateVolume&AvailabilityZone=z&VolumeType=gp9", Err("InvalidParameterValue"));
        assert_eq!(parse(Form::of(b"Action=DeleteSnapshot&SnapshotId=s")).map_err(|r| r.code()), Err("InvalidAction"));
        assert_eq!(parse(Form::of(b"")).map_err(|r| r.code()), Err("MissingParameter"));
    }
}
