//! What changed between two texts, as a unified diff.

use std::fmt::Write as _;
use std::ops::Range;

/// How many lines around a change are shown.
const CONTEXT: usize = 3;

/// The most cells of the table of common lines. What differs more than that is shown as taken out and put in as a whole.
const CELLS_MAX: usize = 16_000_000;

/// One line of the diff: where it is in the old text and in the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Both(usize, usize),
    Old(usize),
    New(usize),
}

/// Writes the diff of a file, nothing where both texts are the same.
pub fn write(out: &mut String, file: &str, old: &str, new: &str) {
    if old == new {
        return;
    }
    let (old, new) = (lines(old), lines(new));
    let all = compare(&old, &new);
    let _ = write!(out, "--- a/{file}\n+++ b/{file}\n");
    for hunk in hunks(&all) {
        write_hunk(out, &all[hunk], &old, &new);
    }
}

/// With their line breaks: a line that lost its carriage return is another line.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// Document by document, because each is small and none changes its place.
fn compare(old: &[&str], new: &[&str]) -> Vec<Line> {
    let (old_parts, new_parts) = (documents(old), documents(new));
    let mut all = Vec::with_capacity(new.len());
    for index in 0..old_parts.len().max(new_parts.len()) {
        let part = |parts: &[Range<usize>], end: usize| parts.get(index).cloned().unwrap_or(end..end);
        let (a, b) = (part(&old_parts, old.len()), part(&new_parts, new.len()));
        let (first_old, first_new) = (a.start, b.start);
        all.extend(trimmed(&old[a], &new[b]).into_iter().map(|line| moved(line, first_old, first_new)));
    }
    all
}

fn documents(lines: &[&str]) -> Vec<Range<usize>> {
    let mut starts: Vec<usize> = vec![0];
    starts.extend((1..lines.len()).filter(|line| lines[*line].trim_end() == "---"));
    let ends = starts.iter().skip(1).copied().chain([lines.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

const fn moved(line: Line, old: usize, new: usize) -> Line {
    match line {
        Line::Both(a, b) => Line::Both(a + old, b + new),
        Line::Old(a) => Line::Old(a + old),
        Line::New(b) => Line::New(b + new),
    }
}

/// What both begin and end with is the same; the rest is compared.
fn trimmed(old: &[&str], new: &[&str]) -> Vec<Line> {
    let start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let tail = old[start..].iter().rev().zip(new[start..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (old_end, new_end) = (old.len() - tail, new.len() - tail);
    let mut all: Vec<Line> = (0..start).map(|line| Line::Both(line, line)).collect();
    all.extend(between(&old[start..old_end], &new[start..new_end]).into_iter().map(|line| moved(line, start, start)));
    all.extend((0..tail).map(|line| Line::Both(old_end + line, new_end + line)));
    all
}

/// By the longest common subsequence.
fn between(old: &[&str], new: &[&str]) -> Vec<Line> {
    let (rows, columns) = (old.len(), new.len());
    let width = columns + 1;
    let replaced = || (0..rows).map(Line::Old).chain((0..columns).map(Line::New)).collect();
    if rows == 0 || columns == 0 || (rows + 1).saturating_mul(width) > CELLS_MAX {
        return replaced();
    }
    // common[i, j]: how many lines old[i..] and new[j..] have in common.
    let mut common = vec![0_u32; (rows + 1) * width];
    for i in (0..rows).rev() {
        for j in (0..columns).rev() {
            common[i * width + j] = if old[i] == new[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut all = Vec::with_capacity(rows + columns);
    while i < rows || j < columns {
        if i < rows && j < columns && old[i] == new[j] {
            all.push(Line::Both(i, j));
            (i, j) = (i + 1, j + 1);
        } else if j == columns || (i < rows && common[(i + 1) * width + j] >= common[i * width + j + 1]) {
            all.push(Line::Old(i));
            i += 1;
        } else {
            all.push(Line::New(j));
            j += 1;
        }
    }
    all
}

/// Changes with the lines around them; those that are near each other in one.
fn hunks(all: &[Line]) -> Vec<Range<usize>> {
    let mut hunks: Vec<Range<usize>> = Vec::new();
    for (index, _) in all.iter().enumerate().filter(|(_, line)| !matches!(line, Line::Both(..))) {
        let range = index.saturating_sub(CONTEXT)..(index + CONTEXT + 1).min(all.len());
        match hunks.last_mut() {
            Some(last) if range.start <= last.end => last.end = range.end,
            _ => hunks.push(range),
        }
    }
    hunks
}

fn write_hunk(out: &mut String, hunk: &[Line], old: &[&str], new: &[&str]) {
    let old_lines =
        || hunk.iter().filter_map(|line| if let Line::Both(a, _) | Line::Old(a) = line { Some(*a) } else { None });
    let new_lines =
        || hunk.iter().filter_map(|line| if let Line::Both(_, b) | Line::New(b) = line { Some(*b) } else { None });
    let range = |first: Option<usize>, count: usize| format!("{},{count}", first.map_or(0, |first| first + 1));
    let old_range = range(old_lines().next(), old_lines().count());
    let new_range = range(new_lines().next(), new_lines().count());
    let _ = writeln!(out, "@@ -{old_range} +{new_range} @@");
    for line in hunk {
        let (sign, text) = match line {
            Line::Both(a, _) => (' ', old[*a]),
            Line::Old(a) => ('-', old[*a]),
            Line::New(b) => ('+', new[*b]),
        };
        out.push(sign);
        out.push_str(text);
        if !text.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff(old: &str, new: &str) -> String {
        let mut out = String::new();
        write(&mut out, "f", old, new);
        out
    }

    #[test]
    fn changes_are_shown_with_what_is_around_them() {
        assert_eq!(diff("a\n", "a\n"), "");
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n";
        let new = "1\n2\n3\n4\nnew\n5\n6\n7\n8\n9\n10\n11\n";
        let expected =
            "--- a/f\n+++ b/f\n@@ -2,6 +2,7 @@\n 2\n 3\n 4\n+new\n 5\n 6\n 7\n@@ -9,4 +10,3 @@\n 9\n 10\n 11\n-12\n";
        assert_eq!(diff(old, new), expected);
        assert_eq!(
            diff("a", "a\nb"),
            "--- a/f\n+++ b/f\n@@ -1,1 +1,2 @@\n-a\n\\ No newline at end of file\n+a\n+b\n\\ No newline at end of file\n"
        );
        // Far more lines than a table of all of them would hold.
        let many = |put: &str| format!("---\na: 1\n{put}b: 1\n").repeat(5_000);
        assert_eq!(diff(&many(""), &many("new\n")).lines().filter(|line| line.starts_with('-')).count(), 1);
        assert_eq!(diff("a: 1\n", "a: 1\n---\nb: 1\n"), "--- a/f\n+++ b/f\n@@ -1,1 +1,3 @@\n a: 1\n+---\n+b: 1\n");
        assert_eq!(diff("", "a\n"), "--- a/f\n+++ b/f\n@@ -0,0 +1,1 @@\n+a\n");
    }
}
