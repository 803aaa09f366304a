//! With which versions of Velero and Kubernetes do both programs work? Statements, the tests that show them, and the table made of their outcomes.

mod outcome;
mod statement;
mod table;

pub use outcome::{Outcome, outcomes};
pub use statement::{STATEMENTS, Statement};
pub use table::{Row, page};

use std::fmt;
use std::str::FromStr;

/// A released version, `v1.18.3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    major: u16,
    minor: u16,
    patch: u16,
}

impl Release {
    /// Whether it is of this minor version or a later one.
    pub const fn at_least(self, major: u16, minor: u16) -> bool {
        self.major > major || self.major == major && self.minor >= minor
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { major, minor, patch } = self;
        write!(f, "v{major}.{minor}.{patch}")
    }
}

/// What is not a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a release: write it as v1.18.3")]
pub struct NotARelease(String);

impl FromStr for Release {
    type Err = NotARelease;

    fn from_str(text: &str) -> Result<Self, NotARelease> {
        let wrong = || NotARelease(text.to_owned());
        let numbers = text.strip_prefix('v').ok_or_else(wrong)?;
        let parts: Vec<u16> =
            numbers.split('.').map(|part| part.parse().map_err(|_| wrong())).collect::<Result<_, _>>()?;
        match parts[..] {
            [major, minor, patch] => Ok(Self { major, minor, patch }),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read_and_ordered_by_number() {
        let release = |text: &str| text.parse::<Release>();
        assert_eq!(release("v1.18.3").map(|found| found.to_string()), Ok("v1.18.3".to_owned()));
        assert!(release("v1.9.0").is_ok_and(|old| release("v1.10.0").is_ok_and(|new| old < new)));
        assert!(release("v1.15.2").is_ok_and(|found| found.at_least(1, 15) && !found.at_least(1, 16)));
        for wrong in ["1.18.3", "v1.18", "v1.18.3.1", "v1.18.x", ""] {
            assert_eq!(release(wrong), Err(NotARelease(wrong.to_owned())));
        }
    }
}
