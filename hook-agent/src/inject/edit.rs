//! Manifests in, manifests out: what is the agent's is taken out, then put in as it should be now.

use std::collections::BTreeSet;

use super::binding;
use super::edits::Edits;
use super::error::{InjectError, Place, Problem};
use super::insert::{insert, look};
use super::names::{NOT_OURS, is_own_container};
use super::note::{self, Note};
use super::options::Options;
use super::patch::Patch;
use super::pieces::Pieces;
use super::place::Editor;
use super::remove::remove;
use super::source::Source;
use super::tree::{Document, Documents, Node};
use super::workloads::{self, Template, Workload};

/// The most that is read in all, bytes. A rendered chart of a hundred workloads has one.
pub const BYTES_MAX: usize = 10 * 1024 * 1024;

/// The most documents in a file.
const DOCUMENTS_MAX: usize = 1_000;

/// Edited manifests.
#[derive(Debug)]
pub struct Edited {
    /// All of the file.
    pub text: String,
    /// How many workloads were found in it.
    pub workloads: usize,
    /// Which kinds of objects are in it.
    pub kinds: BTreeSet<String>,
    /// What somebody should know of it, each with its place.
    pub notes: Vec<(Place, Note)>,
}

/// Edits the manifests in `text`, which is called `file` in errors. Putting in twice is the same as once, and taking out gives the text from before.
///
/// # Errors
/// What is wrong with the input, where, and what to do.
pub fn edit(text: &str, file: &str, options: &Options) -> Result<Edited, InjectError> {
    let stripped = stripped(text, file, options)?;
    if options.remove {
        return Ok(stripped);
    }
    let done = Walk { file, options, doing: Doing::PutIn }.over(&stripped.text)?;
    if done.text.len() > BYTES_MAX {
        return Err(of_whole(file, Problem::Grown { bytes_max: BYTES_MAX }));
    }
    // Whatever form the text has: nothing is printed that cannot be read and taken out again.
    let options = &Options { remove: true, ..options.clone() };
    let back = |text: &str| Walk { file, options, doing: Doing::TakeOut }.over(text).map(|edited| edited.text).ok();
    let keeps_documents = options.binding && !options.names.is_empty();
    if !keeps_documents && back(&done.text) != back(&stripped.text) {
        return Err(of_whole(file, Problem::NotUndone));
    }
    Ok(done)
}

/// What was given, without what an earlier run put in.
fn stripped(text: &str, file: &str, options: &Options) -> Result<Edited, InjectError> {
    if text.len() > BYTES_MAX {
        return Err(of_whole(file, Problem::TooLong { bytes_max: BYTES_MAX }));
    }
    Walk { file, options, doing: Doing::TakeOut }.over(text)
}

/// What is wrong with a file as a whole.
fn of_whole(file: &str, problem: Problem) -> InjectError {
    InjectError { place: Place { file: file.to_owned(), document: 0, line: 0 }, problem }
}

/// What would be put into the workloads of `text`, as patches.
///
/// # Errors
/// What is wrong with the input, where, and what to do.
pub fn patches(text: &str, file: &str, options: &Options) -> Result<(Edited, Vec<Patch>), InjectError> {
    let mut stripped = stripped(text, file, options)?;
    let mut notes = Vec::new();
    let mut documents = Documents::of(&stripped.text);
    let mut patches = Vec::new();
    let mut number = 0;
    loop {
        number += 1;
        let at =
            |(line, problem)| InjectError { place: Place { file: file.to_owned(), document: number, line }, problem };
        let Some(document) = documents.next().map_err(at)? else { break };
        let Some(root) = document.root.as_ref().filter(|root| !root.is_null()) else { continue };
        for object in workloads::objects(root).map_err(at)? {
            let Some(workload) = workloads::workload(object, options).map_err(at)? else { continue };
            let mut pieces = Vec::new();
            for template in &workload.templates {
                let (_, facts) = look(&workload, template, options).map_err(at)?;
                let place = Place { file: file.to_owned(), document: number, line: template.spec.line };
                notes.extend(note::of_template(&workload, &facts, options).map(|note| (place.clone(), note)));
                pieces.push((Pieces::of(&facts, options), facts.container));
            }
            patches.push(Patch::of(&workload, &pieces).map_err(|problem| at((object.line, problem)))?);
        }
    }
    stripped.notes = notes;
    Ok((stripped, patches))
}

/// One way over all documents.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    TakeOut,
    PutIn,
}

struct Walk<'o> {
    file: &'o str,
    options: &'o Options,
    doing: Doing,
}

/// What was seen on the way.
#[derive(Default)]
struct Seen {
    edits: Edits,
    workloads: usize,
    kinds: BTreeSet<String>,
    /// Line and note.
    notes: Vec<(usize, Note)>,
    /// What service accounts need and the text does not have.
    needed: Vec<binding::Added>,
    /// Whether the last document is JSON, or between braces.
    ends_in_flow: bool,
}

