//! What became of each test, by the lines that the test binary prints.

use std::collections::BTreeMap;

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It held.
    Passed,
    /// It did not.
    Failed,
}

/// Reads `test NAME ... ok` and `test NAME ... FAILED`; every other line says nothing. A test that is not among them did not run to its end.
pub fn outcomes(output: &str) -> BTreeMap<String, Outcome> {
    let of_line = |line: &str| {
        let (name, ended) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
        let outcome = match ended.split_whitespace().next()? {
            "ok" => Outcome::Passed,
            "FAILED" => Outcome::Failed,
            _ => return None,
        };
        Some((name.to_owned(), outcome))
    };
    output.lines().filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_test_binary_are_read() {
        let output = "running 3 tests\ntest plain::a ... ok\ntest plain::b ... FAILED\nnoise ... ok\ntest plain::c ... ignored\n";
        let read = outcomes(output);
        assert_eq!(read.get("plain::a"), Some(&Outcome::Passed));
        assert_eq!(read.get("plain::b"), Some(&Outcome::Failed));
        assert_eq!(read.len(), 2, "{read:?}");
    }
}
