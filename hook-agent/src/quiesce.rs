//! What is held still before the cut. In this version nothing: the group's order and timing are the whole service.

use std::fmt;

/// A way to hold the workload still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quiesce {
    /// Nothing is frozen; the volumes are cut as a crash would leave them, but together.
    Nothing,
}

impl Quiesce {
    /// Holds still. With [`Quiesce::Nothing`] there is nothing that could fail.
    pub fn begin(self) -> Held {
        match self {
            Self::Nothing => Held { what: "nothing to freeze" },
        }
    }
}

/// What is held still now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    what: &'static str,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}
