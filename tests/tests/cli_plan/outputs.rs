//! What the outputs say.

use serde_json::Value;

use super::run::{cluster, plan};

const TWO: &str = r#"{"apiVersion":"v1","kind":"List","items":[
 {"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"namespace":"prod","name":"db","uid":"u","annotations":{"snapshot-group.velero.io/at":"02:30","snapshot-group.velero.io/ttl":"48h"}},
  "spec":{"replicas":2,"selector":{"matchLabels":{"app":"db"}},"volumeClaimTemplates":[{"metadata":{"name":"data"}}]}},
 {"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"a"},"spec":{"csi":{"driver":"ebs.csi.aws.com","volumeHandle":"vol-0a"}}},
 {"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"b"},"spec":{"csi":{"driver":"ebs.csi.aws.com","volumeHandle":"vol-0b"}}},
 {"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"namespace":"prod","name":"data-db-0","labels":{"app":"db"}},"spec":{"volumeName":"a"}},
 {"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"namespace":"prod","name":"data-db-1","labels":{"app":"db"}},"spec":{"volumeName":"b"}},
 {"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"prod","name":"db-0","uid":"p0","labels":{"app":"db","statefulset.kubernetes.io/pod-name":"db-0"},
   "ownerReferences":[{"apiVersion":"apps/v1","kind":"StatefulSet","name":"db","uid":"u","controller":true}]},
  "spec":{"containers":[{"name":"mysql"},{"name":"side"}],"volumes":[{"name":"data","persistentVolumeClaim":{"claimName":"data-db-0"}}]},"status":{"phase":"Running"}},
 {"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"prod","name":"db-1","uid":"p1","labels":{"app":"db","statefulset.kubernetes.io/pod-name":"db-1"},
   "ownerReferences":[{"apiVersion":"apps/v1","kind":"StatefulSet","name":"db","uid":"u","controller":true}]},
  "spec":{"containers":[{"name":"mysql"},{"name":"side"}],"volumes":[{"name":"data","persistentVolumeClaim":{"claimName":"data-db-1"}}]},"status":{"phase":"Running"}}
]}"#;

#[test]
fn a_schedule_says_everything_that_it_must() {
    let ended = plan(&["-f", "-", "-o", "yaml", "--time-zone", "Europe/Berlin"], Some(TWO));
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    for part in [
        "schedule: 30 0 * * *", // 02:30 in Berlin's summer
        "skipImmediately: true",
        "useOwnerReferencesInBackup: false",
        "pods: prod/db-0,prod/db-1",
        "snapshotVolumes: true",
        "ttl: 48h0m0s",
        "storageLocation: default",
        "container: mysql",
        "onError: Fail",
        "onError: Continue",
        "timeout: 10m",
        "- 585s",
        "velero.io/snapshot-group: group-",
        "app.kubernetes.io/managed-by: snapshot-scheduler",
    ] {
        assert!(ended.stdout.replace('"', "").contains(part), "`{part}` is not in\n{}", ended.stdout);
    }
    assert!(!ended.stdout.contains("volumeGroupSnapshotLabelKey"), "never in CSI mode");
    let native = plan(&["-f", "-", "-o", "yaml", "--snapshot-way", "native"], Some(TWO)).stdout;
    assert!(native.contains("volumeGroupSnapshotLabelKey: velero.io/snapshot-group"), "{native}");
    let group = group_in(&native);
    for command in [
        format!("annotate pvc data-db-0 data-db-1 --overwrite snapshot-group.velero.io/labelled-as={group}"),
        format!("label pvc data-db-0 data-db-1 velero.io/snapshot-group={group}"),
    ] {
        assert!(native.lines().any(|line| line == format!("# kubectl -n prod {command}")), "{command}: {native}");
    }
    assert!(!ended.stdout.contains("label pvc"), "never in CSI mode");
}

/// The group that the first command is about.
fn group_in(yaml: &str) -> &str {
    let command = yaml.lines().find(|line| line.starts_with("# kubectl")).expect("a command");
    command.rsplit('=').next().expect("a label")
}

