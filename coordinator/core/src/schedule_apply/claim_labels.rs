//! Which EBS claims get their group's label, and which lose it again. In Velero's native mode the pods of claims with one value share a block,
//! new pods' included, because generated Schedules name the label; in CSI mode such claims would fail, so there nothing is labelled.

use std::collections::BTreeMap;

use shared::identity::GroupId;
use shared::names::LABEL_SNAPSHOT_GROUP;

use crate::inventory::Inventory;
use crate::inventory::facts::Facts;
use crate::inventory::finding::Finding;
use crate::objects::ObjectKey;
use crate::schedule::plan::Plan;
use crate::velero_schedule::SnapshotWay;

/// One claim's label, from what it is to what it is to be. At least one of them is there, and they differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimLabel {
    /// The claim.
    pub claim: ObjectKey,
    /// What it says now, which is the product's own; `None`: there is none.
    pub from: Option<String>,
    /// What it is to say; `None`: it is taken off.
    pub to: Option<GroupId>,
}

/// What a plan asks of claims.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimLabels {
    /// Labels to write, by claim; what is right already is not among them.
    pub writes: Vec<ClaimLabel>,
    /// Claims that somebody else labelled: they are left.
    pub findings: Vec<Finding>,
}

/// Compares the claims of planned groups with what they carry. In CSI mode no group asks for a label, so what the product put there comes off.
pub fn decide(facts: &Facts, inventory: &Inventory, plan: &Plan, way: SnapshotWay) -> ClaimLabels {
    let wanted = match way {
        SnapshotWay::Native => of_planned(inventory, plan),
        SnapshotWay::Csi => BTreeMap::new(),
    };
    // A list of volumes that is empty for another reason than an empty cluster takes no label off.
    let may_take_off = way == SnapshotWay::Csi || inventory.ebs_volumes > 0;
    let mut labels = ClaimLabels::default();
    for (claim, fact) in facts.claims.iter() {
        let group = wanted.get(&(claim.namespace.as_str(), claim.name.as_str())).copied();
        let stands = fact.marks.labels.get(LABEL_SNAPSHOT_GROUP);
        if stands == group.map(GroupId::as_str) {
            continue;
        }
        let write =
            |from: Option<&str>| ClaimLabel { claim: claim.clone(), from: from.map(str::to_owned), to: group.cloned() };
        match (stands, group) {
            (None, _) => labels.writes.push(write(None)),
            (Some(own), Some(_)) if fact.marks.own_label => labels.writes.push(write(Some(own))),
            (Some(own), None) if fact.marks.own_label && may_take_off => labels.writes.push(write(Some(own))),
            (Some(label), Some(group)) => labels.findings.push(Finding::ClaimLabelledOtherwise {
                claim: claim.clone(),
                label: label.to_owned(),
                group: group.clone(),
            }),
            (Some(_), None) => {}
        }
    }
    labels
}

