//! How an attempt got past the gate, and what the coordinator says about each attempt.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Reads and writes an enum as one of its kebab-case words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word that stands for it in Leases, logs and metrics.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Reads the word.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// How a member got past the gate. Only `released` was counted against the budget before the quiesce.
    Admission {
        /// The coordinator admitted the attempt under a grant.
        Released = "released",
        /// The agent's own deadline passed while it waited; it went on by itself.
        OverBudget = "over-budget",
        /// Neither the API server nor the coordinator answered in time; it went on by itself.
        Unreachable = "unreachable",
    }
}

words! {
    /// What the coordinator says in the group Lease about one attempt. The order is that of strength: a later word is never
    /// taken back for an earlier one.
    AttemptVerdict {
        /// Seen, and waiting for its turn.
        Waiting = "waiting",
        /// May quiesce and go.
        Admitted = "admitted",
        /// A later run of the hook in the same pod took its place: follow that one.
        Superseded = "superseded",
        /// Its post hook already ran, or it withdrew, or its group was held for as long as it may be: nothing is to be quiesced any more, and who
        /// still holds lets go.
        Ended = "ended",
    }
}

words! {
    /// Where a group's round stands.
    RoundPhase {
        /// At least one member waits; nothing is admitted.
        Waiting = "waiting",
        /// Lead mode: the grant is held, and the residents of the called pods hold still now; nobody's hook goes on yet. Readers from before this
        /// word find `waiting` in the Lease, and do what it says (see [`crate::group_lease::Call`]).
        Calling = "calling",
        /// The grant is held and the listed attempts are admitted.
        Released = "released",
        /// The round is over (or there was none yet).
        Closed = "closed",
    }
}

words! {
    /// How a round releases its members.
    Mode {
        /// The first arrival asks for the whole group's budget; each member goes on as it arrives.
        ArriveAndGo = "arrive-and-go",
        /// Nobody goes before every expected live member waits.
        Barrier = "barrier",
        /// The first arrival asks for the whole group; then every member's resident holds still at once, and hooks go on when all do.
        Lead = "lead",
    }
}

words! {
    /// Where one attempt stands, as its own agent wrote it.
    MemberPhase {
        /// Registered, and waits for admission.
        Waiting = "waiting",
        /// Holds still; its volumes may be cut.
        Quiesced = "quiesced",
        /// Let go after the cut (the post hook ran).
        Done = "done",
        /// Could not quiesce, or gave up at its deadline.
        Failed = "failed",
        /// Was told to stop while it waited.
        Withdrawn = "withdrawn",
    }
}

impl MemberPhase {
    /// Whether this attempt will change no more.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Withdrawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for phase in MemberPhase::ALL {
            assert_eq!(MemberPhase::parse(phase.as_str()), Some(*phase));
            assert_eq!(serde_json::to_string(phase).unwrap(), format!("\"{phase}\""));
        }
        assert_eq!((Mode::parse("lead"), Mode::parse("lead ")), (Some(Mode::Lead), None));
    }
}