/// With the marks that the commands leave, a claim is as if the product had labelled it; with the label alone, as if a person had.
#[test]
fn claims_that_were_labelled_by_the_commands_are_the_products() {
    let ask = |text: &str, way: &str| plan(&["-f", "-", "-o", "yaml", "--snapshot-way", way], Some(text)).stdout;
    let native = ask(TWO, "native");
    let group = group_in(&native);
    let marks = |annotations: &str| {
        TWO.replace(
            r#""name":"data-db-0","labels":{"#,
            &format!(r#""name":"data-db-0",{annotations}"labels":{{"velero.io/snapshot-group":"{group}","#),
        )
    };
    let both = marks(&format!(r#""annotations":{{"snapshot-group.velero.io/labelled-as":"{group}"}},"#));
    let again = ask(&both, "native");
    assert!(again.contains("# kubectl -n prod label pvc data-db-1 velero.io/"), "only what lacks it: {again}");
    let off = ask(&both, "csi");
    for command in [
        "label pvc data-db-0 velero.io/snapshot-group-",
        "annotate pvc data-db-0 snapshot-group.velero.io/labelled-as-",
    ] {
        assert!(off.contains(&format!("# kubectl -n prod {command}\n")), "{command}: {off}");
    }
    assert!(!ask(&marks(""), "csi").contains("# kubectl"), "a person's stays");
}

#[test]
fn without_consistency_there_are_no_hooks_and_nobody_relies_on_labels() {
    let ended = plan(&["-f", "-", "-o", "yaml", "--ensure-backup-consistency", "false"], Some(TWO));
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(
        !ended.stdout.contains("hooks:") && ended.stdout.contains("statefulset.kubernetes.io/pod-name"),
        "{}",
        ended.stdout
    );
}

#[test]
fn text_says_when_why_and_whether_it_fits() {
    let ended = plan(
        &["-f", "-", "--time-zone", "Europe/Berlin", "--backup-window-start", "22:00", "--backup-window-hours", "8"],
        Some(TWO),
    );
    for part in [
        "1 group, 2 volumes. Window 22:00 to 06:00 Europe/Berlin (8 h, UTC+02:00), day 2026-06-15. Budget 5 volumes.",
        "START",
        "02:30",
        "fixed by its owner",
        "It fits:",
        "To change: 1 to create, 0 to update, 0 to remove; 0 stay.",
    ] {
        assert!(ended.stdout.contains(part), "`{part}` is not in\n{}", ended.stdout);
    }
}

#[test]
fn a_night_that_is_too_short_says_what_would_help() {
    let (text, _) = cluster(4, 200, false);
    let ended = plan(&["-f", "-", "--backup-window-hours", "1"], Some(&text));
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stdout.contains("IT DOES NOT FIT"), "{}", ended.stdout);
}

#[test]
fn an_empty_cluster_has_an_empty_plan() {
    let empty = r#"{"apiVersion":"v1","items":[],"kind":"List"}"#;
    let ended = plan(&["-f", "-"], Some(empty));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("No EBS volumes") && ended.stdout.contains("Nothing to change"), "{}", ended.stdout);
    for output in ["json", "yaml", "svg"] {
        assert_eq!(plan(&["-f", "-", "-o", output], Some(empty)).code, Some(0), "{output}");
    }
}

#[test]
fn a_timeline_has_a_bar_a_run_and_a_lane_a_namespace() {
    for workloads in [10, 500] {
        let (text, _) = cluster(9, workloads, true);
        let flags = ["-f", "-", "--max-concurrent-snapshots", "100", "--concurrent-backups", "8"];
        let picture = plan(&[&flags[..], &["-o", "svg"]].concat(), Some(&text));
        assert_eq!(picture.code, Some(2), "{}", picture.stderr);
        let document = plan(&[&flags[..], &["-o", "json"]].concat(), Some(&text)).json();
        let groups = document["groups"].as_array().unwrap();
        let runs: usize = groups.iter().map(|group| group["runs"].as_array().map_or(0, Vec::len)).sum();
        let bars = ["kept", "new", "moved", "fixed"]
            .map(|class| picture.stdout.matches(&format!("class=\"{class}\"><title>")).count());
        assert_eq!(bars.iter().sum::<usize>(), runs, "{workloads}");
        let namespaces: std::collections::BTreeSet<&str> =
            groups.iter().filter_map(|g: &Value| g["namespace"].as_str()).collect();
        assert_eq!(picture.stdout.matches("class=\"lane\"").count(), namespaces.len().min(150), "{workloads}");
        // Names stand beside the bars while those are few.
        assert_eq!(picture.stdout.contains("class=\"beside\""), workloads == 10, "{workloads}");
        assert!(picture.stdout.starts_with("<svg") && picture.stdout.ends_with("</svg>\n"));
        assert!(!picture.stdout.contains("NaN") && !picture.stdout.contains("inf"));
    }
}
