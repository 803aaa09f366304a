//! Puts into a pod template what its pods need.

use super::error::Problem;
use super::names::{HOOKS_PATH, PODINFO, PODINFO_PATH, TOKEN, TOKEN_PATH, VOLUME, hook_of, runs_agent};
use super::options::{How, Options};
use super::pieces::{Facts, Pieces, Podinfo};
use super::place::{Added, Editor, Refused};
use super::tree::Node;
use super::value::Value;
use super::workloads::{Template, Workload};

/// The annotation with the plan for holding still.
const QUIESCE: &str = crate::quiesce::choose::ANNOTATION;

/// Puts `pieces` into the template.
///
/// # Errors
/// Line and problem, where something is in the way.
pub fn insert(editor: &mut Editor, template: &Template, container: &Node, pieces: &Pieces) -> Result<(), Refused> {
    let spec = template.spec;
    // From the inside to the outside: what ends at the same place comes in this order.
    editor.put(container, "volumeMounts", Added::Items(&pieces.mounts))?;
    editor.put(spec, "containers", Added::Items(&pieces.containers))?;
    let lists = [("initContainers", &pieces.init_containers), ("volumes", &pieces.volumes)];
    for is_new in [false, true] {
        for (key, items) in lists.iter().filter(|(key, _)| spec.get(key).is_none() == is_new) {
            editor.put(spec, key, Added::Items(items))?;
        }
    }
    let annotations = Added::Entries(&pieces.annotations);
    match template.node.get("metadata") {
        Some(metadata) if !metadata.is_null() => editor.put(metadata, "annotations", annotations),
        there => {
            let entries = [("annotations".to_owned(), Value::Map(pieces.annotations.clone()))];
            match there {
                Some(_) => editor.put(template.node, "metadata", Added::Entries(&entries)),
                None => editor.put_first(template.node, "metadata", &Value::Map(entries.into())),
            }
        }
    }
}

/// The workload's container, and what has to be known of the template.
///
/// # Errors
/// Line and problem, where something is in the way.
pub fn look<'t, 'a>(
    workload: &Workload,
    template: &Template<'t, 'a>,
    options: &Options,
) -> Result<(&'t Node<'a>, Facts), Refused> {
    let Template { node, spec, claim_templates } = template;
    let annotations = node.at(&["metadata", "annotations"]);
    let kept_hooks = kept_hooks(annotations, options)?;
    let said = |hook: &&str| annotations.and_then(|annotations| annotations.text_at(&format!("{hook}container")));
    let wanted = options.container.as_deref().or_else(|| kept_hooks.iter().find_map(said));
    let containers = list(spec, "containers");
    let names = || containers.iter().filter_map(|container| container.text_at("name"));
    let container = match wanted {
        Some(wanted) => containers.iter().find(|container| container.text_at("name") == Some(wanted)),
        None => containers.first(),
    };
    let container = container.ok_or_else(|| {
        let container = wanted.unwrap_or_default().to_owned();
        let there = names().collect::<Vec<_>>().join(", ");
        (spec.line, Problem::NoContainer { workload: workload.label(), container, there })
    })?;
    let name =
        container.text_at("name").ok_or_else(|| (container.line, Problem::NoName { workload: workload.label() }))?;
    names_are_free(spec)?;
    let sidecar = options.how == How::Sidecar;
    let podinfo = if sidecar { Podinfo::None } else { podinfo(spec, container, name)? };
    if !sidecar {
        path_is_free(container, name, HOOKS_PATH, "its program")?;
    }
    let mounts_token = list(container, "volumeMounts").iter().any(|mount| is_at(mount, TOKEN_PATH));
    let automount = spec.text_at("automountServiceAccountToken");
    let facts = Facts {
        container: name.to_owned(),
        podinfo,
        needs_token: automount == Some("false") && (sidecar || !mounts_token),
        claims: if sidecar { claims(spec, container, claim_templates) } else { Vec::new() },
        freezes: annotations
            .and_then(|annotations| annotations.text_at(QUIESCE))
            .is_some_and(|plan| plan.contains("fsfreeze")),
        kept_hooks,
    };
    Ok((container, facts))
}

