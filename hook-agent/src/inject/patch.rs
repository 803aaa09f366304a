//! The same as patches: for manifests that are made elsewhere, or workloads that run.

use super::error::Problem;
use super::pieces::Pieces;
use super::value::{self, Value};
use super::workloads::Workload;

/// A strategic merge patch of one workload.
pub struct Patch {
    kind: String,
    name: String,
    /// As YAML.
    text: String,
}

impl Patch {
    /// What puts `pieces` into the workload's one pod template, whose hooks' container is named.
    ///
    /// # Errors
    /// When the workload's lists are not merged by Kubernetes, or it has several pod templates.
    pub fn of(workload: &Workload, pieces: &[(Pieces, String)]) -> Result<Self, Problem> {
        let [(pieces, container)] = pieces else { return Err(Problem::NotPatchable(workload.label())) };
        let is_known = matches!(workload.api_version, "apps/v1" | "v1");
        if !is_known {
            return Err(Problem::NotPatchable(workload.label()));
        }
        // The workload's container is always named, so that it stays the first.
        let mut own = vec![("name".to_owned(), Value::text(container))];
        if !pieces.mounts.is_empty() {
            own.push(("volumeMounts".to_owned(), Value::List(pieces.mounts.clone())));
        }
        let containers = [&[Value::Map(own)], pieces.containers.as_slice()].concat();
        let lists = [
            ("containers", containers),
            ("initContainers", pieces.init_containers.clone()),
            ("volumes", pieces.volumes.clone()),
        ];
        let spec = lists.into_iter().filter(|(_, items)| !items.is_empty());
        let spec = Value::Map(spec.map(|(key, items)| (key.to_owned(), Value::List(items))).collect());
        let annotations = ("annotations".to_owned(), Value::Map(pieces.annotations.clone()));
        let mut metadata = vec![("name".to_owned(), Value::text(workload.name))];
        metadata.extend(workload.namespace.map(|namespace| ("namespace".to_owned(), Value::text(namespace))));
        let mut patch = vec![
            ("apiVersion".to_owned(), Value::text(workload.api_version)),
            ("kind".to_owned(), Value::text(workload.kind)),
        ];
        if workload.path.is_empty() {
            metadata.push(annotations);
            patch.extend([("metadata".to_owned(), Value::Map(metadata)), ("spec".to_owned(), spec)]);
        } else {
            let template = Value::map([("metadata", Value::Map(vec![annotations])), ("spec", spec)]);
            let nested = workload.path.iter().rev().fold(template, |value, key| Value::map([(key, value)]));
            patch.push(("metadata".to_owned(), Value::Map(metadata)));
            if let Value::Map(entries) = nested {
                patch.extend(entries);
            }
        }
        let text = value::document(&Value::Map(patch));
        Ok(Self { kind: workload.kind.to_owned(), name: workload.name.to_owned(), text })
    }
}

/// One document for each patch.
pub fn documents(patches: &[Patch]) -> String {
    patches.iter().map(|patch| patch.text.as_str()).collect::<Vec<_>>().join("---\n")
}

/// A component of kustomize that makes all patches.
pub fn component(patches: &[Patch]) -> String {
    let mut out = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n".to_owned();
    for Patch { kind, name, text } in patches {
        let target = [("kind", Value::text(kind)), ("name", Value::text(name))];
        let mut item = String::new();
        value::write_item(&mut item, 2, 2, &Value::map([("target", Value::map(target))]));
        out.push_str(&item);
        out.push_str("    patch: |-\n");
        for line in text.lines() {
            out.push_str("      ");
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}
