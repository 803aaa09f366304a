//! Is Velero's server one that snapshot groups get on with? Version, workers, polling, timeouts, plugins.

use shared::duration::parse_ms;

use super::facts::{Facts, Source};
use super::finding::Finding;
use super::server_flags::{Server, server};

/// Velero 1.15 put the pods of `orderedResources` into one block; before, each pod is hooked and cut alone.
const BLOCKS_SINCE: (u32, u32) = (1, 15);

/// Velero 1.14 took the CSI plugin in; both together stop it.
const CSI_INSIDE_SINCE: (u32, u32) = (1, 14);

/// Velero's own default of `--default-item-operation-timeout` is 4 h; an EBS snapshot of a large volume takes more than half an hour.
const ITEM_OPERATION_MS_MIN: u64 = 30 * 60_000;

/// Velero's own default of `--resource-timeout` is 10 min; less than this gives up while the API server restarts.
const RESOURCE_MS_MIN: u64 = 60_000;

pub(super) fn check(facts: &Facts, findings: &mut Vec<Finding>) {
    let Some(server) = server(facts) else {
        if facts.knows(Source::Deployments) {
            findings.push(Finding::error(
                "velero-server-absent",
                format!("Deployment {}/velero", facts.velero_namespace),
                "there is no Deployment of that name, so nothing is backed up and Velero's workers are unknown",
                "Helm: `fullnameOverride: velero`; another namespace: coordinator doctor --velero-namespace NAME",
            ));
        }
        return;
    };
    let subject = server.deployment.subject();
    version(&server, &subject, findings);
    workers(&server, &subject, findings);
    polling(&server, &subject, findings);
    timeout(
        &server,
        &subject,
        "--default-item-operation-timeout",
        "defaultItemOperationTimeout: 4h",
        ITEM_OPERATION_MS_MIN,
        findings,
    );
    timeout(&server, &subject, "--resource-timeout", "extraArgs: [--resource-timeout=10m]", RESOURCE_MS_MIN, findings);
    csi_plugin(&server, &subject, findings);
    if !server.csi() {
        findings.push(Finding::note(
            "native-snapshots",
            &subject,
            "--features has no EnableCSI: the AWS plugin cuts, holds are short (0.1 s a volume), and verdicts say `unknown`, because native snapshots leave no object in the cluster",
            "",
        ));
    }
}

fn version(server: &Server<'_>, subject: &str, findings: &mut Vec<Finding>) {
    let image = &server.container.image;
    match server.version() {
        None => findings.push(Finding::note(
            "velero-version-unknown",
            subject,
            format!("the image {image} has no version in its tag; the checks take it for a current one"),
            "Helm: `image: {tag: v1.18.3}`",
        )),
        Some(version) if version < BLOCKS_SINCE => findings.push(Finding::warning(
            "velero-too-old",
            subject,
            format!("{image}: below 1.15 each pod is hooked, cut and released alone, so a group is `member-consistent` at best"),
            "Helm: chart vmware-tanzu/velero 12.x with `image: {tag: v1.18.3}`",
        )),
        Some(_) => {}
    }
}

fn workers(server: &Server<'_>, subject: &str, findings: &mut Vec<Finding>) {
    let fix = "Helm: `configuration: {itemBlockWorkerCount: 1}`";
    match server.workers() {
        Some(1) => {}
        Some(count) if count > 1 && server.csi() => findings.push(Finding::warning(
            "velero-workers-race",
            subject,
            format!("--item-block-worker-count={count} with EnableCSI: item blocks that run at once race for VolumeSnapshots (velero#9659)"),
            fix,
        )),
        Some(count) if count > 1 => {}
        _ => findings.push(Finding::error(
            "velero-workers-unreadable",
            subject,
            format!("--item-block-worker-count `{}` is no number above 0", server.flag("--item-block-worker-count").unwrap_or_default()),
            fix,
        )),
    }
}

fn polling(server: &Server<'_>, subject: &str, findings: &mut Vec<Finding>) {
    // What Go's strconv.ParseBool takes for true.
    let is_true = |value: &str| matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True");
    let value = server.variable("CSI_SNAPSHOT_EARLY_FREQUENT_POLLING");
    if let Some(value) = value.filter(|value| is_true(value)) {
        findings.push(Finding::error(
            "early-frequent-polling",
            subject,
            format!("CSI_SNAPSHOT_EARLY_FREQUENT_POLLING={value}: a handle that needs more than 10 s fails its item at random, and the cut comes after the post hook, outside of every hold"),
            "Helm: take it out of `configuration.extraEnvVars`; or kubectl -n velero set env deployment/velero CSI_SNAPSHOT_EARLY_FREQUENT_POLLING-",
        ));
    }
}