/// Velero's hooks that are there already and run the agent; all others are in the way. In a sidecar those would not find the program where they look for it.
fn kept_hooks(annotations: Option<&Node>, options: &Options) -> Result<Vec<&'static str>, Refused> {
    let mut kept = Vec::new();
    let Some(annotations) = annotations else { return Ok(kept) };
    for (key, _) in annotations.entries() {
        let Some(hook) = key.text().and_then(hook_of) else { continue };
        if options.how == How::Sidecar || !runs_agent(annotations, hook) {
            return Err((key.line, Problem::OtherHook { annotation: key.text().unwrap_or_default().to_owned() }));
        }
        if !kept.contains(&hook) {
            kept.push(hook);
        }
    }
    Ok(kept)
}

fn list<'t, 'a>(node: &'t Node<'a>, key: &str) -> &'t [Node<'a>] {
    node.get(key).map(Node::items).unwrap_or_default()
}

/// Nothing that was there before has a name that the agent's things have.
fn names_are_free(spec: &Node) -> Result<(), Refused> {
    let own = [
        ("volumes", "volume", &[VOLUME, PODINFO, TOKEN][..]),
        ("containers", "container", &[super::names::SIDECAR, super::names::INSTALL]),
        ("initContainers", "init container", &[super::names::SIDECAR, super::names::INSTALL]),
    ];
    for (key, what, names) in own {
        for item in list(spec, key) {
            if let Some(name) = item.text_at("name").filter(|name| names.contains(name)) {
                return Err((item.line, Problem::NameTaken { what, name: name.to_owned() }));
            }
        }
    }
    Ok(())
}

fn is_at(mount: &Node, path: &str) -> bool {
    mount.text_at("mountPath").is_some_and(|there| there.trim_end_matches('/') == path)
}

fn path_is_free(container: &Node, name: &str, path: &'static str, wanted: &'static str) -> Result<(), Refused> {
    match list(container, "volumeMounts").iter().find(|mount| is_at(mount, path)) {
        Some(mount) => {
            let volume = mount.text_at("name").unwrap_or_default().to_owned();
            Err((mount.line, Problem::PathTaken { container: name.to_owned(), volume, path, wanted }))
        }
        None => Ok(()),
    }
}

fn podinfo(spec: &Node, container: &Node, name: &str) -> Result<Podinfo, Refused> {
    let Some(mount) = list(container, "volumeMounts").iter().find(|mount| is_at(mount, PODINFO_PATH)) else {
        return Ok(Podinfo::None);
    };
    let volume = list(spec, "volumes").iter().find(|volume| volume.text_at("name") == mount.text_at("name"));
    let direct = volume.and_then(|volume| volume.get("downwardAPI"));
    let projected = volume
        .and_then(|volume| volume.get("projected"))
        .map(|projected| list(projected, "sources"))
        .unwrap_or_default();
    let sources = direct.into_iter().chain(projected.iter().filter_map(|source| source.get("downwardAPI")));
    let files: Vec<&str> = sources.flat_map(|api| list(api, "items")).filter_map(|item| item.text_at("path")).collect();
    if files.contains(&"labels") {
        let both = files.contains(&"annotations");
        return Ok(if both { Podinfo::LabelsAndAnnotations } else { Podinfo::Labels });
    }
    path_is_free(container, name, PODINFO_PATH, "the pod's labels (a downwardAPI volume with the path `labels`)")?;
    Ok(Podinfo::None)
}

/// The container's mounts of claims, written anew.
fn claims(spec: &Node, container: &Node, claim_templates: &[&str]) -> Vec<Value> {
    let is_claim = |name: &str| {
        claim_templates.contains(&name)
            || list(spec, "volumes").iter().any(|volume| {
                volume.text_at("name") == Some(name)
                    && (volume.get("persistentVolumeClaim").is_some() || volume.get("ephemeral").is_some())
            })
    };
    let mounts = list(container, "volumeMounts").iter();
    mounts
        .filter(|mount| mount.text_at("name").is_some_and(is_claim))
        .map(|mount| {
            let keys = ["name", "mountPath", "subPath", "subPathExpr"];
            let entry = |key: &str| mount.text_at(key).map(|text| (key.to_owned(), Value::text(text)));
            Value::Map(keys.into_iter().filter_map(entry).collect())
        })
        .collect()
}
