//! Could everything be looked at? What could not is said, and what that leaves unknown.

use super::facts::{Facts, Had, Source};
use super::finding::Finding;

pub(super) fn check(facts: &Facts, findings: &mut Vec<Finding>) {
    for (source, had) in &facts.had {
        let resource = source.resource();
        match had {
            Had::Read => {}
            Had::Absent => findings.push(absent(*source)),
            Had::Forbidden => findings.push(Finding::warning(
                "not-allowed-to-look",
                resource,
                format!("the API server refuses `list` of {resource}; what depends on them was not checked"),
                format!("kubectl create clusterrole doctor-{0} --verb=list --resource={resource}   # and bind it to who runs doctor", source.kind().to_lowercase()),
            )),
            Had::Failed(said) => findings.push(Finding::warning(
                "not-looked-at",
                resource,
                format!("they could not be listed: {said}; what depends on them was not checked"),
                "run doctor again when the API server answers",
            )),
        }
    }
    for said in &facts.unreadable {
        findings.push(Finding::warning(
            "unreadable",
            said.split(':').next().unwrap_or_default(),
            format!("not what its kind should be, and left out: {said}"),
            "write the file again with kubectl get -o json; see that its apiVersion is one that this version knows",
        ));
    }
}

fn absent(source: Source) -> Finding {
    match source {
        Source::Schedules => Finding::error(
            "velero-absent",
            source.resource(),
            "the API server knows no schedules.velero.io: Velero's definitions are not installed",
            "helm upgrade --install velero vmware-tanzu/velero --version 12.1.0 -n velero --create-namespace -f manifests/velero/values.yaml",
        ),
        Source::SnapshotClasses => Finding::warning(
            "snapshot-kinds-absent",
            source.resource(),
            "the API server knows no VolumeSnapshotClasses: with EnableCSI no volume can be cut, and cuts cannot be observed",
            "install the snapshot-controller with its definitions (EKS: the add-on snapshot-controller), or leave EnableCSI out",
        ),
        _ => Finding::error(
            "kind-absent",
            source.resource(),
            format!("the API server knows no {}", source.resource()),
            "is this address a Kubernetes API server's?",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{facts, found};
    use super::*;

    #[test]
    fn a_kind_that_could_not_be_had_is_a_finding_and_one_that_could_is_none() {
        let mut facts = facts();
        assert!(found(&facts, check).is_empty());
        facts.had.insert(Source::Schedules, Had::Absent);
        facts.had.insert(Source::SnapshotClasses, Had::Absent);
        facts.had.insert(Source::Pods, Had::Forbidden);
        facts.had.insert(Source::Claims, Had::Failed("no answer".to_owned()));
        let names = found(&facts, check);
        assert_eq!(names, ["not-allowed-to-look", "not-looked-at", "velero-absent", "snapshot-kinds-absent"]);
    }

    #[test]
    fn an_object_that_is_none_is_a_finding() {
        let mut facts = facts();
        facts.put(serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": 3}}));
        assert_eq!(found(&facts, check), ["unreadable"]);
        facts.put(serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "y", "labels": null}}));
        assert_eq!(facts.pods.len(), 1);
    }
}
