//! Can the hook agent do its work in each pod? Is it there, is it new enough, has it a token, may it freeze?

use shared::names::LABEL_SNAPSHOT_GROUP;

use super::facts::{Container, Facts, Pod, Schedule, SecurityContext, Volume};
use super::finding::Finding;
use super::server_flags::version_of;

/// The annotation with the pre hook's command.
pub(super) const PRE_COMMAND: &str = "pre.hook.backup.velero.io/command";

/// The annotation with the pre hook's container.
const PRE_CONTAINER: &str = "pre.hook.backup.velero.io/container";

/// The annotation with what is held still.
const QUIESCE: &str = "snapshot-group.velero.io/quiesce";

/// The pre hook's flag that says it.
const QUIESCE_FLAG: &str = "--quiesce";

/// Where the agent looks for its token, unless it is told.
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The variable that says it, for hooks and residents.
const QUIESCE_VARIABLE: &str = "QUIESCE";

/// How the agent comes into a pod.
const INJECT: &str = "hook-agent inject -f WORKLOAD.yaml --image REGISTRY/hook-agent:VERSION | kubectl apply -f -   # docs/install.md, or by hand as in README.md";

/// The agent's program, and the last word of its image's name.
const AGENT: &str = "hook-agent";

pub(super) fn check(facts: &Facts, findings: &mut Vec<Finding>) {
    let hooking = |it: &&Schedule| {
        let mut hooks = it.spec.template.hooks.resources.iter().flat_map(|it| &it.pre);
        hooks.any(|hook| runs_agent(hook.exec.as_ref().map(|it| it.command.as_slice()).unwrap_or_default()))
    };
    let hooked_by_schedule: Vec<&Schedule> = facts.schedules.iter().filter(hooking).collect();
    for pod in facts.pods.iter().filter(|pod| pod.lives()) {
        let command = pod.metadata.annotations.get(PRE_COMMAND);
        let by_itself = command.is_some_and(|text| text.contains(AGENT));
        let group = pod.metadata.labels.get(LABEL_SNAPSHOT_GROUP).filter(|label| !label.is_empty());
        let hooked = by_itself || hooked_by_schedule.iter().any(|schedule| schedule.is_of_group_of(pod));
        if hooked {
            mounted(pod, command.map(String::as_str), findings);
            token(pod, findings);
            said(pod, facts, findings);
            readable(pod, findings);
            may_freeze(pod, findings);
        } else if group.is_some() {
            findings.push(Finding::warning(
                "agent-missing",
                pod.subject(),
                match command {
                    Some(text) => format!("it is in a group, and its pre hook `{text}` is not the hook agent"),
                    None => "it is in a group, and neither its annotations nor a Schedule of its group run the hook agent: it is cut unheld, whenever Velero comes to it".to_owned(),
                },
                INJECT,
            ));
        }
        too_old(pod, facts.version, findings);
    }
}

fn runs_agent(command: &[String]) -> bool {
    command.iter().any(|word| word.contains(AGENT))
}

/// The container that the pre hook runs in.
fn hooked_container(pod: &Pod) -> Option<&Container> {
    let name = pod.metadata.annotations.get(PRE_CONTAINER);
    match name {
        Some(name) => pod.spec.containers.iter().find(|it| it.name == *name),
        None => pod.spec.containers.first(),
    }
}

fn mounted(pod: &Pod, command: Option<&str>, findings: &mut Vec<Finding>) {
    let Some(container) = hooked_container(pod) else { return };
    let Some(program) = command.and_then(program_of) else { return };
    let over = |mount: &str| program.starts_with(&format!("{}/", mount.trim_end_matches('/')));
    let there = container.volume_mounts.iter().any(|it| over(&it.mount_path)) || is_agent_image(&container.image);
    if !there {
        findings.push(Finding::warning(
            "agent-not-mounted",
            pod.subject(),
            format!("the pre hook runs {program}, and no volume of the container `{}` is mounted over it; unless the image {} brings it, the hook fails", container.name, container.image),
            INJECT,
        ));
    }
}

/// The hook-agent's path in a hook's command: a JSON list, or one program.
fn program_of(command: &str) -> Option<String> {
    let words = serde_json::from_str::<Vec<String>>(command).unwrap_or_else(|_| vec![command.to_owned()]);
    let path = words.into_iter().find(|word| word.ends_with(AGENT))?;
    path.starts_with('/').then_some(path)
}

