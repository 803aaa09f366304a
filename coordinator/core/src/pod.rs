//! A pod, kept in few bytes: there may be 100,000 of them, and each byte here is 0.1 MB.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::annotations::Annotations;
use crate::inventory::labels::Labels;
use crate::objects::{Owner, OwnerKind, OwnerRef, PodKey, PodPhase, PreHook};
use crate::uid::Uid;

/// Stands for the pod's name …
const NAME: char = '\u{1}';
/// … and for its ordinal, what follows the last hyphen.
const ORDINAL: char = '\u{2}';

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Namespace and name.
    pub key: PodKey,
    /// Tells it from a later pod of the same name.
    pub uid: Uid,
    /// How far it is.
    pub phase: PodPhase,
    /// `metadata.deletionTimestamp` is set: Velero skips it.
    pub deleting: bool,
    /// What its annotations say about a pre hook.
    pub pre_hook: PreHook,
    /// Whether it carries Velero's own hook annotations: they win over the hooks of a Schedule.
    pub own_hooks: bool,
    /// Its group label is the coordinator's own, and nobody has changed it since: [`shared::names::ANNOTATION_LABELLED_AS`] says the same.
    pub own_label: bool,
    /// What a person wrote for this product.
    pub annotations: Annotations,
    pattern: Arc<Pattern>,
}

/// What pods made from one pattern have in common, once their own names are left out of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern {
    labels: Labels,
    owners: Box<[OwnerRef]>,
    /// Sorted as they are written out, each once.
    claims: Box<[Box<str>]>,
    containers: Box<[Box<str>]>,
}

impl Pattern {
    /// The names of its containers, in the pod's order (init containers are no place for a hook).
    pub fn containers(&self) -> &[Box<str>] {
        &self.containers
    }
}

impl Pod {
    /// A pod that runs, and of which nothing else is known.
    pub fn new(key: PodKey, uid: Uid) -> Self {
        Self {
            key,
            uid,
            phase: PodPhase::Running,
            deleting: false,
            pre_hook: PreHook::None,
            own_hooks: false,
            own_label: false,
            annotations: Annotations::default(),
            pattern: Arc::default(),
        }
    }

    fn ordinal(&self) -> &str {
        self.key.name.as_str().rsplit_once('-').map_or("", |(_, ordinal)| ordinal)
    }

    fn written<'a>(&'a self, value: &'a str) -> &'a str {
        match value.as_bytes() {
            [mark] if char::from(*mark) == NAME => self.key.name.as_str(),
            [mark] if char::from(*mark) == ORDINAL => self.ordinal(),
            _ => value,
        }
    }

    /// Sets all labels (a Backup's selectors and the group label are read from them).
    pub fn set_labels(&mut self, labels: &BTreeMap<String, String>) {
        let storable = labels.iter().filter(|(_, value)| !value.contains(char::is_control));
        let marked = storable.map(|(key, value)| {
            let value = match value.as_str() {
                "" => Cow::Borrowed(""),
                name if name == self.key.name.as_str() => Cow::Owned(NAME.to_string()),
                ordinal if ordinal == self.ordinal() => Cow::Owned(ORDINAL.to_string()),
                other => Cow::Borrowed(other),
            };
            (key.as_str(), value)
        });
        let labels = Labels::with_marks(marked);
        Arc::make_mut(&mut self.pattern).labels = labels;
    }

    /// Sets one label.
    pub fn set_label(&mut self, key: &str, value: &str) {
        let mut labels: BTreeMap<String, String> =
            self.labels().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        labels.insert(key.to_owned(), value.to_owned());
        self.set_labels(&labels);
    }

