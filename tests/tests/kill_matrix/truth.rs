//! What really happened? What the plans' own programs wrote down, held against the cuts.

use std::path::Path;

use testbed::velero::truth::{Consistency, TruthVerdict};

/// One member's programs' words, each with its moment, µs since 1970.
#[derive(Debug)]
pub struct Words(Vec<(String, i64)>);

impl Words {
    /// What is written so far.
    pub fn read(log: &Path) -> Self {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        // The last line may be half written.
        let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.split_once(' '));
        Self(lines.map(|(word, at)| (word.to_owned(), at.parse().expect("a number of µs"))).collect())
    }

    pub fn has(&self, word: &str) -> bool {
        self.0.iter().any(|(said, _)| said == word)
    }

    /// From the end of a freeze to the beginning of the next thaw.
    fn holds(&self) -> Vec<(i64, i64)> {
        self.spans("frozen", "thaws").map(|(from, to)| (from, to.unwrap_or(i64::MAX))).collect()
    }

    fn spans<'a>(&'a self, from: &'a str, to: &'a str) -> impl Iterator<Item = (i64, Option<i64>)> + 'a {
        self.0.iter().enumerate().filter(move |(_, (word, _))| word == from).map(move |(i, (_, at))| {
            let end = self.0[i..].iter().find(|(word, _)| word == to);
            (*at, end.map(|(_, end)| *end))
        })
    }

    /// The longest from the beginning of a freeze to the end of the thaw that followed, ms; an error where none followed.
    pub fn longest_held_ms(&self) -> Result<i64, String> {
        let mut longest = 0;
        for (from, to) in self.spans("freezes", "thawed") {
            let to = to.ok_or_else(|| format!("it is still held: {:?}", self.0))?;
            longest = longest.max((to - from) / 1_000);
        }
        Ok(longest)
    }
}

/// How consistent the cuts were: each member's words with its cut, µs since 1970.
pub fn of(members: &[(Words, i64)]) -> TruthVerdict {
    let (first, last) = (members.iter().map(|m| m.1).min(), members.iter().map(|m| m.1).max());
    let (Some(first), Some(last)) = (first, last) else {
        return TruthVerdict { consistency: Consistency::NotCut, reasons: vec![] };
    };
    let covers = |words: &Words, from: i64, to: i64| words.holds().iter().any(|hold| hold.0 <= from && to <= hold.1);
    let consistency = if members.iter().all(|(words, _)| covers(words, first, last)) {
        Consistency::GroupConsistent
    } else if members.iter().all(|(words, cut)| covers(words, *cut, *cut)) {
        Consistency::MemberConsistent
    } else {
        Consistency::CrashConsistent
    };
    TruthVerdict { consistency, reasons: vec![] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(said: &[(&str, i64)]) -> Words {
        Words(said.iter().map(|(word, at)| ((*word).to_owned(), *at)).collect())
    }

    fn held(from: i64, to: i64) -> Words {
        words(&[("freezes", from - 1), ("frozen", from), ("thaws", to), ("thawed", to + 1)])
    }

    #[test]
    fn the_truth_is_what_the_programs_wrote() {
        for (second, consistency) in [
            ((held(20, 90), 60), Consistency::GroupConsistent),
            ((held(55, 90), 60), Consistency::MemberConsistent),
            ((held(20, 59), 60), Consistency::CrashConsistent),
            ((words(&[("freezes", 10)]), 60), Consistency::CrashConsistent),
        ] {
            assert_eq!(of(&[(held(10, 80), 50), second]).consistency, consistency);
        }
        assert_eq!(of(&[]).consistency, Consistency::NotCut);
        assert_eq!(held(1_000_000, 3_000_000).longest_held_ms(), Ok(2_000));
        // Thawed once, and frozen again: that one is held still.
        let again = words(&[("freezes", 1), ("thaws", 2), ("thawed", 3), ("freezes", 4), ("frozen", 5)]);
        assert!(again.longest_held_ms().is_err());
    }
}
