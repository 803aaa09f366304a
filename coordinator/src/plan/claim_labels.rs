//! What those who apply the plan's YAML themselves must do to claims, as comments that `kubectl apply -f -` passes over.

use std::collections::BTreeMap;

use coordinator_core::schedule_apply::claim_labels::ClaimLabel;
use shared::names::{ANNOTATION_LABELLED_AS, LABEL_SNAPSHOT_GROUP};

/// Claims on one line: a shell takes more, people do not.
const CLAIMS_A_LINE_MAX: usize = 20;

/// Why, above the commands.
const HEAD: &str = "\
# Native snapshots: Velero puts a group's pods into one block by a label of their claims. `coordinator run` puts it there with
# SCHEDULES=apply and manifests/components/native-snapshots; without it, run these (and again after workloads changed). The annotation
# says that the label is the product's: a label alone would count as a person's, and stay whatever becomes of the claim.
";

/// Why nothing is left to label in CSI mode.
const HEAD_OFF: &str = "# Labels of claims that nothing needs any more:\n";

/// What kubectl is told about claims of one group.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Commands<'a> {
    off: bool,
    namespace: &'a str,
    label: String,
    annotate: String,
}

impl<'a> Commands<'a> {
    fn of(ClaimLabel { claim, from, to }: &'a ClaimLabel) -> Self {
        let namespace = claim.namespace.as_str();
        let Some(group) = to else {
            let (label, annotate) = (format!("{LABEL_SNAPSHOT_GROUP}-"), format!("{ANNOTATION_LABELLED_AS}-"));
            return Self { off: true, namespace, label, annotate };
        };
        // What a person set since the plan was made is not overwritten.
        let overwrite = if from.is_some() { "--overwrite " } else { "" };
        let label = format!("{overwrite}{LABEL_SNAPSHOT_GROUP}={group}");
        Self { off: false, namespace, label, annotate: format!("--overwrite {ANNOTATION_LABELLED_AS}={group}") }
    }

    /// In the order in which a claim that only the first has reached counts as nobody's.
    fn lines(&self, claims: &str) -> [String; 2] {
        let Self { off, namespace, label, annotate } = self;
        let label = format!("# kubectl -n {namespace} label pvc {claims} {label}\n");
        let annotate = format!("# kubectl -n {namespace} annotate pvc {claims} {annotate}\n");
        if *off { [label, annotate] } else { [annotate, label] }
    }
}

/// Two commands a group, or nothing where every claim is as it should be.
pub fn comments(labels: &[ClaimLabel]) -> String {
    let mut commands: BTreeMap<Commands<'_>, Vec<&str>> = BTreeMap::new();
    for label in labels {
        commands.entry(Commands::of(label)).or_default().push(&label.claim.name);
    }
    let mut text = String::new();
    let mut head = None;
    for (commands, claims) in commands {
        if head.replace(commands.off) != Some(commands.off) {
            text.push_str(if commands.off { HEAD_OFF } else { HEAD });
        }
        for claims in claims.chunks(CLAIMS_A_LINE_MAX) {
            text.extend(commands.lines(&claims.join(" ")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_commands_a_group_and_all_of_it_comments() {
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
        let commands: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# kubectl -n prod ")).collect();
        assert_eq!(
            commands,
            [
                "annotate pvc b --overwrite snapshot-group.velero.io/labelled-as=g",
                "label pvc b --overwrite velero.io/snapshot-group=g",
                "annotate pvc a d --overwrite snapshot-group.velero.io/labelled-as=g",
                "label pvc a d velero.io/snapshot-group=g",
                "label pvc c velero.io/snapshot-group-",
                "annotate pvc c snapshot-group.velero.io/labelled-as-",
            ]
        );
        assert_eq!(comments(&[]), "");
        let many: Vec<ClaimLabel> = (0..21).map(|n| label(&format!("c{n}"), None, Some("g"))).collect();
        assert_eq!(comments(&many).lines().filter(|line| line.starts_with("# kubectl")).count(), 4);
    }
}
