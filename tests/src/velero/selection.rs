//! Which objects does a Backup cover?
//!
//! Rules: Velero `pkg/util/collections/includes_excludes.go`, `item_collector.go`, `backup_controller.go` (validation). Only the
//! kinds that decide about hooks and cuts are known here: pods, claims, volumes.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};

use super::backup::BackupSpec;

/// A list of names to take and one of names to leave out, with globs. An empty list takes everything.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    includes: Vec<String>,
    excludes: Vec<String>,
}

impl Filter {
    /// Both lists as the spec gives them.
    pub fn new(includes: &[String], excludes: &[String]) -> Self {
        Self { includes: includes.to_vec(), excludes: excludes.to_vec() }
    }

    /// Whether `name` is taken; what is left out wins.
    pub fn takes(&self, name: &str) -> bool {
        !self.leaves_out(name)
            && (self.includes.is_empty() || self.includes.iter().any(|glob| matches_glob(glob, name)))
    }

    /// Whether `name` is named among those to leave out.
    pub fn leaves_out(&self, name: &str) -> bool {
        self.excludes.iter().any(|glob| matches_glob(glob, name))
    }
}

/// `*` stands for any text, `?` for one character.
fn matches_glob(glob: &str, name: &str) -> bool {
    let Some(first) = glob.chars().next() else { return name.is_empty() };
    let rest = &glob[first.len_utf8()..];
    match first {
        '*' => (0..=name.len()).filter(|at| name.is_char_boundary(*at)).any(|at| matches_glob(rest, &name[at..])),
        _ => name
            .chars()
            .next()
            .is_some_and(|c| (first == '?' || first == c) && matches_glob(rest, &name[c.len_utf8()..])),
    }
}

/// The kinds that matter to the simulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Pods.
    Pods,
    /// `PersistentVolumeClaim` objects.
    Claims,
    /// `PersistentVolume` objects, cluster-scoped.
    Volumes,
}

impl Kind {
    /// The spellings that discovery resolves to this kind.
    fn spellings(self) -> [&'static str; 4] {
        match self {
            Self::Pods => ["pods", "pod", "po", "pods."],
            Self::Claims => ["persistentvolumeclaims", "persistentvolumeclaim", "pvc", "persistentvolumeclaims."],
            Self::Volumes => ["persistentvolumes", "persistentvolume", "pv", "persistentvolumes."],
        }
    }

    fn is_in(self, list: &[String]) -> bool {
        list.iter().any(|name| name == "*" || self.spellings().contains(&name.as_str()))
    }
}

/// A Backup's filters, checked and ready to ask.
#[derive(Clone, Debug)]
pub struct Selection {
    spec: BackupSpec,
    namespaces: Filter,
    selectors: Vec<Selector>,
}

/// Why Velero refuses a Backup (phase `FailedValidation`), in its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationErrors(pub Vec<String>);

impl Selection {
    /// Checks the filters as Velero does before it starts.
    pub fn new(spec: &BackupSpec) -> Result<Self, ValidationErrors> {
        let mut errors = Vec::new();
        if spec.label_selector.is_some() && spec.or_label_selectors.is_some() {
            errors.push(
                "encountered labelSelector as well as orLabelSelectors in backup spec, only one can be specified"
                    .into(),
            );
        }
        if uses_old_filters(spec) && uses_new_filters(spec) {
            errors.push("include-resources, exclude-resources and include-cluster-resources are old filter parameters. They cannot be used together with the scoped ones".into());
        }
        for (what, includes, excludes) in [
            ("resource", &spec.included_resources, &spec.excluded_resources),
            ("namespace", &spec.included_namespaces, &spec.excluded_namespaces),
        ] {
            errors.extend(
                contradictions(includes, excludes).map(|e| format!("Invalid included/excluded {what} lists: {e}")),
            );
        }
        let alternatives: Vec<&LabelSelector> = match (&spec.or_label_selectors, &spec.label_selector) {
            (Some(any), _) => any.iter().collect(),
            (None, one) => one.iter().collect(),
        };
        let mut selectors = Vec::new();
        for selector in alternatives {
            match Selector::try_from(selector.clone()) {
                Ok(selector) => selectors.push(selector),
                Err(e) => errors.push(format!("invalid label selector: {e}")),
            }
        }
        if !errors.is_empty() {
            return Err(ValidationErrors(errors));
        }
        Ok(Self {
            namespaces: Filter::new(&spec.included_namespaces, &spec.excluded_namespaces),
            spec: spec.clone(),
            selectors,
        })
    }

