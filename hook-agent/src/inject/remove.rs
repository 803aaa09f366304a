//! Takes out of a pod template what was put into it.

use super::names::{PODINFO, TOKEN, VOLUME, hook_of, is_own_container, is_own_hook, is_own_volume};
use super::place::{Editor, Refused};
use super::tree::Node;
use super::workloads::Template;

/// Takes the agent's things out of the template; what has their names and is not theirs stays.
///
/// # Errors
/// Line and problem, where something cannot be taken out in place.
pub fn remove(editor: &mut Editor, template: &Template) -> Result<(), Refused> {
    let Template { node, spec, .. } = template;
    let items = |key: &str| spec.get(key).map(Node::items).unwrap_or_default();
    let others: Vec<&str> = items("volumes")
        .iter()
        .filter(|volume| !is_own_volume(volume))
        .filter_map(|volume| volume.text_at("name"))
        .collect();
    let is_own_mount = |mount: &Node| {
        let name = mount.text_at("name").unwrap_or_default();
        [VOLUME, PODINFO, TOKEN].contains(&name) && !others.contains(&name)
    };
    for container in items("containers").iter().chain(items("initContainers")) {
        if !is_own_container(container) && editor.take_out(container, "volumeMounts", |_, mount| is_own_mount(mount))? {
            editor.delete_keys(container, &["volumeMounts"])?;
        }
    }
    editor.take_out(spec, "containers", |_, container| is_own_container(container))?;
    let mut emptied = Vec::new();
    for (key, is_own) in [("initContainers", is_own_container as fn(&Node) -> bool), ("volumes", is_own_volume)] {
        if editor.take_out(spec, key, |_, item| is_own(item))? {
            emptied.push(key);
        }
    }
    editor.delete_keys(spec, &emptied)?;
    let Some(metadata) = node.get("metadata") else { return Ok(()) };
    let Some(annotations) = metadata.get("annotations") else { return Ok(()) };
    let is_own = |name: &str, _: &Node| hook_of(name).is_some_and(|hook| is_own_hook(annotations, hook));
    if !editor.take_out(metadata, "annotations", is_own)? {
        return Ok(());
    }
    if metadata.len() > 1 {
        return editor.delete_keys(metadata, &["annotations"]);
    }
    if editor.take_out(node, "metadata", |_, _| true)? {
        editor.delete_keys(node, &["metadata"])?;
    }
    Ok(())
}
