//! The documents of a text, each as a tree whose nodes know where in the text they stand.

use std::collections::BTreeSet;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle};

use super::error::Problem;
use super::source::Source;

/// One document.
pub struct Document<'a> {
    /// Its content; nothing where it has none.
    pub root: Option<Node<'a>>,
    /// Where it begins: its `---`, if it has one.
    pub start: usize,
    /// Whether a line `---` begins it.
    pub explicit: bool,
    /// The line of the first unquoted text in it with the braces of a template.
    pub template_line: Option<usize>,
    /// Anchors that an alias refers to.
    aliased: BTreeSet<usize>,
}

/// A value in a document.
pub struct Node<'a> {
    /// Where it begins. Of a block map: its first key.
    pub start: usize,
    /// Where its last character ends; comments and blank lines that follow are not in it.
    pub end: usize,
    /// Counted from 1.
    pub line: usize,
    /// What it is.
    pub kind: Kind<'a>,
    /// 0: it has none.
    anchor: usize,
}

/// What a node is.
pub enum Kind<'a> {
    /// A text, number or the like; its value is where no escapes are, part of the source.
    Scalar {
        /// As the parser reads it.
        value: std::borrow::Cow<'a, str>,
        /// Without quotes, so that it may be null, a flag or a number.
        plain: bool,
    },
    /// Keys and values.
    Map {
        /// Between braces.
        flow: bool,
        /// In their order.
        entries: Vec<(Node<'a>, Node<'a>)>,
    },
    /// Items.
    List {
        /// Between brackets.
        flow: bool,
        /// In their order.
        items: Vec<Node<'a>>,
    },
    /// A reference to another node.
    Alias,
}

impl Node<'_> {
    /// Keys and values of a map; of anything else none.
    pub fn entries(&self) -> &[(Self, Self)] {
        if let Kind::Map { entries, .. } = &self.kind { entries } else { &[] }
    }

    /// Items of a list; of anything else none.
    pub fn items(&self) -> &[Self] {
        if let Kind::List { items, .. } = &self.kind { items } else { &[] }
    }

    /// Key and value of a map's entry.
    pub fn entry(&self, key: &str) -> Option<&(Self, Self)> {
        self.entries().iter().find(|(name, _)| name.text() == Some(key))
    }

    /// The value of a map's entry.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|(_, value)| value)
    }

    /// The value at the end of a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The text of a scalar that is not null.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { value, .. } if !self.is_null() => Some(value),
            _ => None,
        }
    }

    /// The text at `key`.
    pub fn text_at(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Self::text)
    }

    /// Whether it is null, written or not.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { value, plain: true } if matches!(&**value, "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Whether nothing is written where it stands.
    pub fn is_absent(&self) -> bool {
        self.is_null() && self.start == self.end
    }

    /// Whether it is a map or list between brackets.
    pub fn is_flow(&self) -> bool {
        matches!(self.kind, Kind::Map { flow: true, .. } | Kind::List { flow: true, .. })
    }

    /// The second of two keys of a map that are the same.
    pub fn repeated(&self) -> Option<&Self> {
        let mut seen = BTreeSet::new();
        let mut keys = self.entries().iter().map(|(key, _)| key);
        keys.find(|key| key.text().is_some_and(|text| text != "<<" && !seen.insert(text)))
    }

    /// How many children it has.
    pub fn len(&self) -> usize {
        self.entries().len() + self.items().len()
    }
}

impl Document<'_> {
    /// Why `node`, a map or list, cannot be edited in place.
    pub fn cannot_edit(&self, node: &Node) -> Option<&'static str> {
        if matches!(node.kind, Kind::Alias) {
            return Some("it is an alias (*name); write the value itself");
        }
        if node.anchor != 0 && self.aliased.contains(&node.anchor) {
            return Some(
                "it has an anchor (&name) that is used elsewhere, which would change too; write the value itself in both places",
            );
        }
        let merges = node.entries().iter().any(|(key, _)| key.text() == Some("<<"));
        merges.then_some("it merges another map (<<); write its keys themselves")
    }
}

/// A collection whose end has not come yet.
struct Open<'a> {
    node: Node<'a>,
    key: Option<Node<'a>>,
}

/// Reads one document after another.
pub struct Documents<'a> {
    parser: Parser<'a, StrInput<'a>>,
    source: Source<'a>,
}

impl<'a> Documents<'a> {
    /// The documents of `text`.
    pub fn of(text: &'a str) -> Self {
        Self { parser: Parser::new_from_str(text), source: Source { text } }
    }