    /// Whether objects of this namespace are taken.
    pub fn takes_namespace(&self, namespace: &str) -> bool {
        self.namespaces.takes(namespace)
    }

    /// How often an object with these labels is listed: once a selector that matches; once without selectors.
    pub fn times_listed(&self, labels: &BTreeMap<String, String>) -> usize {
        if self.selectors.is_empty() { 1 } else { self.selectors.iter().filter(|s| s.matches(labels)).count() }
    }

    /// The selectors in order, so that a listing can repeat Velero's order (selector by selector).
    pub fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    /// Whether objects of a kind are taken at all. A volume is taken along with its claim unless it is excluded by name,
    /// or the old filter lists kinds and it is not among them (`GlobalIncludesExcludes.ShouldExclude`): the trap that
    /// drops native snapshots silently.
    pub fn takes_kind(&self, kind: Kind) -> bool {
        let spec = &self.spec;
        match kind {
            Kind::Volumes if uses_new_filters(spec) => !kind.is_in(&spec.excluded_cluster_scoped_resources),
            Kind::Volumes => {
                let listed = spec.included_resources.is_empty() || kind.is_in(&spec.included_resources);
                !kind.is_in(&spec.excluded_resources)
                    && match spec.include_cluster_resources {
                        Some(wanted) => wanted,
                        None => listed,
                    }
            }
            Kind::Pods | Kind::Claims => {
                let (includes, excludes) = if uses_new_filters(spec) {
                    (&spec.included_namespace_scoped_resources, &spec.excluded_namespace_scoped_resources)
                } else {
                    (&spec.included_resources, &spec.excluded_resources)
                };
                !kind.is_in(excludes) && (includes.is_empty() || kind.is_in(includes))
            }
        }
    }
}

fn uses_old_filters(spec: &BackupSpec) -> bool {
    !spec.included_resources.is_empty()
        || !spec.excluded_resources.is_empty()
        || spec.include_cluster_resources.is_some()
}

fn uses_new_filters(spec: &BackupSpec) -> bool {
    [
        &spec.included_namespace_scoped_resources,
        &spec.excluded_namespace_scoped_resources,
        &spec.included_cluster_scoped_resources,
        &spec.excluded_cluster_scoped_resources,
    ]
    .iter()
    .any(|list| !list.is_empty())
}

fn contradictions(includes: &[String], excludes: &[String]) -> impl Iterator<Item = String> {
    let mut found = Vec::new();
    if includes.len() > 1 && includes.iter().any(|name| name == "*") {
        found.push("includes list must either contain '*' only, or a non-empty list of items".to_owned());
    }
    if excludes.iter().any(|name| name == "*") {
        found.push("excludes list cannot contain '*'".to_owned());
    }
    let both: BTreeSet<&String> = excludes.iter().filter(|name| includes.contains(name)).collect();
    found.extend(
        both.into_iter().map(|name| format!("excludes list cannot contain an item in the includes list: {name}")),
    );
    found.into_iter()
}

#[cfg(test)]
mod tests {
    // A table of cases reads better without `&` before every `json!`.
    #![allow(clippy::needless_pass_by_value)]

    use super::*;

    fn selection(spec: serde_json::Value) -> Result<Selection, ValidationErrors> {
        Selection::new(&serde_json::from_value(spec).unwrap())
    }

