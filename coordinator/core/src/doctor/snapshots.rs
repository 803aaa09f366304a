//! Can the EBS driver's snapshots be made, and how fast? The class that Velero takes, and the snapshot-controller's rate.

use serde_json::json;
use shared::names::EBS_CSI_DRIVER;

use super::facts::{Deployment, Facts, Meta, SnapshotClass, Source};
use super::finding::Finding;
use super::server_flags::{flag, server};

/// Velero takes the class of a driver that carries this label.
const LABEL_CLASS: &str = "velero.io/csi-volumesnapshot-class";

/// Since Velero 1.17, where no class carries the label: Kubernetes' own default of the driver.
const ANNOTATION_DEFAULT: &str = "snapshot.storage.kubernetes.io/is-default-class";

/// See [`ANNOTATION_DEFAULT`].
const DEFAULT_SINCE: (u32, u32) = (1, 17);

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

/// Velero takes the class with the label, else Kubernetes' default, else the only one (velero `GetVolumeSnapshotClassForStorageClass`).
fn class(facts: &Facts, findings: &mut Vec<Finding>) {
    let of_ebs: Vec<&SnapshotClass> = facts.classes.iter().filter(|class| class.driver == EBS_CSI_DRIVER).collect();
    let marked = |mark: fn(&SnapshotClass) -> bool| of_ebs.iter().copied().filter(|class| mark(class)).collect();
    let labelled: Vec<&SnapshotClass> = marked(|class| class.metadata.labels.contains_key(LABEL_CLASS));
    let knows_default = server(facts).and_then(|it| it.version()).is_none_or(|version| version >= DEFAULT_SINCE);
    let defaults: Vec<&SnapshotClass> = marked(|class| class.metadata.annotations.contains_key(ANNOTATION_DEFAULT));
    let (taken, mark, unmark) = if labelled.is_empty() && knows_default && !defaults.is_empty() {
        (defaults, ANNOTATION_DEFAULT, "annotate")
    } else if labelled.is_empty() && of_ebs.len() == 1 {
        (of_ebs.clone(), LABEL_CLASS, "label")
    } else {
        (labelled, LABEL_CLASS, "label")
    };
    let subject = "VolumeSnapshotClass";
    match taken.as_slice() {
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
            "deletionPolicy is Delete: until a Backup's snapshots are ready and Velero has set them to Retain, a namespace that is deleted takes them along",
            format!(
                "kubectl patch volumesnapshotclass {} --type=merge -p '{{\"deletionPolicy\":\"Retain\"}}'",
                one.metadata.name
            ),
        )),
        [_] => {}
        [first, others @ ..] => findings.push(Finding::warning(
            "several-snapshot-classes",
            format!("{subject} {}", first.metadata.name),
            format!("{} classes of ebs.csi.aws.com carry {mark}; which one Velero takes is not said", others.len() + 1),
            format!(
                "kubectl {unmark} volumesnapshotclass {} {mark}-",
                others.iter().map(|it| it.metadata.name.as_str()).collect::<Vec<_>>().join(" ")
            ),
        )),
    }
}

fn rate(facts: &Facts, findings: &mut Vec<Finding>) {
    for deployment in &facts.deployments {
        let is_controller =
            |image: &str| image.rsplit('/').next().is_some_and(|name| name.starts_with("snapshot-controller"));
        let mut containers = deployment.spec.template.spec.containers.iter().enumerate();
        let Some((number, container)) = containers.find(|(_, it)| is_controller(&it.image)) else { continue };
        let qps = flag(container, "--kube-api-qps").map_or(Some(QPS_DEFAULT), |text| text.parse().ok());
        if qps.is_none_or(|qps| qps < QPS_MIN) {
            let said = flag(container, "--kube-api-qps")
                .map_or_else(|| "its default, 5".to_owned(), |text| format!("`{text}`"));
            findings.push(Finding::warning(
                "snapshot-controller-slow",
                deployment.subject(),
                format!("--kube-api-qps is {said}: with 5 the whole cluster gets about one cut a second, and groups are held while they wait for it"),
                faster(deployment, number, container.args.is_empty()),
            ));
        }
    }
}

/// What adds the flags behind those that are there, of which the last counts.
fn faster(deployment: &Deployment, container: usize, is_first: bool) -> String {
    let args = format!("/spec/template/spec/containers/{container}/args");
    let flags = ["--kube-api-qps=50", "--kube-api-burst=100"];
    let patch = if is_first {
        json!([{"op": "add", "path": args, "value": flags}])
    } else {
        flags.iter().map(|flag| json!({"op": "add", "path": format!("{args}/-"), "value": flag})).collect()
    };
    let Meta { namespace, name, .. } = &deployment.metadata;
    format!(
        "kubectl -n {namespace} patch deployment {name} --type=json -p '{patch}'   # or by the values of the chart or add-on that keeps it"
    )
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{changed, class as good, facts, found, velero, with};
    use super::*;

    #[test]
    fn the_class_that_velero_takes() {
        assert!(found(&with([good()]), check).is_empty());
        assert_eq!(found(&facts(), check), ["no-snapshot-class"]);
        assert_eq!(found(&with([changed(good(), "/driver", json!("other"))]), check), ["no-snapshot-class"]);
        let named = |name: &str| changed(changed(good(), "/metadata/labels", json!({})), "/metadata/name", json!(name));
        assert!(found(&with([named("a")]), check).is_empty(), "Velero takes the only one");
        assert_eq!(found(&with([named("a"), named("b")]), check), ["no-snapshot-class"]);
        let default = |name: &str| {
            let mut class = named(name);
            class["metadata"]["annotations"] = json!({ANNOTATION_DEFAULT: "true"});
            class
        };
        assert!(found(&with([named("a"), default("b")]), check).is_empty(), "Kubernetes' default");
        assert_eq!(found(&with([default("a"), default("b")]), check), ["several-snapshot-classes"]);
        let old = changed(velero(), "/spec/template/spec/containers/0/image", json!("velero/velero:v1.16.2"));
        assert_eq!(found(&with([old, named("a"), default("b")]), check), ["no-snapshot-class"]);
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

    /// Flags that are there, such as of the election, stay.
    #[test]
    fn what_mends_the_rate_adds_and_replaces_nothing() {
        let it = with([
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "kube-system", "name": "sc"},
            "spec": {"template": {"spec": {"containers": [{"name": "other", "image": "x"}, {"name": "c", "image": "r/snapshot-controller:v8.2.0"}]}}}}),
        ]);
        let deployment = &it.deployments[0];
        let patch = |is_first| -> serde_json::Value {
            let command = faster(deployment, 1, is_first);
            assert!(command.starts_with("kubectl -n kube-system patch deployment sc --type=json -p '["), "{command}");
            serde_json::from_str(command.split('\'').nth(1).unwrap()).unwrap()
        };
        let flags = ["--kube-api-qps=50", "--kube-api-burst=100"];
        let args = "/spec/template/spec/containers/1/args";
        assert_eq!(patch(true), json!([{"op": "add", "path": args, "value": flags}]));
        assert_eq!(
            patch(false),
            json!(flags.map(|flag| json!({"op": "add", "path": format!("{args}/-"), "value": flag})))
        );
    }
}