    /// The next one.
    ///
    /// # Errors
    /// Line and problem, where it does not parse.
    pub fn next(&mut self) -> Result<Option<Document<'a>>, (usize, Problem)> {
        while let Some(event) = self.parser.next_event() {
            let (event, span) = event.map_err(|error| self.not_yaml(&error))?;
            if let Event::DocumentStart(explicit, _) = event {
                return self.document(explicit, offset(span.start.byte_offset())).map(Some);
            }
        }
        Ok(None)
    }

    fn document(&mut self, explicit: bool, start: usize) -> Result<Document<'a>, (usize, Problem)> {
        let mut document = Document { root: None, start, explicit, template_line: None, aliased: BTreeSet::new() };
        let mut open: Vec<Open<'a>> = Vec::new();
        while let Some(event) = self.parser.next_event() {
            let (event, span) = event.map_err(|error| self.not_yaml(&error))?;
            let finished = match event {
                Event::DocumentEnd => break,
                Event::Scalar(value, style, anchor, _) => {
                    let node = self.scalar(value, style, anchor, &span);
                    if let Kind::Scalar { value, plain: true } = &node.kind
                        && value.contains("{{")
                    {
                        document.template_line.get_or_insert(node.line);
                    }
                    node
                }
                Event::Alias(anchor) => {
                    document.aliased.insert(anchor);
                    node_at(&span, Kind::Alias, 0)
                }
                Event::MappingStart(style, anchor, _) => {
                    let flow = style == StructureStyle::Flow;
                    open.push(Open {
                        node: node_at(&span, Kind::Map { flow, entries: Vec::new() }, anchor),
                        key: None,
                    });
                    continue;
                }
                Event::SequenceStart(style, anchor, _) => {
                    let flow = style == StructureStyle::Flow;
                    open.push(Open { node: node_at(&span, Kind::List { flow, items: Vec::new() }, anchor), key: None });
                    continue;
                }
                Event::MappingEnd | Event::SequenceEnd => {
                    let Some(Open { mut node, .. }) = open.pop() else { continue };
                    if node.is_flow() {
                        node.end = offset(span.end.byte_offset());
                    }
                    node
                }
                _ => continue,
            };
            match open.last_mut() {
                Some(parent) => add(parent, finished)?,
                None => document.root = Some(finished),
            }
        }
        Ok(document)
    }

    fn scalar(&self, value: std::borrow::Cow<'a, str>, style: ScalarStyle, anchor: usize, span: &Span) -> Node<'a> {
        let mut node = node_at(span, Kind::Alias, anchor);
        if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            let kept = value.ends_with("\n\n") || value == "\n";
            node.end = self.source.block_scalar_end(node.end, kept);
        }
        node.kind = Kind::Scalar { value, plain: style == ScalarStyle::Plain };
        node
    }

    fn not_yaml(&self, error: &ScanError) -> (usize, Problem) {
        let line = error.marker().line();
        // The braces are what the parser stumbled over, on that line or on one before it.
        let templated = |text: &str| text.trim_start().starts_with("{{") || text.contains(": {{");
        match self.source.text.lines().take(line).position(templated) {
            Some(index) => (index + 1, Problem::Template),
            None => (line, Problem::NotYaml(error.info().clone())),
        }
    }
}

fn add<'a>(parent: &mut Open<'a>, child: Node<'a>) -> Result<(), (usize, Problem)> {
    let Open { node, key } = parent;
    node.end = node.end.max(child.end);
    match &mut node.kind {
        Kind::List { items, .. } => items.push(child),
        Kind::Map { entries, .. } => match key.take() {
            Some(key) => entries.push((key, child)),
            // `{{ .Values.x }}` without quotes is a map whose key is a map.
            None if matches!(child.kind, Kind::Map { flow: true, .. }) => return Err((child.line, Problem::Template)),
            None => *key = Some(child),
        },
        Kind::Scalar { .. } | Kind::Alias => {}
    }
    Ok(())
}

fn node_at<'a>(span: &Span, kind: Kind<'a>, anchor: usize) -> Node<'a> {
    let (start, end) = (offset(span.start.byte_offset()), offset(span.end.byte_offset()));
    Node { start, end, line: span.start.line(), kind, anchor }
}

/// The parser knows bytes wherever it reads from a text, as here.
fn offset(bytes: Option<usize>) -> usize {
    bytes.unwrap_or_default()
}
