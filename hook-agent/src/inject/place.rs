//! Where in the text something new is put, or something is taken away, so that all around it stays as it is.

use super::edits::Edits;
use super::error::Problem;
use super::source::Source;
use super::tree::{Document, Kind, Node};
use super::value::{self, Value};

/// A document that is edited.
pub struct Editor<'e, 't, 'a> {
    /// The whole text.
    pub source: Source<'a>,
    /// The document.
    pub document: &'t Document<'a>,
    /// How far right of a key its list's hyphens stand.
    pub hyphen: usize,
    /// What is to be done.
    pub edits: &'e mut Edits,
}

/// Line and problem.
pub type Refused = (usize, Problem);

/// What is put below a key.
#[derive(Clone, Copy)]
pub enum Added<'v> {
    /// Into a map.
    Entries(&'v [(String, Value)]),
    /// Into a list.
    Items(&'v [Value]),
}

impl Added<'_> {
    fn is_empty(self) -> bool {
        match self {
            Self::Entries(entries) => entries.is_empty(),
            Self::Items(items) => items.is_empty(),
        }
    }

    /// As the value of a new key.
    fn value(self) -> Value {
        match self {
            Self::Entries(entries) => Value::Map(entries.to_vec()),
            Self::Items(items) => Value::List(items.to_vec()),
        }
    }
}