fn token(pod: &Pod, findings: &mut Vec<Finding>) {
    // Tokens for somebody else (IRSA mounts one for AWS) name an audience, and are not where the agent looks.
    let is_mounted = |volume: &Volume| {
        let mut mounts = pod.spec.containers.iter().flat_map(|it| &it.volume_mounts);
        mounts.any(|it| it.name == volume.name && it.mount_path.trim_end_matches('/') == TOKEN_PATH)
    };
    let is_ours = |volume: &Volume| {
        let mut tokens =
            volume.projected.iter().flat_map(|it| &it.sources).filter_map(|it| it.get("serviceAccountToken"));
        tokens.any(|token| token.get("audience").is_none() || is_mounted(volume))
    };
    if pod.spec.volumes.iter().any(is_ours) {
        return;
    }
    let why = if pod.spec.automount_service_account_token == Some(false) {
        "automountServiceAccountToken is false"
    } else {
        "its ServiceAccount's automountServiceAccountToken is false, or it mounts a Secret's token"
    };
    findings.push(Finding::error(
        "token-not-mounted",
        pod.subject(),
        format!("no volume has a projected serviceAccountToken ({why}): the agent does not know which pod it is and cannot register it"),
        "spec.template.spec.automountServiceAccountToken: true, or a volume: {name: snapshot-token, projected: {sources: [{serviceAccountToken: {path: token}}, {configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}}, {downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}}]}}, mounted at /var/run/secrets/kubernetes.io/serviceaccount",
    ));
}

/// Whether anybody says how the pod is held still: its annotations, a variable of the hooks' container or of a resident, a hook's flag.
fn said(pod: &Pod, facts: &Facts, findings: &mut Vec<Finding>) {
    let of_group = facts.schedules.iter().filter(|it| it.is_of_group_of(pod));
    let mut hooks = of_group.flat_map(|it| &it.spec.template.hooks.resources).flat_map(|it| &it.pre);
    let by_schedule =
        hooks.any(|hook| hook.exec.iter().flat_map(|it| &it.command).any(|word| word.contains(QUIESCE_FLAG)));
    if !(is_annotated(pod) || is_told(pod) || by_schedule) {
        findings.push(Finding::warning(
            "nothing-held",
            pod.subject(),
            "nobody says how it is held still, so its hooks hold nothing and its receipts say crash-consistent",
            format!("metadata.annotations.{QUIESCE}: steps as in docs/recipes.md, or none where it is still without"),
        ));
    }
}

/// Whether the pod's annotation says how it is held still.
fn is_annotated(pod: &Pod) -> bool {
    pod.metadata.annotations.get(QUIESCE).is_some_and(|plan| !plan.trim().is_empty())
}

/// Whether its own pre hook's flag, or a variable of its containers, says it: the agent needs no annotation then.
fn is_told(pod: &Pod) -> bool {
    let by_flag = pod.metadata.annotations.get(PRE_COMMAND).is_some_and(|command| command.contains(QUIESCE_FLAG));
    by_flag || pod.spec.containers.iter().flat_map(|it| &it.env).any(|it| it.name == QUIESCE_VARIABLE)
}

/// Whether the agent can read the annotation that says it: a volume with the file `annotations`, in a container with hooks or a resident.
fn readable(pod: &Pod, findings: &mut Vec<Finding>) {
    let Some(container) = hooked_container(pod) else { return };
    if !is_annotated(pod) || is_told(pod) {
        return;
    }
    let volumes = || pod.spec.volumes.iter().filter(|it| it.has_annotations());
    if !container.volume_mounts.iter().any(|mount| volumes().any(|volume| volume.name == mount.name)) {
        findings.push(Finding::warning(
            "annotations-not-mounted",
            pod.subject(),
            format!("it says by its annotation how it is held still, and the container `{}` mounts no volume with the pod's annotations: the agent cannot read it, holds nothing, and receipts say crash-consistent", container.name),
            format!(
                "volumes: [{{name: podinfo, downwardAPI: {{items: [{{path: labels, fieldRef: {{fieldPath: metadata.labels}}}}, {{path: annotations, fieldRef: {{fieldPath: metadata.annotations}}}}]}}}}]\ncontainers: [{{name: {}, volumeMounts: [{{name: podinfo, mountPath: /etc/podinfo, readOnly: true}}]}}]\n# or: {INJECT}",
                container.name
            ),
        ));
    }
}