/// The group of each claim that a Schedule is planned for, by namespace and name.
fn of_planned<'a>(inventory: &'a Inventory, plan: &'a Plan) -> BTreeMap<(&'a str, &'a str), &'a GroupId> {
    let planned = plan.slots.keys().filter_map(|key| inventory.groups.get_key_value(key));
    let claims = planned.flat_map(|(key, group)| {
        group.claims.keys().map(move |claim| ((key.namespace.as_str(), claim.as_str()), &key.group))
    });
    claims.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::by_key::ByKey;
    use crate::inventory::facts::Fact;
    use crate::inventory::labels::Labels;
    use crate::inventory::{demands, take};
    use crate::objects::{Claim, ClaimMarks, Pod, PodKey, Volume};
    use crate::schedule::planner;
    use crate::schedule::settings::{PlanInput, PlanSettings};

    const NATIVE: SnapshotWay = SnapshotWay::Native;

    fn key(name: &str) -> ObjectKey {
        ObjectKey { namespace: "prod".parse().unwrap(), name: name.to_owned() }
    }

    fn group() -> GroupId {
        GroupId::for_namespace_volumes(&key("").namespace)
    }

    /// An EBS claim of the namespace's volumes; `label` and whether the product put it there.
    fn with(mut facts: Facts, name: &str, label: Option<(&str, bool)>) -> Facts {
        let labels = label.map(|(label, _)| (LABEL_SNAPSHOT_GROUP.to_owned(), label.to_owned()));
        let marks = ClaimMarks {
            labels: Labels::new(&labels.into_iter().collect()),
            own_label: label.is_some_and(|(_, own)| own),
            ..ClaimMarks::default()
        };
        let volume = format!("pv-{name}");
        facts.put(Fact::Claim(Claim { marks: marks.into(), ..Claim::new(key(name), Some(&volume)) }));
        facts.put(Fact::Volume(Volume { name: volume.into(), ebs: true, ebs_id: None, claim: Some(key(name)) }));
        facts
    }

    fn decided(facts: &Facts, way: SnapshotWay) -> ClaimLabels {
        let inventory = take(facts, &Vec::new());
        let live = demands::live_plan(facts);
        let settings = PlanSettings::new(&PlanInput::default()).unwrap();
        let demands = demands::demands(facts, &inventory, &live, &settings);
        decide(facts, &inventory, &planner::plan(&demands, &live, &settings), way)
    }

    fn write(claim: &str, from: Option<&str>, to: Option<GroupId>) -> ClaimLabel {
        ClaimLabel { claim: key(claim), from: from.map(str::to_owned), to }
    }

    #[test]
    fn claims_get_their_group_s_label_where_it_is_not_there() {
        let facts = with(Facts::default(), "bare", None);
        let facts = with(facts, "moved", Some(("group-elsewhere", true)));
        let facts = with(facts, "right", Some((group().as_str(), true)));
        let facts = with(facts, "by-hand-and-right", Some((group().as_str(), false)));
        let labels = decided(&facts, NATIVE);
        let moved = write("moved", Some("group-elsewhere"), Some(group()));
        assert_eq!(labels.writes, [write("bare", None, Some(group())), moved]);
        assert!(labels.findings.is_empty());
    }

    #[test]
    fn in_csi_mode_only_our_own_comes_off() {
        let facts = with(Facts::default(), "bare", None);
        let facts = with(facts, "ours", Some((group().as_str(), true)));
        let facts = with(facts, "by-hand", Some((group().as_str(), false)));
        let labels = decided(&facts, SnapshotWay::Csi);
        assert_eq!(labels.writes, [write("ours", Some(group().as_str()), None)]);
        assert!(labels.findings.is_empty());
    }

    #[test]
    fn what_leaves_its_group_loses_the_label_unless_nothing_is_to_be_seen() {
        let mut facts = with(Facts::default(), "stays", Some((group().as_str(), true)));
        let marks = with(Facts::default(), "x", Some(("g", true))).claims.get(&key("x")).unwrap().marks.clone();
        facts.put(Fact::Claim(Claim { marks, ..Claim::new(key("unbound"), None) }));
        assert_eq!(decided(&facts, NATIVE).writes, [write("unbound", Some("g"), None)]);
        facts.volumes = ByKey::default();
        assert!(decided(&facts, NATIVE).writes.is_empty(), "volumes may not be readable");
    }

    #[test]
    fn a_person_s_value_is_left_and_told() {
        let mut facts = with(Facts::default(), "theirs", Some(("mine", false)));
        facts = with(facts, "none", Some(("", false)));
        let web = PodKey { namespace: key("").namespace, name: "web".parse().unwrap() };
        let mut pod = Pod::new(web, "u".into());
        pod.set_claims(vec!["none".to_owned(), "theirs".to_owned()]);
        facts.put(Fact::Pod(pod));
        let labels = decided(&facts, NATIVE);
        assert!(labels.writes.is_empty(), "{labels:?}");
        let told = |claim: &str, label: &str| Finding::ClaimLabelledOtherwise {
            claim: key(claim),
            label: label.to_owned(),
            group: group(),
        };
        assert_eq!(labels.findings, [told("none", ""), told("theirs", "mine")]);
    }

    #[test]
    fn a_group_without_a_schedule_gets_none() {
        let mut facts = with(Facts::default(), "bare", None);
        let annotations = [("skip".to_owned(), "true".to_owned())].into_iter().collect();
        let marks = ClaimMarks { annotations, ..ClaimMarks::default() };
        assert!(facts.claims.edit(&key("bare"), |claim| claim.marks = marks.into()));
        let labels = decided(&facts, NATIVE);
        assert!(labels.writes.is_empty(), "{labels:?}");
    }
}