fn timeout(server: &Server<'_>, subject: &str, flag: &str, helm: &str, min_ms: u64, findings: &mut Vec<Finding>) {
    let Some(text) = server.flag(flag) else { return };
    let low = match parse_ms(text) {
        // Velero takes 0 for its default.
        Ok(0) => return,
        Ok(ms) if ms >= min_ms => return,
        Ok(_) => "is too short: what takes longer than it, as throttled snapshots do, fails",
        Err(_) => "is no duration with a unit, and Velero does not start with it",
    };
    findings.push(Finding::warning(
        "velero-timeout",
        subject,
        format!("{flag} `{text}` {low}"),
        format!("Helm: `configuration: {{{helm}}}`"),
    ));
}

fn csi_plugin(server: &Server<'_>, subject: &str, findings: &mut Vec<Finding>) {
    let plugin = server
        .deployment
        .spec
        .template
        .spec
        .init_containers
        .iter()
        .find(|it| it.image.contains("velero-plugin-for-csi"));
    let inside = server.version().is_none_or(|version| version >= CSI_INSIDE_SINCE);
    if let Some(plugin) = plugin.filter(|_| inside) {
        findings.push(Finding::error(
            "csi-plugin-twice",
            subject,
            format!(
                "the init container `{}` brings {}, which is part of Velero since 1.14; both together stop Velero",
                plugin.name, plugin.image
            ),
            "Helm: take velero-plugin-for-csi out of `initContainers`",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{changed, facts, found, velero, with};
    use super::*;
    use serde_json::json;

    fn check_of(place: &str, value: serde_json::Value) -> Vec<&'static str> {
        found(&with([changed(velero(), place, value)]), check)
    }

    const ARGS: &str = "/spec/template/spec/containers/0/args";
    const IMAGE: &str = "/spec/template/spec/containers/0/image";

    #[test]
    fn a_current_server_has_nothing_to_mend_and_one_that_is_not_there_is_told() {
        assert!(found(&with([velero()]), check).is_empty());
        assert_eq!(found(&facts(), check), ["velero-server-absent"]);
        assert_eq!(check_of("/metadata/namespace", json!("backup")), ["velero-server-absent"]);
        assert!(found(&Facts::default(), check).is_empty(), "Deployments that nobody looked at are not absent");
    }

    #[test]
    fn versions() {
        assert_eq!(check_of(IMAGE, json!("velero/velero:v1.14.2")), ["velero-too-old"]);
        assert_eq!(check_of(IMAGE, json!("velero/velero:latest")), ["velero-version-unknown"]);
        assert!(check_of(IMAGE, json!("velero/velero:v1.15.0")).is_empty());
    }

    #[test]
    fn workers_and_features() {
        assert_eq!(
            check_of(ARGS, json!(["--features=EnableCSI", "--item-block-worker-count", "4"])),
            ["velero-workers-race"]
        );
        assert_eq!(
            check_of(ARGS, json!(["--features=EnableCSI", "--item-block-worker-count=0"])),
            ["velero-workers-unreadable"]
        );
        assert_eq!(check_of(ARGS, json!(["--item-block-worker-count=4"])), ["native-snapshots"]);
    }

    #[test]
    fn timeouts() {
        let of = |text: &str| {
            check_of(ARGS, json!(["--features=EnableCSI", format!("--default-item-operation-timeout={text}")]))
        };
        assert_eq!(of("5m"), ["velero-timeout"]);
        assert_eq!(of("600"), ["velero-timeout"]);
        assert!(of("4h").is_empty() && of("0").len() <= 1);
    }

    #[test]
    fn early_polling_and_the_old_plugin() {
        let container = "/spec/template/spec/containers/0";
        let of = |value: &str| {
            let mut it = velero().pointer(container).cloned().unwrap();
            it["env"] = json!([{"name": "CSI_SNAPSHOT_EARLY_FREQUENT_POLLING", "value": value}]);
            check_of(container, it)
        };
        for on in ["true", "True", "1", "t"] {
            assert_eq!(of(on), ["early-frequent-polling"], "{on}");
        }
        assert!(of("false").is_empty() && of("0").is_empty() && of("").is_empty());
        let mut object = velero();
        object["spec"]["template"]["spec"]["initContainers"] =
            json!([{"name": "csi", "image": "velero/velero-plugin-for-csi:v0.7.0"}]);
        assert_eq!(found(&with([object.clone()]), check), ["csi-plugin-twice"]);
        assert_eq!(found(&with([changed(object, IMAGE, json!("velero/velero:v1.13.0"))]), check), ["velero-too-old"]);
    }
}