    /// A label's value.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.pattern.labels.get(key).map(|value| self.written(value))
    }

    /// Every label, by key.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pattern.labels.iter().map(|(key, value)| (key, self.written(value)))
    }

    /// Sets `metadata.ownerReferences`.
    pub fn set_owners(&mut self, owners: Vec<OwnerRef>) {
        Arc::make_mut(&mut self.pattern).owners = owners.into();
    }

    /// `metadata.ownerReferences`.
    pub fn owners(&self) -> &[OwnerRef] {
        &self.pattern.owners
    }

    /// Its controller.
    pub fn owner(&self) -> Option<Owner> {
        let controller = self.owners().iter().find(|owner| owner.controller)?;
        Some(match controller.kind {
            OwnerKind::StatefulSet => Owner::StatefulSet(Arc::clone(&controller.name)),
            OwnerKind::Pod | OwnerKind::Other => Owner::Other,
        })
    }

    /// Sets the names of the claims that its volumes use, generic ephemeral ones included.
    pub fn set_claims(&mut self, mut claims: Vec<String>) {
        claims.retain(|claim| !claim.contains(char::is_control));
        claims.sort();
        claims.dedup();
        let mark = NAME.to_string();
        let marked = claims.iter().map(|claim| claim.replacen(self.key.name.as_str(), &mark, 1).into_boxed_str());
        let marked = marked.collect();
        Arc::make_mut(&mut self.pattern).claims = marked;
    }

    /// Names of the claims that its volumes use: sorted, each once.
    pub fn claims(&self) -> impl Iterator<Item = String> {
        self.pattern.claims.iter().map(|claim| claim.replacen(NAME, self.key.name.as_str(), 1))
    }

    /// Sets the names of its containers.
    pub fn set_containers(&mut self, containers: Vec<String>) {
        Arc::make_mut(&mut self.pattern).containers = containers.into_iter().map(String::into_boxed_str).collect();
    }

    /// What it has in common with others.
    pub const fn pattern(&self) -> &Arc<Pattern> {
        &self.pattern
    }

    /// Shares a pattern that says the same.
    pub(crate) fn share(&mut self, pattern: Arc<Pattern>) {
        if *pattern == *self.pattern {
            self.pattern = pattern;
        }
    }

    /// Whether Velero may still come to it: it has not ended, and is not going.
    pub fn is_live(&self) -> bool {
        self.phase != PodPhase::Ended && !self.deleting
    }

    /// Whether a plan sees the same in both. Most of a pod's changes are of its status.
    pub(crate) fn plans_like(&self, other: &Self) -> bool {
        let Self { key, uid, phase: _, deleting: _, pre_hook: _, own_hooks, own_label: _, annotations, pattern } = self;
        *key == other.key
            && *uid == other.uid
            && self.is_live() == other.is_live()
            && *own_hooks == other.own_hooks
            && *annotations == other.annotations
            && *pattern == other.pattern
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::pod;
    use proptest::prelude::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn pods_of_one_set_differ_in_nothing_but_their_names() {
        let of = |ordinal: &str| {
            let name = format!("db-{ordinal}");
            let mut pod = pod("prod", &name);
            pod.set_labels(&map(&[
                ("app", "db"),
                ("apps.kubernetes.io/pod-index", ordinal),
                ("statefulset.kubernetes.io/pod-name", &name),
            ]));
            pod.set_claims(vec![format!("wal-{name}"), format!("{name}-scratch"), "shared".into(), "shared".into()]);
            pod
        };
        let (first, eleventh) = (of("0"), of("10"));
        assert_eq!(first.pattern(), eleventh.pattern());
        assert_eq!(eleventh.label("apps.kubernetes.io/pod-index"), Some("10"));
        assert_eq!(eleventh.label("statefulset.kubernetes.io/pod-name"), Some("db-10"));
        assert_eq!(eleventh.claims().collect::<Vec<_>>(), ["db-10-scratch", "shared", "wal-db-10"]);
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(
            name in "[ab](-[0-2]){0,2}",
            labels in prop::collection::btree_map("[a-c]|app", "[ab]?(-?[0-2]){0,2}", 0..4),
            claims in prop::collection::btree_set("[ab-]{0,3}[ab](-[0-2]){0,3}", 0..4),
        ) {
            let mut pod = pod("prod", &name);
            pod.set_labels(&labels);
            pod.set_claims(claims.iter().cloned().collect());
            let found: BTreeMap<String, String> = pod.labels().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            prop_assert_eq!(found, labels);
            prop_assert_eq!(pod.claims().collect::<Vec<_>>(), claims.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_plan_sees_what_it_is_made_from_and_not_each_status() {
        let known = pod("prod", "db-0");
        let changed = |change: &dyn Fn(&mut Pod)| {
            let mut pod = known.clone();
            change(&mut pod);
            !known.plans_like(&pod)
        };
        let unseen: [&dyn Fn(&mut Pod); 3] =
            [&|pod| pod.phase = PodPhase::Pending, &|pod| pod.pre_hook = PreHook::Ours, &|pod| pod.own_label = true];
        for change in unseen {
            assert!(!changed(change));
        }
        let seen: [&dyn Fn(&mut Pod); 9] = [
            &|pod| pod.phase = PodPhase::Ended,
            &|pod| pod.deleting = true,
            &|pod| pod.uid = "another".into(),
            &|pod| pod.own_hooks = true,
            &|pod| pod.annotations.set("ttl", "48h"),
            &|pod| pod.set_label("app", "db"),
            &|pod| pod.set_owners(vec![OwnerRef::controller(OwnerKind::StatefulSet, "db", "u")]),
            &|pod| pod.set_claims(vec!["data".into()]),
            &|pod| pod.set_containers(vec!["main".into()]),
        ];
        for change in seen {
            assert!(changed(change));
        }
    }
}