impl Walk<'_> {
    fn over(&self, text: &str) -> Result<Edited, InjectError> {
        let place = |document, line| Place { file: self.file.to_owned(), document, line };
        let source = Source { text };
        let mut seen = Seen::default();
        let mut notes = Vec::new();
        let mut documents = Documents::of(text);
        let mut number = 0;
        loop {
            number += 1;
            let at = |(line, problem)| InjectError { place: place(number, line), problem };
            let Some(document) = documents.next().map_err(at)? else { break };
            if number > DOCUMENTS_MAX {
                let problem = Problem::TooManyDocuments { documents_max: DOCUMENTS_MAX };
                return Err(InjectError { place: place(0, 0), problem });
            }
            self.document(source, &document, &mut seen).map_err(at)?;
            notes.extend(seen.notes.drain(..).map(|(line, note)| (place(number, line), note)));
        }
        if self.doing == Doing::PutIn {
            add_documents(source, &mut seen).map_err(|problem| InjectError { place: place(number - 1, 0), problem })?;
        }
        Ok(Edited { text: seen.edits.apply(text), workloads: seen.workloads, kinds: seen.kinds, notes })
    }

    fn document(&self, source: Source, document: &Document, seen: &mut Seen) -> Result<(), (usize, Problem)> {
        let Some(root) = document.root.as_ref().filter(|root| !root.is_null()) else { return Ok(()) };
        seen.ends_in_flow = root.is_flow();
        for object in workloads::objects(root)? {
            seen.kinds.insert(object.text_at("kind").unwrap_or_default().to_owned());
            seen.needed.retain(|needed| !needed.is(object));
            let templated = |found| document.template_line.map_or(found, |line| (line, Problem::Template));
            if let Some(workload) = workloads::workload(object, self.options).map_err(templated)? {
                if let Some(line) = document.template_line {
                    return Err((line, Problem::Template));
                }
                seen.workloads += 1;
                self.workload(source, document, object, &workload, seen)?;
            }
        }
        let is_all_theirs = self.options.names.is_empty() && self.options.remove;
        if is_all_theirs && document.explicit && binding::is_own(root) {
            seen.edits.delete(document.start..source.next_line(root.end));
        }
        Ok(())
    }

    fn workload(
        &self,
        source: Source,
        document: &Document,
        object: &Node,
        workload: &Workload,
        seen: &mut Seen,
    ) -> Result<(), (usize, Problem)> {
        if self.doing == Doing::PutIn {
            seen.notes.extend(workload.left_out.iter().map(|line| (*line, Note::left_out(workload))));
        }
        for template in &workload.templates {
            if self.doing == Doing::TakeOut && !self.options.remove {
                nothing_is_lost(template)?;
            }
            let mut editor = Editor { source, document, hyphen: hyphen(source, template), edits: &mut seen.edits };
            if self.doing == Doing::TakeOut {
                remove(&mut editor, template)?;
                continue;
            }
            let (container, facts) = look(workload, template, self.options)?;
            seen.notes.extend(note::of_template(workload, &facts, self.options).map(|note| (template.spec.line, note)));
            insert(&mut editor, template, container, &Pieces::of(&facts, self.options))?;
            if self.options.binding {
                let namespace = workload.namespace.or(self.options.namespace.as_deref());
                let namespace = namespace.ok_or_else(|| (object.line, Problem::NoNamespace(workload.label())))?;
                let account = template.spec.text_at("serviceAccountName").unwrap_or("default");
                for added in binding::documents(namespace, account) {
                    if !seen.needed.iter().any(|there| there.text == added.text) {
                        seen.needed.push(added);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The agent's containers are written anew: what somebody else gave them would go with the old ones.
fn nothing_is_lost(template: &Template) -> Result<(), (usize, Problem)> {
    let containers = ["containers", "initContainers"].into_iter().filter_map(|key| template.spec.get(key));
    for container in containers.flat_map(Node::items).filter(|container| is_own_container(container)) {
        let flags = |args: &Node| {
            args.items().iter().any(|word| word.text().is_some_and(|word| word.starts_with("--") && word != "--to"))
        };
        let is_added = |(key, value): &&(Node, Node)| match key.text() {
            Some("args") => flags(value),
            key => key.is_some_and(|key| NOT_OURS.contains(&key)),
        };
        let added = container.entries().iter().find(is_added);
        if let Some((key, _)) = added {
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            return Err((
                key.line,
                Problem::AddedByHand { key: text(key.text()), container: text(container.text_at("name")) },
            ));
        }
    }
    Ok(())
}

/// Puts what service accounts need at the end of the text.
fn add_documents(source: Source, seen: &mut Seen) -> Result<(), Problem> {
    if !seen.needed.is_empty() && seen.ends_in_flow {
        return Err(Problem::NoDocumentsInJson);
    }
    for added in &seen.needed {
        seen.edits.insert_lines(source, source.text.len(), &format!("---\n{}", added.text));
    }
    Ok(())
}

/// How far right of their keys this template's lists have their hyphens; as the manifests of this product where that cannot be seen.
fn hyphen(source: Source, template: &Template) -> usize {
    const USUAL: usize = 2;
    let Some((key, containers)) = template.spec.entry("containers") else { return USUAL };
    let first = containers.items().first().filter(|_| !containers.is_flow());
    let hyphen = first.and_then(|first| source.hyphen(first.start));
    hyphen.and_then(|hyphen| source.column(hyphen).checked_sub(source.column(key.start))).unwrap_or(USUAL)
}

#[cfg(test)]
mod tests;
