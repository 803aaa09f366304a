//! YAML as kubectl and its kin write kubeconfigs: block mappings and lists of plain or quoted scalars. Nothing else of YAML
//! is understood; what is not, is refused with its line.

use serde_json::{Map, Value};

/// Deeper than any kubeconfig (7 levels with extensions), and bounded, since each level is a function call.
const DEPTH_MAX: usize = 32;

/// A text that is not such YAML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why} (JSON is read too: `kubectl config view --raw --minify -o json`)")]
pub struct YamlError {
    /// Counted from 1.
    pub line: usize,
    /// What is not understood.
    pub why: &'static str,
}

/// Reads one document. Scalars other than `true`, `false` and `null` are texts, also numbers.
pub fn parse(text: &str) -> Result<Value, YamlError> {
    let mut lines = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let number = index + 1;
        let content = raw.trim_start_matches(' ');
        let indent = raw.len() - content.len();
        let content = content.trim_end();
        let is_marker = content == "---" && lines.is_empty();
        if content.is_empty() || content.starts_with('#') || is_marker {
            continue;
        }
        if content.starts_with('\t') {
            return Err(YamlError { line: number, why: "a tab is no indentation" });
        }
        lines.push(Line { number, indent, content });
    }
    let mut reader = Reader { lines, at: 0 };
    let Some(first) = reader.lines.first() else { return Ok(Value::Null) };
    let value = reader.block(first.indent, 0)?;
    match reader.peek() {
        None => Ok(value),
        Some(line) => Err(YamlError { line: line.number, why: "this does not belong to what is above it" }),
    }
}

#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    indent: usize,
    content: &'a str,
}

impl<'a> Line<'a> {
    fn error(self, why: &'static str) -> YamlError {
        YamlError { line: self.number, why }
    }

    /// What follows the dash of a list's item.
    fn item(self) -> Option<&'a str> {
        match self.content.strip_prefix('-') {
            Some("") => Some(""),
            Some(rest) => rest.strip_prefix(' '),
            None => None,
        }
    }

    /// Key and rest of a mapping's entry.
    fn entry(self) -> Result<Option<(String, &'a str)>, YamlError> {
        let text = self.content;
        let (key, rest) = if text.starts_with(['"', '\'']) {
            let (key, rest) = quoted(text).map_err(|why| self.error(why))?;
            let Some(rest) = rest.strip_prefix(':') else { return Ok(None) };
            (key, rest)
        } else {
            let Some(at) = text.find(": ").or_else(|| text.ends_with(':').then(|| text.len() - 1)) else {
                return Ok(None);
            };
            (text[..at].trim_end().to_owned(), &text[at + 1..])
        };
        if !rest.is_empty() && !rest.starts_with(' ') {
            return Ok(None);
        }
        Ok(Some((key, rest.trim_start())))
    }
}

