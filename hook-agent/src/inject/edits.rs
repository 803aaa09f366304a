//! Changes to a text at positions that were found in it, made all at once.

use std::ops::Range;

use super::source::{Source, line_break_at_end};

/// What is to be replaced by what. Those at one position are made in the order in which they were added.
#[derive(Debug, Default)]
pub struct Edits {
    edits: Vec<(Range<usize>, String)>,
}

impl Edits {
    /// Puts `text` where nothing is taken away.
    pub fn insert(&mut self, at: usize, text: String) {
        self.edits.push((at..at, text));
    }

    /// Puts whole `lines`, with `\n` at their ends, where a line begins or the text ends.
    pub fn insert_lines(&mut self, source: Source, at: usize, lines: &str) {
        let newline = source.newline(at);
        let begins = at == 0 || source.text[..at].ends_with('\n');
        // A text whose last line has no line break keeps that.
        let lines = if begins { lines.to_owned() } else { format!("\n{}", lines.trim_end_matches('\n')) };
        self.insert(at, if newline == "\n" { lines } else { lines.replace('\n', newline) });
    }

    /// Takes a range away.
    pub fn delete(&mut self, range: Range<usize>) {
        self.edits.push((range, String::new()));
    }

    /// The text with all changes.
    pub fn apply(mut self, text: &str) -> String {
        if self.edits.is_empty() {
            return text.to_owned();
        }
        self.edits.sort_by_key(|(range, _)| range.start);
        let mut out = String::with_capacity(text.len() + self.edits.iter().map(|(_, new)| new.len()).sum::<usize>());
        let mut done = 0;
        for (range, new) in &self.edits {
            if let Some(between) = text.get(done..range.start) {
                out.push_str(between);
            }
            out.push_str(new);
            done = done.max(range.end);
        }
        out.push_str(&text[done..]);
        // What was the last line, without a line break, is gone: the one before it is the last now, without one.
        if done == text.len() && !text.ends_with('\n') && out.ends_with('\n') {
            out.truncate(out.len() - line_break_at_end(&out));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_line_without_a_line_break_stays_one() {
        let text = "a: 1\r\nb: 2";
        let mut edits = Edits::default();
        edits.insert_lines(Source { text }, text.len(), "c: 3\n");
        edits.insert_lines(Source { text }, 6, "x: 0\n");
        let longer = edits.apply(text);
        assert_eq!(longer, "a: 1\r\nx: 0\r\nb: 2\r\nc: 3");
        let mut edits = Edits::default();
        edits.delete(18..22);
        edits.delete(6..12);
        assert_eq!(edits.apply(&longer), text);
    }
}
