//! Can the EBS driver's snapshots be made, and how fast? The class that Velero takes, and the snapshot-controller's rate.

use shared::names::EBS_CSI_DRIVER;

use super::facts::{Facts, SnapshotClass, Source};
use super::finding::Finding;
use super::server_flags::{flag, server};

/// Velero takes the class of a driver that carries this label.
const LABEL_CLASS: &str = "velero.io/csi-volumesnapshot-class";

/// client-go's own rate when `--kube-api-qps` is not given.
const QPS_DEFAULT: f64 = 5.0;

/// Below this the controller, not EC2, is what groups wait for: 5 gives about one cut a second, seen with 40 snapshots at once.
const QPS_MIN: f64 = 20.0;

const CLASS_FIX: &str = "apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotClass
metadata:
  name: ebs-velero
  labels: {velero.io/csi-volumesnapshot-class: \"true\"}
driver: ebs.csi.aws.com
deletionPolicy: Retain";

pub(super) fn check(facts: &Facts, findings: &mut Vec<Finding>) {
    if facts.knows(Source::SnapshotClasses) && server(facts).is_none_or(|server| server.csi()) {
        class(facts, findings);
    }
    rate(facts, findings);
}

fn class(facts: &Facts, findings: &mut Vec<Finding>) {
    let of_ebs: Vec<&SnapshotClass> = facts.classes.iter().filter(|class| class.driver == EBS_CSI_DRIVER).collect();
    let labelled: Vec<&&SnapshotClass> =
        of_ebs.iter().filter(|class| class.metadata.labels.contains_key(LABEL_CLASS)).collect();
    let subject = "VolumeSnapshotClass";
    match labelled.as_slice() {
        [] => {
            let seen = match of_ebs.as_slice() {
                [] => "there is none for ebs.csi.aws.com".to_owned(),
                some => format!("{} for ebs.csi.aws.com, none with the label {LABEL_CLASS}", some.len()),
            };
            let fix = of_ebs.first().map_or_else(
                || CLASS_FIX.to_owned(),
                |class| format!("kubectl label volumesnapshotclass {} {LABEL_CLASS}=true", class.metadata.name),
            );
            findings.push(Finding::error(
                "no-snapshot-class",
                subject,
                format!("{seen}: Velero cuts no EBS volume in CSI mode"),
                fix,
            ));
        }
        [one] if one.deletion_policy == "Delete" => findings.push(Finding::warning(
            "snapshot-class-deletes",
            format!("{subject} {}", one.metadata.name),
            "deletionPolicy is Delete: a namespace that is deleted takes the snapshots of its Backups with it",
            format!(
                "kubectl patch volumesnapshotclass {} --type=merge -p '{{\"deletionPolicy\":\"Retain\"}}'",
                one.metadata.name
            ),
        )),
        [_] => {}
        [first, others @ ..] => findings.push(Finding::warning(
            "several-snapshot-classes",
            format!("{subject} {}", first.metadata.name),
            format!(
                "{} classes of ebs.csi.aws.com carry {LABEL_CLASS}; which one Velero takes is not said",
                others.len() + 1
            ),
            format!(
                "kubectl label volumesnapshotclass {} {LABEL_CLASS}-",
                others.iter().map(|it| it.metadata.name.as_str()).collect::<Vec<_>>().join(" ")
            ),
        )),
    }
}

fn rate(facts: &Facts, findings: &mut Vec<Finding>) {
    for deployment in &facts.deployments {
        let is_controller =
            |image: &str| image.rsplit('/').next().is_some_and(|name| name.starts_with("snapshot-controller"));
        let containers = &deployment.spec.template.spec.containers;
        let Some(container) = containers.iter().find(|it| is_controller(&it.image)) else { continue };
        let qps = flag(container, "--kube-api-qps").map_or(Some(QPS_DEFAULT), |text| text.parse().ok());
        if qps.is_none_or(|qps| qps < QPS_MIN) {
            let said = flag(container, "--kube-api-qps")
                .map_or_else(|| "its default, 5".to_owned(), |text| format!("`{text}`"));
            findings.push(Finding::warning(
                "snapshot-controller-slow",
                format!("Deployment {}/{}", deployment.metadata.namespace, deployment.metadata.name),
                format!("--kube-api-qps is {said}: with 5 the whole cluster gets about one cut a second, and groups are held while they wait for it"),
                format!("args of container {}: [--kube-api-qps=50, --kube-api-burst=100]", container.name),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{changed, class as good, facts, found, velero, with};
    use super::*;
    use serde_json::json;

    #[test]
    fn the_class_that_velero_takes() {
        assert!(found(&with([good()]), check).is_empty());
        assert_eq!(found(&facts(), check), ["no-snapshot-class"]);
        assert_eq!(found(&with([changed(good(), "/driver", json!("other"))]), check), ["no-snapshot-class"]);
        assert_eq!(found(&with([changed(good(), "/metadata/labels", json!({}))]), check), ["no-snapshot-class"]);
        assert_eq!(
            found(&with([changed(good(), "/deletionPolicy", json!("Delete"))]), check),
            ["snapshot-class-deletes"]
        );
        assert_eq!(
            found(&with([good(), changed(good(), "/metadata/name", json!("b"))]), check),
            ["several-snapshot-classes"]
        );
        let native = changed(velero(), "/spec/template/spec/containers/0/args", json!([]));
        assert!(found(&with([native]), check).is_empty(), "native snapshots need none");
    }

    #[test]
    fn the_controllers_rate() {
        let with_args = |args: serde_json::Value| {
            let it = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "kube-system", "name": "snapshot-controller"},
                "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "registry.k8s.io/sig-storage/snapshot-controller:v8.2.0", "args": args}]}}}});
            found(&with([good(), it]), check)
        };
        assert_eq!(with_args(json!([])), ["snapshot-controller-slow"]);
        assert_eq!(with_args(json!(["--kube-api-qps=10"])), ["snapshot-controller-slow"]);
        assert!(with_args(json!(["--kube-api-qps=50"])).is_empty());
    }
}