struct Reader<'a> {
    lines: Vec<Line<'a>>,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<Line<'a>> {
        self.lines.get(self.at).copied()
    }

    /// The next line, if it stands at `indent`. One that stands deeper belongs to nothing.
    fn line_at(&self, indent: usize) -> Result<Option<Line<'a>>, YamlError> {
        match self.peek() {
            Some(line) if line.indent == indent => Ok(Some(line)),
            Some(line) if line.indent > indent => Err(line.error("it is indented more than what it belongs to")),
            _ => Ok(None),
        }
    }

    fn block(&mut self, indent: usize, depth: usize) -> Result<Value, YamlError> {
        let Some(line) = self.peek() else { return Ok(Value::Null) };
        if depth > DEPTH_MAX {
            return Err(line.error("it is nested too deeply"));
        }
        if line.item().is_some() {
            return self.list(indent, depth);
        }
        if line.entry()?.is_some() {
            return self.mapping(indent, depth);
        }
        self.at += 1;
        scalar(line.content).map_err(|why| line.error(why))
    }

    fn mapping(&mut self, indent: usize, depth: usize) -> Result<Value, YamlError> {
        let mut map = Map::new();
        while let Some(line) = self.line_at(indent)? {
            if line.item().is_some() {
                break;
            }
            let (key, rest) = line.entry()?.ok_or_else(|| line.error("it is no `key: value`"))?;
            self.at += 1;
            let value = match without_comment(rest) {
                "" => self.below(indent, depth)?,
                rest => scalar(rest).map_err(|why| line.error(why))?,
            };
            if map.insert(key, value).is_some() {
                return Err(line.error("the key is there already"));
            }
        }
        Ok(Value::Object(map))
    }

    /// The value of a key whose line ends after the colon: a deeper block, a list at the same depth, or nothing.
    fn below(&mut self, indent: usize, depth: usize) -> Result<Value, YamlError> {
        match self.peek() {
            Some(line) if line.indent > indent => self.block(line.indent, depth + 1),
            Some(line) if line.indent == indent && line.item().is_some() => self.list(indent, depth + 1),
            _ => Ok(Value::Null),
        }
    }

    fn list(&mut self, indent: usize, depth: usize) -> Result<Value, YamlError> {
        let mut items = Vec::new();
        while let Some(line) = self.line_at(indent)? {
            let Some(rest) = line.item() else { break };
            let content = rest.trim_start();
            if without_comment(content).is_empty() {
                self.at += 1;
                let deeper = self.peek().filter(|next| next.indent > indent);
                items.push(match deeper {
                    Some(next) => self.block(next.indent, depth + 1)?,
                    None => Value::Null,
                });
            } else {
                // What follows the dash is the first line of a block that stands where it begins.
                let inner = line.indent + line.content.len() - content.len();
                self.lines[self.at] = Line { number: line.number, indent: inner, content };
                items.push(self.block(inner, depth + 1)?);
            }
        }
        Ok(Value::Array(items))
    }
}

/// A plain text without the comment behind it.
fn without_comment(text: &str) -> &str {
    if text.starts_with('#') {
        return "";
    }
    if text.starts_with(['"', '\'']) {
        return text;
    }
    text.find(" #").map_or(text, |at| text[..at].trim_end())
}

fn scalar(text: &str) -> Result<Value, &'static str> {
    let text = without_comment(text);
    if text.starts_with(['"', '\'']) {
        let (value, rest) = quoted(text)?;
        let rest = rest.trim_start();
        return if rest.is_empty() || rest.starts_with('#') {
            Ok(Value::String(value))
        } else {
            Err("text follows the closing quote")
        };
    }
    match text {
        "{}" => Ok(Value::Object(Map::new())),
        "[]" => Ok(Value::Array(Vec::new())),
        "null" | "~" => Ok(Value::Null),
        "true" => Ok(Value::Bool(true)),
        "false" => Ok(Value::Bool(false)),
        _ if text.starts_with(['&', '*', '!', '|', '>', '{', '[', '%', '@', '`', '?', ',', ']', '}']) => {
            Err("this kind of YAML is not read here")
        }
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// A quoted text and what follows it.
fn quoted(text: &str) -> Result<(String, &str), &'static str> {
    const OPEN: &str = "the closing quote is missing";
    if let Some(inner) = text.strip_prefix('\'') {
        let mut value = String::new();
        let mut rest = inner;
        loop {
            let at = rest.find('\'').ok_or(OPEN)?;
            value.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            match rest.strip_prefix('\'') {
                Some(after) => {
                    value.push('\'');
                    rest = after;
                }
                None => return Ok((value, rest)),
            }
        }
    }
    // Double quotes: JSON's escapes are YAML's.
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let closes = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        closes
    });
    let (at, _) = end.ok_or(OPEN)?;
    let value = serde_json::from_str(&text[..=at]).map_err(|_| "an escape in the quotes is not read here")?;
    Ok((value, &text[at + 1..]))
}

#[cfg(test)]
mod tests;
