//! Does every Schedule run? Paused ones, and who paused them.

use shared::names::{ANNOTATION_PAUSED_BY, PAUSED_BY_BREAKER};

use super::facts::Facts;
use super::finding::Finding;

/// The herd's hour: so many Schedules of one cron line start in the same second.
const SAME_CRON_MAX: usize = 3;

pub(super) fn check(facts: &Facts, findings: &mut Vec<Finding>) {
    for schedule in facts.schedules.iter().filter(|it| it.spec.paused) {
        let (namespace, name) = (&schedule.metadata.namespace, &schedule.metadata.name);
        let subject = format!("Schedule {namespace}/{name}");
        let by_breaker =
            schedule.metadata.annotations.get(ANNOTATION_PAUSED_BY).is_some_and(|by| by == PAUSED_BY_BREAKER);
        findings.push(if by_breaker {
            Finding::note("schedule-paused-by-breaker", subject, "the coordinator paused it because an earlier Backup of it still runs; it resumes it by itself", "")
        } else {
            Finding::warning(
                "schedule-paused",
                subject,
                "it is paused, so it makes no Backups; an overdue one runs at once when it is resumed",
                format!("kubectl -n {namespace} patch schedules.velero.io {name} --type=merge -p '{{\"spec\":{{\"paused\":false,\"skipImmediately\":true}}}}'"),
            )
        });
    }
    let mut by_cron: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for schedule in facts.schedules.iter().filter(|it| !it.spec.paused) {
        *by_cron.entry(schedule.spec.schedule.as_str()).or_default() += 1;
    }
    for (cron, count) in by_cron.into_iter().filter(|(_, count)| *count > SAME_CRON_MAX) {
        findings.push(Finding::warning(
            "schedules-at-once",
            format!("Schedules at `{cron}`"),
            format!("{count} Schedules start in the same second"),
            "coordinator plan --diff   # then SCHEDULES=apply, and remove those that it replaces",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{found, with};
    use super::*;
    use serde_json::{Value, json};

    fn schedule(name: &str, paused: bool, annotations: &Value) -> Value {
        json!({"apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": {"namespace": "velero", "name": name, "annotations": annotations},
            "spec": {"schedule": "0 0 * * *", "paused": paused}})
    }

    #[test]
    fn paused_and_by_whom() {
        assert!(found(&with([schedule("a", false, &json!(null))]), check).is_empty());
        assert_eq!(found(&with([schedule("a", true, &json!({}))]), check), ["schedule-paused"]);
        let breaker = json!({ANNOTATION_PAUSED_BY: PAUSED_BY_BREAKER});
        assert_eq!(found(&with([schedule("a", true, &breaker)]), check), ["schedule-paused-by-breaker"]);
    }

    #[test]
    fn a_herd() {
        let some =
            |count: usize| found(&with((0..count).map(|n| schedule(&n.to_string(), false, &json!(null)))), check);
        assert!(some(3).is_empty());
        assert_eq!(some(4), ["schedules-at-once"]);
    }
}
