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
                    "kubectl apply -k manifests/overlays/default",
                ),
                Measured::Velero => Finding::warning(
                    "metrics-unreachable",
                    subject,
                    "there is no Service for Velero's metrics: alerts about failed Backups have nothing to look at",
                    "Helm: `metrics: {enabled: true}`; without Helm: kubectl apply -k manifests/velero/kustomize",
                ),
            }),
            Had::Failed(said) => {
                let pods = match of {
                    Measured::Coordinator => "app.kubernetes.io/name=snapshot-coordinator",
                    Measured::Velero => "deploy=velero",
                };
                findings.push(Finding::warning(
                    "metrics-unreachable",
                    subject,
                    format!("/metrics does not answer through the API server: {said}"),
                    format!("kubectl -n {namespace} get pods,endpointslices -l {pods}; a NetworkPolicy must let the monitoring in (components/network-policy)"),
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
        assert!(fix(Measured::Coordinator).contains("overlays/default"));
    }
}