    fn check_namespaces(spec: serde_json::Value, expected: [bool; 3]) {
        let selection = selection(spec.clone()).unwrap();
        assert_eq!(["db-a", "db-b", "web"].map(|ns| selection.takes_namespace(ns)), expected, "{spec}");
    }

    #[test]
    fn namespaces_taken() {
        check_namespaces(serde_json::json!({}), [true, true, true]);
        check_namespaces(serde_json::json!({"includedNamespaces": ["*"]}), [true, true, true]);
        check_namespaces(serde_json::json!({"includedNamespaces": ["db-*"]}), [true, true, false]);
        check_namespaces(serde_json::json!({"includedNamespaces": ["db-a", "web"]}), [true, false, true]);
        check_namespaces(
            serde_json::json!({"includedNamespaces": ["*"], "excludedNamespaces": ["web"]}),
            [true, true, false],
        );
        check_namespaces(serde_json::json!({"excludedNamespaces": ["db-?"]}), [false, false, true]);
    }

    fn check_kinds(spec: serde_json::Value, expected: [bool; 3]) {
        let selection = selection(spec.clone()).unwrap();
        assert_eq!(
            [Kind::Pods, Kind::Claims, Kind::Volumes].map(|kind| selection.takes_kind(kind)),
            expected,
            "{spec}"
        );
    }

    #[test]
    fn kinds_taken() {
        check_kinds(serde_json::json!({}), [true, true, true]);
        check_kinds(
            serde_json::json!({"includedResources": ["pods", "persistentvolumeclaims", "persistentvolumes"]}),
            [true; 3],
        );
        check_kinds(serde_json::json!({"includedResources": ["pods", "pvc"]}), [true, true, false]);
        check_kinds(
            serde_json::json!({"includedResources": ["pods", "pvc"], "includeClusterResources": true}),
            [true, true, true],
        );
        check_kinds(serde_json::json!({"includedResources": ["statefulsets"]}), [false, false, false]);
        check_kinds(
            serde_json::json!({"includedNamespaceScopedResources": ["statefulsets.apps", "pods", "persistentvolumeclaims"]}),
            [true; 3],
        );
        check_kinds(serde_json::json!({"excludedClusterScopedResources": ["*"]}), [true, true, false]);
    }

    #[test]
    fn selectors_count_every_match() {
        let labels = BTreeMap::from([("app".to_owned(), "db".to_owned()), ("tier".to_owned(), "data".to_owned())]);
        let times = |spec| selection(spec).unwrap().times_listed(&labels);
        assert_eq!(times(serde_json::json!({})), 1);
        assert_eq!(times(serde_json::json!({"labelSelector": {"matchLabels": {"app": "web"}}})), 0);
        assert_eq!(
            times(serde_json::json!({"orLabelSelectors": [{"matchLabels": {"app": "db"}},
                {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["data", "cache"]}]}]})),
            2
        );
    }

    fn check_refused(spec: serde_json::Value, part: &str) {
        let ValidationErrors(errors) = selection(spec).unwrap_err();
        assert!(errors.iter().any(|e| e.contains(part)), "{errors:?} should say {part:?}");
    }

    #[test]
    fn contradictory_specs_are_refused() {
        check_refused(serde_json::json!({"labelSelector": {}, "orLabelSelectors": [{}]}), "only one can be specified");
        check_refused(
            serde_json::json!({"includedResources": ["pods"], "includedClusterScopedResources": ["x"]}),
            "together",
        );
        check_refused(
            serde_json::json!({"includedNamespaces": ["a"], "excludedNamespaces": ["a"]}),
            "item in the includes list: a",
        );
        check_refused(serde_json::json!({"excludedNamespaces": ["*"]}), "cannot contain '*'");
        check_refused(
            serde_json::json!({"labelSelector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}}),
            "invalid label selector",
        );
    }
}
