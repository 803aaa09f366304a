//! How do the receipts look side by side with what the original does?

use std::io::Write;
use std::time::Duration;

use shared::verdict::Verdict;

use super::layout::Layout;
use super::narrator::ink_of;
use super::paper::{Ink, Paper, length};
use super::prose;
use super::row::Row;

/// What stands over the two halves.
const OVER: &str = "                      this product, measured                          the original, by its rules";

/// What stands over the columns.
const HEAD: &str = "group        pods     wait     skew     held  verdict                wait     skew  verdict";

/// Writes the table.
pub fn write(rows: &[Row], paper: &mut Paper<impl Write>) {
    paper.coloured(Ink::Dim, OVER);
    paper.coloured(Ink::Bold, HEAD);
    for layout in Layout::ALL {
        let of_layout: Vec<&Row> = rows.iter().filter(|row| row.layout == layout).collect();
        if of_layout.is_empty() {
            continue;
        }
        paper.coloured(Ink::Dim, &format!("{} ({})", layout.short(), prose::factor(layout)));
        for row in of_layout {
            let line = line(row, paper);
            paper.line(&line);
            if let Some(why) = why(row) {
                paper.coloured(Ink::Dim, &format!("             {why}"));
            }
        }
    }
}

/// Why the verdict is no better. That of the best is its meaning, which stands below the table.
fn why(row: &Row) -> Option<String> {
    match &row.receipt {
        None => Some("there is no receipt".to_owned()),
        Some(receipt) if receipt.verdict == Verdict::GroupConsistent => None,
        Some(receipt) => Some(receipt.why.to_string()),
    }
}

fn line(row: &Row, paper: &Paper<impl Write>) -> String {
    let verdict = row.receipt.as_ref().map_or("none", |receipt| receipt.verdict.as_str());
    let original = row.original;
    format!(
        "{:<12} {:>4} {:>8} {:>8} {:>8}  {} {:>8} {:>8}  {}",
        row.group.label(),
        row.group.pods,
        time(row.wait()),
        time(row.skew()),
        time(row.held()),
        paper.paint(ink_of(verdict), &format!("{verdict:<18}")),
        length(original.wait),
        rough(original.skew),
        paper.paint(Ink::Bad, original.consistency.as_str()),
    )
}

fn time(known: Option<Duration>) -> String {
    known.map_or_else(|| "?".to_owned(), length)
}

/// The original's times are whole seconds.
fn rough(time: Duration) -> String {
    if time < Duration::from_secs(10) { format!("{}s", time.as_secs()) } else { length(time) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::paper::WIDTH_MAX;
    use crate::demo::row::tests::row;
    use crate::demo::workloads::GROUPS;

    #[test]
    fn a_table_is_aligned_and_fits() {
        let mut out = Vec::new();
        let mut paper = Paper::new(&mut out, false);
        let rows = [
            row(Layout::EachPodAlone, GROUPS[1], Verdict::MemberConsistent),
            row(Layout::OrderedBlock, GROUPS[3], Verdict::GroupConsistent),
        ];
        write(&rows, &mut paper);
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH_MAX), "{text}");
        let line = |group: &str| text.lines().find(|line| line.starts_with(group)).unwrap().to_owned();
        let verdict = HEAD.find("verdict").unwrap();
        assert_eq!(line("search/index").find("member-consistent"), Some(verdict), "{text}");
        assert_eq!(line("wiki/pages").find("group-consistent"), Some(verdict), "{text}");
        assert_eq!(line("search/index").find("crash-consistent"), HEAD.rfind("verdict"), "{text}");
        assert!(line("search/index").contains("3.2 h"), "{text}");
    }
}
