//! Do labels of claims make Velero do what EBS cannot? `velero.io/volume-group` asks for a `VolumeGroupSnapshot`.

use super::facts::Facts;
use super::finding::Finding;
use super::server_flags::server;
use crate::objects::ObjectKey;

/// Velero's default label for `VolumeGroupSnapshots` (velero `labels_annotations.go`).
const LABEL_VOLUME_GROUP: &str = "velero.io/volume-group";

pub(super) fn check(facts: &Facts, findings: &mut Vec<Finding>) {
    let server = server(facts);
    if server.as_ref().is_some_and(|server| !server.csi()) {
        // In native mode the label only puts pods into one block.
        return;
    }
    let key = server.as_ref().and_then(|it| it.flag("--volume-group-snapshot-label-key")).unwrap_or(LABEL_VOLUME_GROUP);
    for (group, held) in &facts.inventory.groups {
        let labelled = held.claims.keys().filter(|name| {
            let claim = ObjectKey { namespace: group.namespace.clone(), name: (*name).clone() };
            facts.inventory_facts.claims.get(&claim).is_some_and(|claim| claim.marks.labels.get(key).is_some())
        });
        let labelled: Vec<&str> = labelled.map(String::as_str).collect();
        if labelled.is_empty() {
            continue;
        }
        findings.push(Finding::error(
            "volume-group-label",
            format!("PersistentVolumeClaim {}/{}", group.namespace, labelled.join(",")),
            format!("the label {key} makes Velero ask the EBS driver for a VolumeGroupSnapshot, which EBS cannot make: with EnableCSI these claims fail"),
            format!("kubectl -n {} label pvc {} {key}-", group.namespace, labelled.join(" ")),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{changed, found, velero, with};
    use super::super::groups::tests::group;
    use super::*;
    use crate::inventory::labels::Labels;
    use crate::objects::{Claim, ClaimMarks};
    use serde_json::json;

    fn labelled(mut facts: Facts, label: &str) -> Facts {
        let (key, held) = group("shop/db", 2);
        let labels = Labels::new(&[(label.to_owned(), "a".to_owned())].into());
        let claim = ObjectKey { namespace: key.namespace.clone(), name: held.claims.keys().next().unwrap().clone() };
        let marks = ClaimMarks { labels, ..ClaimMarks::default() }.into();
        facts.inventory_facts.claims.put(Claim { marks, ..Claim::new(claim, None) });
        facts.inventory.groups.insert(key, held);
        facts
    }

    #[test]
    fn velero_s_label_on_an_ebs_claim_is_an_error_where_csi_cuts() {
        assert_eq!(found(&labelled(with([velero()]), LABEL_VOLUME_GROUP), check), ["volume-group-label"]);
        assert!(found(&labelled(with([velero()]), "app"), check).is_empty());
        let native = changed(velero(), "/spec/template/spec/containers/0/args", json!([]));
        assert!(found(&labelled(with([native]), LABEL_VOLUME_GROUP), check).is_empty());
    }
}
