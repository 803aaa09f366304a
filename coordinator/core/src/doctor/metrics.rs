//! Do the metrics answer that alerts and dashboards look at?

use super::facts::{Facts, Had, Measured, Metrics};
use super::finding::Finding;

pub(super) fn check(facts: &Facts, findings: &mut Vec<Finding>) {
    for Metrics { of, service, had } in &facts.metrics {
        let subject = format!("Service {service}");
        let namespace = &facts.velero_namespace;
        match had {
            Had::Read => {}
            Had::Forbidden => findings.push(Finding::note(
                "metrics-not-asked",
                subject,
                "its metrics were not asked for: no right to `get` services/proxy",
                "",
            )),
            Had::Absent => findings.push(match of {
                Measured::Coordinator => Finding::warning(
                    "metrics-unreachable",
                    subject,
                    "there is no such Service, or nothing of ours behind it: alerts have nothing to look at",
                    "kubectl apply -k YOUR-OVERLAY   # again: docs/install.md, step 3",
                ),
                Measured::Velero => Finding::warning(
                    "metrics-unreachable",
                    subject,
                    "there is no Service for Velero's metrics: alerts about failed Backups have nothing to look at",
                    "Helm: `metrics: {enabled: true}`; without Helm: kubectl apply -k manifests/velero/kustomize",
                ),
            }),
            Had::Failed(said) => {
                let (pods, policy) = match of {
                    Measured::Coordinator => (
                        "app.kubernetes.io/name=snapshot-coordinator",
                        "components/network-policy lets Prometheus in and not the API server: with it ask Prometheus whether this target is up",
                    ),
                    Measured::Velero => ("deploy=velero", "a NetworkPolicy must let the monitoring in"),
                };
                findings.push(Finding::warning(
                    "metrics-unreachable",
                    subject,
                    format!("/metrics does not answer through the API server: {said}"),
                    format!("kubectl -n {namespace} get pods -l {pods}; {policy}"),
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{facts, found};
    use super::*;

    #[test]
    fn each_answer_of_each_of_the_two() {
        for of in [Measured::Coordinator, Measured::Velero] {
            for (had, checks) in [
                (Had::Read, &[][..]),
                (Had::Forbidden, &["metrics-not-asked"]),
                (Had::Absent, &["metrics-unreachable"]),
                (Had::Failed("503".to_owned()), &["metrics-unreachable"]),
            ] {
                let mut facts = facts();
                facts.metrics.push(Metrics { of, service: "velero/x".to_owned(), had });
                assert_eq!(found(&facts, check), checks, "{facts:?}");
            }
        }
    }

    /// The component that is to let nobody but Prometheus in keeps the API server's proxy out, too.
    #[test]
    fn what_the_network_policy_refuses_is_said_not_to_be_prometheus_trouble() {
        let mut facts = facts();
        let had = Had::Failed("503".to_owned());
        facts.metrics.push(Metrics { of: Measured::Coordinator, service: "velero/x".to_owned(), had });
        let mut findings = Vec::new();
        check(&facts, &mut findings);
        assert!(findings[0].fix.contains("with it ask Prometheus whether this target is up"), "{findings:?}");
    }

    #[test]
    fn what_mends_it_is_of_the_one_that_does_not_answer() {
        let fix = |of| {
            let mut facts = facts();
            facts.metrics.push(Metrics { of, service: "velero/x".to_owned(), had: Had::Absent });
            let mut findings = Vec::new();
            check(&facts, &mut findings);
            findings.remove(0).fix
        };
        assert!(fix(Measured::Velero).contains("metrics: {enabled: true}"));
        // An overlay of ours would take the user's image and settings away.
        assert!(fix(Measured::Coordinator).contains("apply -k YOUR-OVERLAY"));
    }
}
