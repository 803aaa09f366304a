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
    /// Lines of places where there could be one more, and there are no containers: an operator fills them in.
    pub left_out: Vec<usize>,
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
    let mut way = Way::default();
    way.follow(object, path)?;
    let Way { found, mut left_out } = way;
    let mut templates = Vec::new();
    for node in found {
        let spec = node.get("spec");
        match spec.filter(|spec| spec.get("containers").is_some_and(|containers| !containers.items().is_empty())) {
            Some(spec) => templates.push(Template { node, spec, claim_templates: claim_templates.clone() }),
            None => left_out.push(node.line),
        }
    }
    for template in &templates {
        unrepeated(metadata.into_iter().chain(template.maps()))?;
    }
    let namespace = text("namespace");
    let workload = Workload { kind, name, namespace, api_version, path: path.clone(), templates, left_out };
    if workload.templates.is_empty() {
        let path = if path.is_empty() { "the object itself".to_owned() } else { path.join(".") };
        return Err((object.line, Problem::NoTemplate { workload: workload.label(), path }));
    }
    Ok(Some(workload))
}

impl<'t, 'a> Template<'t, 'a> {
    /// The maps whose keys decide what is edited, and how.
    fn maps(&self) -> impl Iterator<Item = &'t Node<'a>> {
        let Template { node, spec, .. } = *self;
        let metadata = node.get("metadata");
        let annotations = metadata.and_then(|metadata| metadata.get("annotations"));
        let lists = ["containers", "initContainers", "volumes"].into_iter().filter_map(|key| spec.get(key));
        [Some(spec), metadata, annotations].into_iter().flatten().chain(lists.flat_map(Node::items))
    }
}

/// None of `maps` has a key twice: what reads manifests takes the last one, and what is put into the other one is lost.
fn unrepeated<'t, 'a: 't>(maps: impl IntoIterator<Item = &'t Node<'a>>) -> Result<(), (usize, Problem)> {
    match maps.into_iter().find_map(Node::repeated) {
        Some(key) => Err((key.line, Problem::Repeated { key: key.text().unwrap_or_default().to_owned() })),
        None => Ok(()),
    }
}

/// What a path leads to.
#[derive(Default)]
struct Way<'t, 'a> {
    found: Vec<&'t Node<'a>>,
    /// Lines of list items in which it leads nowhere.
    left_out: Vec<usize>,
}

impl<'t, 'a> Way<'t, 'a> {
    /// Follows `path` through maps, and through every item of a list.
    fn follow(&mut self, node: &'t Node<'a>, path: &[String]) -> Result<(), (usize, Problem)> {
        if !node.items().is_empty() {
            return node.items().iter().try_for_each(|item| self.follow(item, path));
        }
        unrepeated([node])?;
        match path {
            [] => self.found.push(node),
            [key, rest @ ..] => match node.get(key) {
                Some(next) => self.follow(next, rest)?,
                None => self.left_out.push(node.line),
            },
        }
        Ok(())
    }
}
