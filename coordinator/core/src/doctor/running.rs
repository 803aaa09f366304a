//! Do the pods run that Velero's and the coordinator's Deployments ask for, and if not, what do their own words say?

use super::facts::{Deployment, Facts, Pod, Waiting};
use super::finding::Finding;
use super::{installs, server_flags};

/// Why a kubelet waits for an image (kubernetes `pkg/kubelet/images/types.go`).
const NO_IMAGE: [&str; 4] = ["ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"];

/// Words that a controller or a registry wrote are shown to this length, bytes.
const SAID_MAX: usize = 400;

pub(super) fn check(facts: &Facts, findings: &mut Vec<Finding>) {
    if let Some(server) = server_flags::server(facts) {
        runs(facts, server.deployment, "so nothing is backed up", findings);
    }
    for coordinator in installs::coordinators(facts) {
        runs(facts, coordinator, "so hooks go on as `unreachable`, and nothing is planned", findings);
    }
}

/// `without`: what it costs that none of them runs.
fn runs(facts: &Facts, deployment: &Deployment, without: &str, findings: &mut Vec<Finding>) {
    // A manifest in a file says nothing of pods, nor does a Deployment that its controller has not looked at yet.
    let Some(status) = deployment.status.as_ref().filter(|it| it.observed_generation.is_some()) else { return };
    let (wanted, ready) = (deployment.spec.replicas.unwrap_or(1), status.ready_replicas);
    if ready >= wanted && wanted > 0 {
        return;
    }
    let (namespace, name) = (&deployment.metadata.namespace, &deployment.metadata.name);
    let subject = deployment.subject();
    if wanted == 0 {
        let fix = format!(
            "kubectl -n {namespace} scale deployment {name} --replicas={}",
            if name == server_flags::NAME { 1 } else { 2 }
        );
        findings.push(Finding::error("scaled-to-zero", subject, format!("it is scaled to 0 pods, {without}"), fix));
        return;
    }
    let mut pods = facts.pods.iter().filter(|pod| is_of(pod, deployment));
    let (why, fix) = if let Some((pod, waits)) = pods.find_map(|pod| Some((pod, pod.waits_for()?))) {
        (format!(": {}: {}", pod.metadata.name, said(&waits)), mends(deployment, pod, &waits))
    } else {
        let refused = status.conditions.iter().find(|it| it.kind == "ReplicaFailure" && it.status == "True");
        let why = refused.map(|it| format!(": {}", cut(&it.message))).unwrap_or_default();
        (why, format!("kubectl -n {namespace} describe deployment {name}"))
    };
    let counted = format!("{ready} of {wanted} pods are ready");
    findings.push(if ready == 0 {
        Finding::error("not-running", subject, format!("{counted}, {without}{why}"), fix)
    } else {
        Finding::warning("not-running", subject, format!("{counted}{why}"), fix)
    });
}

/// A Deployment's `ReplicaSet`s have its name and a hash.
fn is_of(pod: &Pod, deployment: &Deployment) -> bool {
    let set = pod.controller().filter(|owner| owner.kind == "ReplicaSet").and_then(|owner| owner.name.rsplit_once('-'));
    pod.lives()
        && pod.metadata.namespace == deployment.metadata.namespace
        && set.is_some_and(|(name, _hash)| name == deployment.metadata.name)
}

fn said(waits: &Waiting) -> String {
    let message = cut(&waits.message);
    if message.is_empty() { waits.reason.clone() } else { format!("{}: {message}", waits.reason) }
}

fn cut(words: &str) -> &str {
    let words = words.trim();
    &words[..words.floor_char_boundary(SAID_MAX)]
}

