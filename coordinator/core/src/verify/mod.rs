//! Does a receipt claim what its own facts prove? A second implementation beside [`crate::judge`] that shares no code with it.
//!
//! It sees the receipt alone, as it is read back months later: what its members wrote, when their volumes were cut, and how far the
//! clocks may be apart. Where one of these is missing it says what can still be said, and that the rest cannot be checked.

mod claims;
pub mod finding;
mod proof;
mod skew;

use shared::receipt::Receipt;

pub use finding::{Finding, Missing};
pub use proof::Proof;

/// What came out for one receipt, the gravest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It claims what its facts prove.
    Agrees,
    /// It claims less than its facts prove.
    ClaimsLess,
    /// Facts are missing; what is there does not contradict it.
    Unchecked,
    /// It claims more than its facts prove. Trust none of it.
    ClaimsMore,
}

impl Outcome {
    /// For programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agrees => "agrees",
            Self::ClaimsLess => "claims-less",
            Self::Unchecked => "unchecked",
            Self::ClaimsMore => "claims-more",
        }
    }
}

/// A receipt held against its facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What its facts prove.
    pub proof: Proof,
    /// What is wrong with it, or cannot be checked; empty when it agrees.
    pub findings: Vec<Finding>,
}

impl Check {
    /// The gravest of its findings.
    pub fn outcome(&self) -> Outcome {
        self.findings.iter().map(Finding::outcome).max().unwrap_or(Outcome::Agrees)
    }
}

/// Holds a receipt against its own facts.
pub fn verify(receipt: &Receipt) -> Check {
    let proof = proof::of(receipt);
    let mut findings = claims::verdict(receipt, proof);
    findings.extend(claims::reason(receipt));
    findings.extend(skew::cuts(receipt));
    findings.extend(skew::quiesces(receipt));
    Check { proof, findings }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