fn may_freeze(pod: &Pod, findings: &mut Vec<Finding>) {
    let annotated = pod.metadata.annotations.get(QUIESCE).is_some_and(|it| it.contains("fsfreeze"));
    let Some(container) = hooked_container(pod) else { return };
    let by_flag = pod.metadata.annotations.get(PRE_COMMAND).is_some_and(|it| it.contains("fsfreeze"));
    let by_variable = container
        .env
        .iter()
        .any(|it| it.name == QUIESCE_VARIABLE && it.value.as_deref().is_some_and(|it| it.contains("fsfreeze")));
    if (annotated || by_flag || by_variable) && !has_sys_admin(container.security_context.as_ref()) {
        findings.push(Finding::error(
            "cannot-freeze",
            pod.subject(),
            format!("it is to be held by fsfreeze in the container `{}`, which has not CAP_SYS_ADMIN: FIFREEZE answers EPERM", container.name),
            format!("- name: {}\n  securityContext: {{runAsUser: 0, capabilities: {{add: [SYS_ADMIN]}}}}\nor hold a session instead (README, \"Holding a pod still\")", container.name),
        ));
    }
}

fn has_sys_admin(context: Option<&SecurityContext>) -> bool {
    let Some(SecurityContext { privileged, capabilities }) = context else { return false };
    let added = capabilities
        .iter()
        .flat_map(|it| &it.add)
        .any(|it| matches!(it.as_str(), "SYS_ADMIN" | "CAP_SYS_ADMIN" | "ALL"));
    *privileged == Some(true) || added
}

fn is_agent_image(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or_default();
    name.split([':', '@']).next() == Some(AGENT)
}