fn mends(deployment: &Deployment, pod: &Pod, waits: &Waiting) -> String {
    let (namespace, name) = (&pod.metadata.namespace, &pod.metadata.name);
    let ours = deployment.metadata.name != server_flags::NAME;
    match waits.reason.as_str() {
        reason if NO_IMAGE.contains(&reason) && ours => {
            "name the registry that holds your images under `images:` in your overlay's kustomization.yaml   # docs/install.md".to_owned()
        }
        "CrashLoopBackOff" => format!("kubectl -n {namespace} logs {name} --previous"),
        _ => format!("kubectl -n {namespace} describe pod {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::super::fixtures::{facts, found, velero, with};
    use super::*;
    use serde_json::{Value, json};

    fn deployment(name: &str, replicas: u32, status: &Value) -> Value {
        let mut status = status.clone();
        status["observedGeneration"] = json!(1);
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "velero", "name": name},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": name, "image": "registry.example.com/x:0.1.0"}]}}},
            "status": status})
    }

    fn waiting(set: &str, status: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "velero", "name": format!("{set}-x2x8q"),
            "ownerReferences": [{"kind": "ReplicaSet", "name": set, "controller": true}]}, "status": status})
    }

    fn one(facts: &Facts) -> Finding {
        let mut findings = Vec::new();
        check(facts, &mut findings);
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings.remove(0)
    }

    #[test]
    fn as_many_as_wanted_or_nobody_knows() {
        let ready = deployment("snapshot-coordinator", 2, &json!({"readyReplicas": 2}));
        assert!(found(&with([ready, velero()]), check).is_empty());
        assert!(found(&facts(), check).is_empty());
        let mut unseen = deployment("snapshot-coordinator", 2, &json!({}));
        unseen["status"] = json!({});
        assert!(found(&with([unseen]), check).is_empty());
        assert!(found(&with([deployment("somebody-elses", 2, &json!({}))]), check).is_empty());
    }

    #[test]
    fn none_is_an_error_and_some_are_a_warning() {
        for (ready, severity) in [(0, Severity::Error), (1, Severity::Warning)] {
            let facts = with([deployment("snapshot-coordinator", 2, &json!({"readyReplicas": ready}))]);
            let finding = one(&facts);
            assert_eq!((finding.check, finding.severity), ("not-running", severity));
            assert!(finding.evidence.starts_with(&format!("{ready} of 2 pods are ready")), "{finding:?}");
        }
        let finding = one(&with([deployment("velero", 1, &json!({}))]));
        assert!(
            finding.severity == Severity::Error && finding.evidence.contains("nothing is backed up"),
            "{finding:?}"
        );
        let finding = one(&with([deployment("velero", 0, &json!({}))]));
        assert_eq!(finding.check, "scaled-to-zero");
    }

    #[test]
    fn the_pods_own_words_say_why_and_what_mends_it() {
        let container = |reason: &str| {
            json!({"phase": "Pending", "containerStatuses": [{"state": {"waiting":
                {"reason": reason, "message": "registry.example.com/x: not found"}}}]})
        };
        let init = json!({"phase": "Pending", "initContainerStatuses": [{"state": {"waiting":
            {"reason": "ErrImagePull", "message": "no such host"}}}]});
        let unschedulable = json!({"phase": "Pending", "conditions":
            [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}]});
        for (name, status, said, mends) in [
            ("snapshot-coordinator", container("ImagePullBackOff"), "x: not found", "`images:` in your overlay"),
            (
                "snapshot-coordinator",
                container("CrashLoopBackOff"),
                "CrashLoopBackOff",
                "logs snapshot-coordinator-7d9c-x2x8q --previous",
            ),
            ("snapshot-coordinator", unschedulable, "Unschedulable: 0/3 nodes", "describe pod"),
            ("velero", init, "ErrImagePull: no such host", "describe pod velero-7d9c-x2x8q"),
        ] {
            let finding = one(&with([deployment(name, 2, &json!({})), waiting(&format!("{name}-7d9c"), &status)]));
            assert!(finding.evidence.contains(said) && finding.fix.contains(mends), "{finding:?}");
        }
    }

    #[test]
    fn pods_of_others_explain_nothing_and_a_refused_pod_does() {
        let refused = json!({"conditions": [{"type": "ReplicaFailure", "status": "True",
            "message": "pods \"snapshot-coordinator-7d9c-\" is forbidden: violates PodSecurity"}]});
        let others =
            waiting("other-7d9c", &json!({"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull"}}}]}));
        let finding = one(&with([deployment("snapshot-coordinator", 2, &refused), others]));
        assert!(finding.evidence.ends_with("violates PodSecurity"), "{finding:?}");
        assert!(finding.fix.contains("describe deployment snapshot-coordinator"), "{finding:?}");
    }
}