impl Editor<'_, '_, '_> {
    /// Puts `added` at the end of what stands at `key` of `parent`, or makes that key.
    pub fn put(&mut self, parent: &Node, key: &str, added: Added) -> Result<(), Refused> {
        if added.is_empty() {
            return Ok(());
        }
        self.check(parent, key)?;
        let Some((name, node)) = parent.entry(key) else { return self.put_entry(parent, key, &added.value()) };
        self.check(node, key)?;
        let refuse = |why| Err((name.line, Problem::Form { key: key.to_owned(), why }));
        match (&node.kind, added) {
            _ if node.is_absent() && !parent.is_flow() => {
                self.edits.insert(self.after_colon(name), format!(" {}", added.value().flow()));
                Ok(())
            }
            _ if node.is_null() => refuse("it is null; take it out"),
            (Kind::Map { flow: true, .. }, Added::Entries(entries)) => self.put_flow(node, |json| {
                entries.iter().map(|(key, value)| value::pair(key, &form(value, json))).collect()
            }),
            (Kind::List { flow: true, .. }, Added::Items(items)) => {
                self.put_flow(node, |json| items.iter().map(|item| form(item, json)).collect())
            }
            (Kind::Map { .. }, Added::Entries(entries)) => {
                let column = self.source.column(node.start);
                let mut lines = String::new();
                for (key, value) in entries {
                    value::write_entry(&mut lines, column, self.hyphen, key, value);
                }
                self.edits.insert_lines(self.source, self.source.below(node.end, column), &lines);
                Ok(())
            }
            (Kind::List { items: there, .. }, Added::Items(items)) => {
                let hyphen = there.first().and_then(|item| self.source.hyphen(item.start));
                let Some(hyphen) = hyphen else { return refuse("its first item begins in an unusual way") };
                let column = self.source.column(hyphen);
                let mut lines = String::new();
                for item in items {
                    value::write_item(&mut lines, column, self.hyphen, item);
                }
                self.edits.insert_lines(self.source, self.source.below(node.end, column + 1), &lines);
                Ok(())
            }
            _ => refuse("it is not what Kubernetes has there"),
        }
    }

    /// Puts a new key at the end of `parent`.
    fn put_entry(&mut self, parent: &Node, key: &str, value: &Value) -> Result<(), Refused> {
        if parent.is_flow() {
            return self.put_flow(parent, |json| vec![value::pair(key, &form(value, json))]);
        }
        let column = self.source.column(parent.start);
        let at = self.source.below(parent.end, column);
        self.put_lines(at, column, key, value);
        Ok(())
    }

    /// Puts a new key before the others of `parent` where that is easy, else after them.
    pub fn put_first(&mut self, parent: &Node, key: &str, value: &Value) -> Result<(), Refused> {
        self.check(parent, key)?;
        if parent.is_flow() || !self.source.begins_line(parent.start) {
            return self.put_entry(parent, key, value);
        }
        let column = self.source.column(parent.start);
        self.put_lines(self.source.above(parent.start), column, key, value);
        Ok(())
    }

    fn put_lines(&mut self, at: usize, column: usize, key: &str, value: &Value) {
        let mut lines = String::new();
        value::write_entry(&mut lines, column, self.hyphen, key, value);
        self.edits.insert_lines(self.source, at, &lines);
    }

    /// Puts parts at the end of a map or list between brackets. `parts` gets the indentation to write JSON over several lines with, or nothing.
    fn put_flow(&mut self, node: &Node, parts: impl Fn(Option<&str>) -> Vec<String>) -> Result<(), Refused> {
        let last = match &node.kind {
            Kind::Map { entries, .. } => entries.last().map(|(key, value)| (key.start, value)),
            Kind::List { items, .. } => items.last().map(|item| (item.start, item)),
            Kind::Scalar { .. } | Kind::Alias => None,
        };
        let Some((start, last)) = last else {
            // No white space after the bracket: that is how `take_out` knows that it was there before.
            self.edits.insert(node.start + 1, parts(None).join(", "));
            return Ok(());
        };
        if last.is_absent() {
            let why = "its last value is not written; write null";
            return Err((last.line, Problem::Form { key: "a map between braces".to_owned(), why }));
        }
        let indent = self.source.before(start);
        let text: String = if self.source.begins_line(start) {
            parts(Some(indent)).into_iter().flat_map(|part| [format!(",\n{indent}"), part]).collect()
        } else {
            parts(None).into_iter().flat_map(|part| [", ".to_owned(), part]).collect()
        };
        self.edits.insert(last.end, text.replace('\n', self.source.newline(start)));
        Ok(())
    }

    /// Takes the children that are `doomed` out of what stands at `key` of `parent`. Whether the key itself has to go then, because it came with them.
    pub fn take_out(
        &mut self,
        parent: &Node,
        key: &str,
        doomed: impl Fn(&str, &Node) -> bool,
    ) -> Result<bool, Refused> {
        let Some((name, node)) = parent.entry(key) else { return Ok(false) };
        let doomed: Vec<bool> = match &node.kind {
            Kind::Map { entries, .. } => {
                entries.iter().map(|(key, value)| doomed(key.text().unwrap_or_default(), value)).collect()
            }
            Kind::List { items, .. } => items.iter().map(|item| doomed("", item)).collect(),
            Kind::Scalar { .. } | Kind::Alias => return Ok(false),
        };
        if !doomed.contains(&true) {
            return Ok(false);
        }
        self.check(node, key)?;
        if doomed.contains(&false) {
            self.delete(node, &doomed)?;
            return Ok(false);
        }
        let inside = node.start + 1;
        if !node.is_flow() {
            return Ok(true);
        }
        let brackets_are_own = self.source.text[inside..].starts_with([' ', '\r', '\n']);
        if !brackets_are_own {
            let last = children(node).last().map_or(inside, |(_, end)| *end);
            self.edits.delete(inside..last);
            return Ok(false);
        }
        if !parent.is_flow() {
            self.edits.delete(self.after_colon(name)..node.end);
        }
        Ok(parent.is_flow())
    }

    /// Takes entries of a map out, all but some.
    pub fn delete_keys(&mut self, node: &Node, keys: &[&str]) -> Result<(), Refused> {
        let doomed: Vec<bool> =
            node.entries().iter().map(|(key, _)| key.text().is_some_and(|key| keys.contains(&key))).collect();
        if doomed.contains(&true) { self.delete(node, &doomed) } else { Ok(()) }
    }

    /// Takes some children out; others stay.
    fn delete(&mut self, node: &Node, doomed: &[bool]) -> Result<(), Refused> {
        let children = children(node);
        let mut kept_end = None;
        for (index, ((start, end), doomed)) in children.iter().zip(doomed).enumerate() {
            if !doomed {
                kept_end = Some(*end);
                continue;
            }
            if node.is_flow() {
                let after = children.get(index + 1).map_or(*end, |(next, _)| *next);
                let before = index.checked_sub(1).and_then(|previous| children.get(previous)).map(|(_, end)| *end);
                // With the comma before it, or with the one after it where nothing before it stays.
                self.edits.delete(match (kept_end, before) {
                    (Some(_), Some(before)) => before..*end,
                    _ => *start..after,
                });
                continue;
            }
            let first = if matches!(node.kind, Kind::List { .. }) { self.source.hyphen(*start) } else { Some(*start) };
            match first {
                Some(first) if self.source.begins_line(first) => {
                    self.edits.delete(self.source.line_start(first)..self.source.next_line(*end));
                }
                _ => {
                    let why = "it stands on one line with something else; give it lines of its own";
                    let line = self.source.line_number(*start);
                    return Err((line, Problem::Form { key: "what is to be taken out".to_owned(), why }));
                }
            }
        }
        Ok(())
    }

    fn check(&self, node: &Node, key: &str) -> Result<(), Refused> {
        match self.document.cannot_edit(node) {
            Some(why) => Err((node.line, Problem::Form { key: key.to_owned(), why })),
            None => Ok(()),
        }
    }

    /// After the colon of a key.
    fn after_colon(&self, key: &Node) -> usize {
        self.source.text[key.end..].find(':').map_or(key.end, |colon| key.end + colon + 1)
    }
}

/// Where each child begins and ends.
fn children(node: &Node) -> Vec<(usize, usize)> {
    match &node.kind {
        Kind::Map { entries, .. } => entries.iter().map(|(key, value)| (key.start, value.end.max(key.end))).collect(),
        Kind::List { items, .. } => items.iter().map(|item| (item.start, item.end)).collect(),
        Kind::Scalar { .. } | Kind::Alias => Vec::new(),
    }
}

fn form(value: &Value, json: Option<&str>) -> String {
    json.map_or_else(|| value.flow(), |indent| value.json(indent))
}
