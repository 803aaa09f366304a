//! Which pods a Backup covers, by the rules that Velero lists them with (velero `pkg/backup/item_collector.go`).

use shared::names::VELERO_LABEL_EXCLUDE;

use crate::objects::{Backup, BackupPhase, Pod, PreHook, Requirement, Selector};

fn matches(selector: &Selector, pod: &Pod) -> bool {
    selects(selector, |key| pod.label(key))
}

/// Whether a selector's terms all hold for labels, however those are kept.
pub fn selects<'a>(selector: &Selector, label: impl Fn(&str) -> Option<&'a str>) -> bool {
    selector.iter().all(|requirement| match requirement {
        Requirement::In(key, values) => label(key).is_some_and(|value| values.contains(value)),
        Requirement::NotIn(key, values) => label(key).is_none_or(|value| !values.contains(value)),
        Requirement::Exists(key) => label(key).is_some(),
        Requirement::DoesNotExist(key) => label(key).is_none(),
    })
}

/// `*` alone is all namespaces; elsewhere it stands for any characters, as in Velero's own globs.
fn names_namespace(pattern: &str, namespace: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == namespace };
    let Some(rest) = namespace.strip_prefix(head) else { return false };
    if !tail.contains('*') {
        return rest.ends_with(tail);
    }
    (0..=rest.len()).any(|at| rest.is_char_boundary(at) && names_namespace(tail, &rest[at..]))
}

fn lets_in(included: &[String], excluded: &[String], namespace: &str) -> bool {
    let named = |patterns: &[String]| patterns.iter().any(|pattern| names_namespace(pattern, namespace));
    (included.is_empty() || named(included)) && !named(excluded)
}

/// Whether the Backup reads this namespace at all.
pub fn covers_namespace(backup: &Backup, namespace: &str) -> bool {
    lets_in(&backup.included_namespaces, &backup.excluded_namespaces, namespace)
}

/// Whether Velero runs this pod's hooks in the Backup: its namespace and labels are selected, and nothing excludes it.
pub fn covers_pod(backup: &Backup, pod: &Pod) -> bool {
    backup.includes_pods
        && covers_namespace(backup, pod.key.namespace.as_str())
        && pod.label(VELERO_LABEL_EXCLUDE).is_none_or(|value| value != "true")
        && (backup.any_of.is_empty() || backup.any_of.iter().any(|selector| matches(selector, pod)))
}

/// Whether the Backup, where it covers the pod, is to run our agent before the pod is cut: the pod's annotations say so, or
/// they say nothing and the Backup does.
pub fn announces_hook(backup: &Backup, pod: &Pod) -> bool {
    let namespace = pod.key.namespace.as_str();
    match pod.pre_hook {
        PreHook::Ours => true,
        PreHook::Other => false,
        PreHook::None => backup.hooks.iter().any(|scope| {
            lets_in(&scope.included_namespaces, &scope.excluded_namespaces, namespace) && matches(&scope.selector, pod)
        }),
    }
}

/// The Backup whose hooks run in this pod now: in progress and covering it. Velero's queue allows one a namespace (DESIGN V5);
/// should two claim it all the same, the first by name is taken, on every machine.
pub fn running_for<'a>(backups: impl Iterator<Item = &'a Backup>, pod: &Pod) -> Option<&'a Backup> {
    backups
        .filter(|backup| backup.phase == BackupPhase::InProgress && covers_pod(backup, pod))
        .min_by(|a, b| a.key.cmp(&b.key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{backup, pod};
    use crate::objects::HookScope;

    #[test]
    fn globs_are_velero_s() {
        for (pattern, namespace, expected) in [
            ("*", "a", true),
            ("db", "db", true),
            ("db", "db2", false),
            ("db-*", "db-1", true),
            ("*-db", "x-db", true),
            ("a*b*c", "axbyc", true),
            ("a*b*c", "axbyd", false),
        ] {
            assert_eq!(names_namespace(pattern, namespace), expected, "{pattern} {namespace}");
        }
    }

    #[test]
    fn selectors_and_exclusions_decide() {
        let plain = pod("prod", "db-0");
        let mut labelled = plain.clone();
        labelled.set_label("app", "db");
        let mut excluded = plain.clone();
        excluded.set_label(VELERO_LABEL_EXCLUDE, "true");

        let all = backup("b", BackupPhase::InProgress, &[]);
        assert!(covers_pod(&all, &plain) && !covers_pod(&all, &excluded));

        let mut other = backup("b", BackupPhase::InProgress, &["*"]);
        other.excluded_namespaces = vec!["prod".into()];
        assert!(!covers_pod(&other, &plain));

        let mut by_label = backup("b", BackupPhase::InProgress, &["prod"]);
        by_label.any_of = vec![vec![Requirement::In("app".into(), ["db".into()].into())]];
        assert!(covers_pod(&by_label, &labelled) && !covers_pod(&by_label, &plain));
        by_label.any_of =
            vec![vec![Requirement::NotIn("app".into(), ["web".into()].into()), Requirement::DoesNotExist("x".into())]];
        assert!(covers_pod(&by_label, &plain));
    }

    #[test]
    fn a_backup_without_pods_covers_none() {
        let mut only_config = backup("b", BackupPhase::InProgress, &["prod"]);
        only_config.includes_pods = false;
        assert!(!covers_pod(&only_config, &pod("prod", "db-0")));
    }

    #[test]
    fn a_pods_own_annotation_wins_over_the_backups_hooks() {
        let scope = HookScope {
            included_namespaces: vec!["prod".into()],
            excluded_namespaces: vec![],
            selector: vec![Requirement::Exists("app".into())],
        };
        let mut with_hooks = backup("b", BackupPhase::InProgress, &[]);
        with_hooks.hooks = vec![scope];
        let mut db = pod("prod", "db-0");
        assert!(!announces_hook(&with_hooks, &db), "its labels are not selected");
        db.set_label("app", "db");
        assert!(announces_hook(&with_hooks, &db));
        let mut elsewhere = db.clone();
        elsewhere.key = pod("test", "db-0").key;
        assert!(!announces_hook(&with_hooks, &elsewhere));
        db.pre_hook = PreHook::Other;
        assert!(!announces_hook(&with_hooks, &db));
        db.pre_hook = PreHook::Ours;
        assert!(announces_hook(&backup("b", BackupPhase::InProgress, &[]), &db));
    }

    #[test]
    fn only_a_backup_in_progress_runs_hooks() {
        let backups = [
            backup("b", BackupPhase::Pending, &[]),
            backup("c", BackupPhase::InProgress, &[]),
            backup("a", BackupPhase::CutsOver, &[]),
        ];
        assert_eq!(running_for(backups.iter(), &pod("prod", "db-0")).map(|b| b.key.name.as_str()), Some("c"));
    }
}
