//! What those who apply the plan's YAML themselves must do to claims, as comments that `kubectl apply -f -` passes over.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use coordinator_core::schedule_apply::claim_labels::ClaimLabel;
use shared::names::LABEL_SNAPSHOT_GROUP;

/// Claims on one line: a shell takes more, people do not.
const CLAIMS_A_LINE_MAX: usize = 20;

/// Why, above the commands.
const HEAD: &str = "\
# Native snapshots: Velero puts a group's pods into one block by a label of their claims. `coordinator run` puts it there with
# SCHEDULES=apply and manifests/components/native-snapshots; without it, run these (and again after workloads changed):
";

/// Why nothing is left to label in CSI mode.
const HEAD_OFF: &str = "# Labels of claims that nothing needs any more:\n";

/// One command a group, or nothing where every claim is as it should be.
pub fn comments(labels: &[ClaimLabel]) -> String {
    let mut commands: BTreeMap<(bool, &str, String), Vec<&str>> = BTreeMap::new();
    for ClaimLabel { claim, from, to } in labels {
        let change = match (from, to) {
            (None, Some(group)) => format!("{LABEL_SNAPSHOT_GROUP}={group}"),
            (Some(_), Some(group)) => format!("--overwrite {LABEL_SNAPSHOT_GROUP}={group}"),
            (_, None) => format!("{LABEL_SNAPSHOT_GROUP}-"),
        };
        commands.entry((to.is_none(), claim.namespace.as_str(), change)).or_default().push(&claim.name);
    }
    let mut text = String::new();
    let mut head = None;
    for ((off, namespace, change), claims) in commands {
        if head.replace(off) != Some(off) {
            text.push_str(if off { HEAD_OFF } else { HEAD });
        }
        for claims in claims.chunks(CLAIMS_A_LINE_MAX) {
            let _ = writeln!(text, "# kubectl -n {namespace} label pvc {} {change}", claims.join(" "));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_command_a_group_and_all_of_it_comments() {
        let label = |claim: &str, from: Option<&str>, to: Option<&str>| ClaimLabel {
            claim: coordinator_core::objects::ObjectKey { namespace: "prod".parse().unwrap(), name: claim.to_owned() },
            from: from.map(str::to_owned),
            to: to.map(|to| to.parse().unwrap()),
        };
        let text = comments(&[
            label("a", None, Some("g")),
            label("b", Some("old"), Some("g")),
            label("c", Some("old"), None),
            label("d", None, Some("g")),
        ]);
        assert!(text.lines().all(|line| line.starts_with("# ")), "{text}");
        let commands: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("# kubectl -n prod label pvc ")).collect();
        assert_eq!(
            commands,
            [
                "b --overwrite velero.io/snapshot-group=g",
                "a d velero.io/snapshot-group=g",
                "c velero.io/snapshot-group-"
            ]
        );
        assert_eq!(comments(&[]), "");
        let many: Vec<ClaimLabel> = (0..21).map(|n| label(&format!("c{n}"), None, Some("g"))).collect();
        assert_eq!(comments(&many).lines().filter(|line| line.starts_with("# kubectl")).count(), 2);
    }
}
