//! The manifests' text as lines: where a line begins and ends, what stands before a position, which comments follow.

/// A text whose lines are looked at; positions are bytes.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// All of it.
    pub text: &'a str,
}

impl<'a> Source<'a> {
    /// Where the line of `at` begins.
    pub fn line_start(self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// Where the line after that of `at` begins; the end of the text when there is none.
    pub fn next_line(self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline + 1)
    }

    /// What stands on the line of `at` before it.
    pub fn before(self, at: usize) -> &'a str {
        &self.text[self.line_start(at)..at]
    }

    /// How far `at` is from the begin of its line.
    pub fn column(self, at: usize) -> usize {
        at - self.line_start(at)
    }

    /// Whether nothing but white space stands before `at` on its line.
    pub fn begins_line(self, at: usize) -> bool {
        self.before(at).trim().is_empty()
    }

    /// Counted from 1.
    pub fn line_number(self, at: usize) -> usize {
        self.text[..at].bytes().filter(|byte| *byte == b'\n').count() + 1
    }

    /// How lines end around `at`: as the line before it does, else as the first one.
    pub fn newline(self, at: usize) -> &'static str {
        let before = self.text[..at].rfind('\n').or_else(|| self.text.find('\n'));
        match before {
            Some(newline) if self.text[..newline].ends_with('\r') => "\r\n",
            _ => "\n",
        }
    }

    /// Where lines that belong below `at` are put: after its line, and after comment lines that follow at once and are indented by `indent_min` or more.
    pub fn below(self, at: usize, indent_min: usize) -> usize {
        let mut next = self.next_line(at);
        loop {
            let line = &self.text[next..self.next_line(next)];
            let indent = line.len() - line.trim_start_matches(' ').len();
            if !line[indent..].starts_with('#') || indent < indent_min {
                return next;
            }
            next += line.len();
        }
    }

    /// Where the line of `at` begins, or the first of the comment lines right above it.
    pub fn above(self, at: usize) -> usize {
        let mut start = self.line_start(at);
        while start > 0 {
            let line = self.line_start(start - 1);
            if !self.text[line..start].trim_start().starts_with('#') {
                break;
            }
            start = line;
        }
        start
    }

    /// Where the hyphen of the list item stands whose content begins at `at`; nothing where something else stands between them.
    pub fn hyphen(self, at: usize) -> Option<usize> {
        let (mut start, mut before) = (self.line_start(at), self.before(at));
        loop {
            let content = before.trim_end();
            if content.ends_with('-') {
                return Some(start + content.len() - 1);
            }
            if !content.is_empty() || start == 0 {
                return None;
            }
            // The content begins on a line of its own, below the hyphen's.
            let line = self.line_start(start - 1);
            let text = &self.text[line..start];
            before = text.find('#').map_or(text, |comment| &text[..comment]);
            start = line;
        }
    }

    /// Where the text of a block scalar ends, of which the parser says that it ends at `end`, which may be on a later line. Blank lines at its end
    /// belong to it only if they are `kept`.
    pub fn block_scalar_end(self, end: usize, kept: bool) -> usize {
        let end = if self.begins_line(end) { self.line_start(end) } else { end };
        // The last line break belongs to the scalar's last line.
        let content = &self.text[..end];
        if kept { end - line_break_at_end(content) } else { content.trim_end().len() }
    }
}

/// How many bytes the line break at the end of `text` has.
pub fn line_break_at_end(text: &str) -> usize {
    if text.ends_with("\r\n") { 2 } else { usize::from(text.ends_with('\n')) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_from_any_place_in_them() {
        let source = Source { text: "a: 1\r\n  b: 2\r\nc" };
        assert_eq!((source.line_start(9), source.next_line(9), source.column(8)), (6, 14, 2));
        assert_eq!((source.next_line(14), source.line_number(14), source.newline(14)), (15, 3, "\r\n"));
        assert!(source.begins_line(8) && !source.begins_line(9));
        assert_eq!(Source { text: "x" }.newline(1), "\n");
    }

    #[test]
    fn a_hyphen_is_found_above_its_item_too() {
        let text = "a:\n  - b\n  -  # text\n\n    c\n  - &x d\n  - - e\n";
        let source = Source { text };
        let hyphen = |item: &str| source.hyphen(text.find(item).unwrap());
        assert_eq!((hyphen("b"), hyphen("c\n"), hyphen("d"), hyphen("e\n")), (Some(5), Some(11), None, Some(41)));
    }

    #[test]
    fn comments_stay_with_what_they_follow_or_precede() {
        let text = "a:\n  - b\n    # of b\n  # of a\n# of c\nc: 1\n";
        let source = Source { text };
        assert_eq!(&text[source.below(7, 3)..], "  # of a\n# of c\nc: 1\n");
        assert_eq!(&text[source.below(7, 2)..], "# of c\nc: 1\n");
        assert_eq!(&text[source.above(text.find("c: 1").unwrap())..], "    # of b\n  # of a\n# of c\nc: 1\n");
    }
}
