//! In which ways a pod is held still, and how it came to be let go: the words that a member Lease carries about both.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::admission::words;

words! {
    /// A way to hold a workload still.
    QuiesceKind {
        /// What was written is on the disk; nothing is held afterwards.
        Sync = "sync",
        /// A program of the user's begins the hold, another one ends it.
        Exec = "exec",
        /// A child process (a database session) holds as long as it lives.
        Session = "session",
        /// The file system takes no writes (FIFREEZE).
        Fsfreeze = "fsfreeze",
    }
}

words! {
    /// How a hold ended, as far as whoever ended it can prove.
    LetGo {
        /// Unbroken until its post hook asked to let go: `thawed-at` is when that began.
        Asked = "asked",
        /// Unbroken until the coordinator said that all that the pod was held for is cut: `thawed-at` is when that began. Readers from before this
        /// word find `asked` in the Lease.
        Cut = "cut",
        /// By itself, at its own limit, on a signal, or because what held it ended: `thawed-at` is when, or before.
        ByItself = "by-itself",
        /// Everything is let go, but nobody can say until when it was held (the keeper was killed, a session was lost).
        Unproven = "unproven",
        /// The post hook found nothing that was held in this pod.
        NothingFound = "nothing-found",
    }
}

impl QuiesceKind {
    /// Whether there is something to let go afterwards, and so somebody who must still be there to do it.
    pub const fn holds(self) -> bool {
        !matches!(self, Self::Sync)
    }
}

/// The ways that one pod combines, without their order. Empty: nothing is held, the group's order and timing are the service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuiesceKinds(pub BTreeSet<QuiesceKind>);

/// A word that names no way to hold still.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no way to hold still: they are sync, exec, session, fsfreeze")]
pub struct NotAKind(pub String);

impl QuiesceKinds {
    /// Whether somebody must be there until the end to hold it.
    pub fn hold(&self) -> bool {
        self.0.iter().any(|kind| kind.holds())
    }
}

impl FromIterator<QuiesceKind> for QuiesceKinds {
    fn from_iter<I: IntoIterator<Item = QuiesceKind>>(kinds: I) -> Self {
        Self(kinds.into_iter().collect())
    }
}

impl fmt::Display for QuiesceKinds {
    /// Words with commas between, as [`FromStr`] reads them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.0.iter().map(|kind| kind.as_str()).collect();
        f.write_str(&words.join(","))
    }
}

impl FromStr for QuiesceKinds {
    type Err = NotAKind;

    fn from_str(text: &str) -> Result<Self, NotAKind> {
        let word = |word: &str| QuiesceKind::parse(word).ok_or_else(|| NotAKind(crate::identity::shorten(word)));
        text.split(',').filter(|word| !word.is_empty()).map(word).collect::<Result<BTreeSet<_>, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_back_and_nonsense_is_named() {
        let all: QuiesceKinds = QuiesceKind::ALL.iter().copied().collect();
        assert_eq!(all.to_string().parse(), Ok(all.clone()));
        assert_eq!("".parse(), Ok(QuiesceKinds::default()));
        assert_eq!("exec,freeze".parse::<QuiesceKinds>(), Err(NotAKind("freeze".to_owned())));
        assert!(all.hold() && !"sync".parse::<QuiesceKinds>().unwrap().hold());
    }
}