fn too_old(pod: &Pod, own: &str, findings: &mut Vec<Finding>) {
    let Some(own) = version_of(&format!("own:{own}")) else { return };
    let images = pod.spec.init_containers.iter().chain(&pod.spec.containers).map(|it| it.image.as_str());
    for image in images.filter(|image| is_agent_image(image)) {
        if version_of(image).is_some_and(|version| version < own) {
            let [major, minor, patch] = own;
            findings.push(Finding::warning(
                "agent-too-old",
                pod.subject(),
                format!("{image} is older than this coordinator ({major}.{minor}.{patch})"),
                format!("the tag {major}.{minor}.{patch} on that image, and a rollout: kubectl rollout restart"),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{changed, found, pod, with};
    use super::*;
    use serde_json::{Value, json};

    fn of(object: Value) -> Vec<&'static str> {
        found(&with([object]), check)
    }

    #[test]
    fn a_pod_with_all_that_is_needed() {
        assert!(of(pod()).is_empty());
        assert!(of(changed(pod(), "/status/phase", json!("Succeeded"))).is_empty());
    }

    #[test]
    fn agents_missing_and_agents_of_a_schedule() {
        let without = changed(pod(), "/metadata/annotations", json!({}));
        assert_eq!(of(without.clone()), ["agent-missing"]);
        assert!(of(changed(without.clone(), "/metadata/labels", json!({}))).is_empty(), "in no group");
        let schedule = json!({"apiVersion": "velero.io/v1", "kind": "Schedule",
            "metadata": {"namespace": "velero", "name": "auto", "labels": {"velero.io/snapshot-group": "group-1"}},
            "spec": {"template": {"hooks": {"resources": [{"name": "x", "pre": [{"exec": {"command": ["/hooks/hook-agent", "pre", "--quiesce=none"]}}]}]}}}});
        assert!(found(&with([without.clone(), schedule.clone()]), check).is_empty());
        let command = "/spec/template/hooks/resources/0/pre/0/exec/command";
        let silent = changed(schedule, command, json!(["/hooks/hook-agent", "pre"]));
        assert_eq!(found(&with([without, silent]), check), ["nothing-held"]);
    }

    #[test]
    fn where_the_program_is() {
        let podinfo_alone = json!([{"name": "podinfo", "mountPath": "/etc/podinfo"}]);
        assert_eq!(of(changed(pod(), "/spec/containers/0/volumeMounts", podinfo_alone)), ["agent-not-mounted"]);
        assert_eq!(
            of(changed(pod(), "/spec/containers/0/volumeMounts/0/mountPath", json!("/hook"))),
            ["agent-not-mounted"]
        );
        assert!(of(changed(pod(), "/spec/containers/0/volumeMounts/0/mountPath", json!("/hooks/"))).is_empty());
    }

    #[test]
    fn versions() {
        assert_eq!(of(changed(pod(), "/spec/initContainers/0/image", json!("a/hook-agent:0.0.9"))), ["agent-too-old"]);
        assert!(of(changed(pod(), "/spec/initContainers/0/image", json!("a/hook-agent:latest"))).is_empty());
        assert!(of(changed(pod(), "/spec/initContainers/0/image", json!("a/other:0.0.1"))).is_empty());
    }

    #[test]
    fn tokens() {
        assert_eq!(of(changed(pod(), "/spec/volumes/0", json!({"name": "token"}))), ["token-not-mounted"]);
        let audience = |audience: &str| json!([{"serviceAccountToken": {"path": "token", "audience": audience}}]);
        let irsa = changed(pod(), "/spec/volumes/0/projected/sources", audience("sts.amazonaws.com"));
        assert_eq!(of(irsa.clone()), ["token-not-mounted"], "AWS's is not ours");
        let mount = json!({"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"});
        let mut mounted =
            changed(irsa, "/spec/volumes/0/projected/sources", audience("https://kubernetes.default.svc"));
        mounted["spec"]["containers"][0]["volumeMounts"].as_array_mut().unwrap().push(mount);
        assert!(of(mounted).is_empty());
    }

    #[test]
    fn somebody_has_to_say_how_it_is_held() {
        let with_plan = |plan: &str| {
            let mut object = pod();
            object["metadata"]["annotations"][QUIESCE] = json!(plan);
            object
        };
        assert_eq!(of(with_plan("")), ["nothing-held"]);
        assert!(of(with_plan("- sync: [/data]")).is_empty());
        let by_variable =
            json!([{"name": "QUIESCE", "valueFrom": {"configMapKeyRef": {"name": "plan", "key": "plan"}}}]);
        let mut object = with_plan("");
        object["spec"]["containers"][0]["env"] = by_variable;
        assert!(of(object).is_empty());
        let command = "/metadata/annotations/pre.hook.backup.velero.io~1command";
        let by_flag = json!("[\"/hooks/hook-agent\",\"pre\",\"--quiesce\",\"none\"]");
        assert!(of(changed(with_plan(""), command, by_flag)).is_empty());
    }

    #[test]
    fn the_annotation_has_to_be_readable_where_the_hook_runs() {
        assert_eq!(
            of(changed(pod(), "/spec/volumes/1/downwardAPI/items", json!([{"path": "labels"}]))),
            ["annotations-not-mounted"]
        );
        assert_eq!(
            of(changed(pod(), "/spec/containers/0/volumeMounts/1/name", json!("other"))),
            ["annotations-not-mounted"]
        );
        let items = json!([{"path": "annotations", "fieldRef": {"fieldPath": "metadata.annotations"}}]);
        let projected = json!({"name": "podinfo", "projected": {"sources": [{"downwardAPI": {"items": items}}]}});
        assert!(of(changed(pod(), "/spec/volumes/1", projected)).is_empty());
        let mut by_variable = changed(pod(), "/spec/volumes/1", json!({"name": "podinfo"}));
        by_variable["spec"]["containers"][0]["env"] = json!([{"name": "QUIESCE", "value": "none"}]);
        assert!(of(by_variable).is_empty());
    }

    /// Two namespaces may have groups of one name: the Schedule of one of them says nothing of the other.
    #[test]
    fn a_schedule_hooks_the_pods_of_its_own_namespace() {
        let without = changed(pod(), "/metadata/annotations", json!({}));
        let schedule = |namespace: &str| {
            json!({"apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": {"namespace": "velero", "name": "auto",
                "labels": {"velero.io/snapshot-group": "group-1", "snapshot-group.velero.io/namespace": namespace}},
            "spec": {"template": {"hooks": {"resources": [{"name": "x", "pre": [{"exec": {"command": ["/hooks/hook-agent", "pre", "--quiesce=none"]}}]}]}}}})
        };
        assert!(found(&with([without.clone(), schedule("shop")]), check).is_empty());
        assert_eq!(found(&with([without, schedule("bank")]), check), ["agent-missing"]);
    }

    #[test]
    fn freezing_wants_a_capability() {
        let mut object = pod();
        object["metadata"]["annotations"][QUIESCE] = json!("- fsfreeze: [/data]");
        assert_eq!(of(object.clone()), ["cannot-freeze"]);
        object["spec"]["containers"][0]["securityContext"] = json!({"capabilities": {"add": ["SYS_ADMIN"]}});
        assert!(of(object).is_empty());
    }
}
