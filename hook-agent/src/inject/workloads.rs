//! Which objects of a document are workloads to edit, and where their pod templates are.

use super::error::Problem;
use super::options::Options;
use super::tree::Node;

/// An object that is edited.
pub struct Workload<'t, 'a> {
    /// Its kind.
    pub kind: &'t str,
    /// Its name.
    pub name: &'t str,
    /// Its namespace, where it names one.
    pub namespace: Option<&'t str>,
    /// `apiVersion`.
    pub api_version: &'t str,
    /// Which keys lead to its pod template.
    pub path: Vec<String>,
    /// Its pod templates; more than one where a list is on the way.
    pub templates: Vec<Template<'t, 'a>>,
}

/// A pod template with containers.
pub struct Template<'t, 'a> {
    /// The map with `metadata` and `spec`.
    pub node: &'t Node<'a>,
    /// Its `spec`.
    pub spec: &'t Node<'a>,
    /// Names of the claims that the workload makes for each pod.
    pub claim_templates: Vec<&'t str>,
}

impl Workload<'_, '_> {
    /// As people call it.
    pub fn label(&self) -> String {
        match self.namespace {
            Some(namespace) => format!("{} {namespace}/{}", self.kind, self.name),
            None => format!("{} {}", self.kind, self.name),
        }
    }
}

/// The objects of a document: itself, or the items of a list.
///
/// # Errors
/// Line and problem, where something is no object of Kubernetes.
pub fn objects<'t, 'a>(root: &'t Node<'a>) -> Result<Vec<&'t Node<'a>>, (usize, Problem)> {
    let not = |node: &Node, why| (node.line, Problem::NotKubernetes(why));
    if root.entries().is_empty() {
        return Err(not(root, "it is no map"));
    }
    for key in ["apiVersion", "kind"] {
        if root.text_at(key).is_none() {
            return Err(not(root, if key == "kind" { "it has no kind" } else { "it has no apiVersion" }));
        }
    }
    match root.get("items") {
        Some(items) if root.text_at("kind").is_some_and(|kind| kind.ends_with("List")) => {
            let lists = items.items().iter().map(|item| objects(item)).collect::<Result<Vec<_>, _>>()?;
            Ok(lists.into_iter().flatten().collect())
        }
        _ => Ok(vec![root]),
    }
}

/// The object as a workload, if it is one that is wanted.
///
/// # Errors
/// Line and problem, where it has no pod template to edit.
pub fn workload<'t, 'a>(object: &'t Node<'a>, options: &Options) -> Result<Option<Workload<'t, 'a>>, (usize, Problem)> {
    let (Some(kind), Some(api_version)) = (object.text_at("kind"), object.text_at("apiVersion")) else {
        return Ok(None);
    };
    let Some((_, path)) = options.kinds.iter().find(|(wanted, _)| wanted == kind) else { return Ok(None) };
    let metadata = object.get("metadata");
    let text = |key| metadata.and_then(|metadata| metadata.text_at(key));
    // `generateName` names pods that nobody keeps in a file.
    let name = text("name").or_else(|| text("generateName")).unwrap_or_default();
    if !options.names.is_empty() && !options.names.iter().any(|wanted| wanted == name) {
        return Ok(None);
    }
    let claims = object.at(&["spec", "volumeClaimTemplates"]).map(Node::items).unwrap_or_default();
    let claim_templates: Vec<_> =
        claims.iter().filter_map(|claim| claim.get("metadata").and_then(|metadata| metadata.text_at("name"))).collect();
    let mut found = Vec::new();
    follow(object, path, &mut found);
    let templates: Vec<_> = found
        .into_iter()
        .filter_map(|node| {
            node.get("spec").map(|spec| Template { node, spec, claim_templates: claim_templates.clone() })
        })
        .filter(|template| template.spec.get("containers").is_some_and(|containers| !containers.items().is_empty()))
        .collect();
    let namespace = text("namespace");
    let workload = Workload { kind, name, namespace, api_version, path: path.clone(), templates };
    if workload.templates.is_empty() {
        let path = if path.is_empty() { "the object itself".to_owned() } else { path.join(".") };
        return Err((object.line, Problem::NoTemplate { workload: workload.label(), path }));
    }
    Ok(Some(workload))
}

/// Follows `path` through maps, and through every item of a list.
fn follow<'t, 'a>(node: &'t Node<'a>, path: &[String], found: &mut Vec<&'t Node<'a>>) {
    if !node.items().is_empty() {
        node.items().iter().for_each(|item| follow(item, path, found));
        return;
    }
    match path {
        [] => found.push(node),
        [key, rest @ ..] => {
            if let Some(next) = node.get(key) {
                follow(next, rest, found);
            }
        }
    }
}
