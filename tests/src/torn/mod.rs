//! Does what was restored add up? Real `PostgreSQL` servers, an application that moves amounts between them, and disks that are
//! really cut at the moments when the simulated Velero cuts.
//!
//! A transfer is what distributed applications do: a commit at the payer, then a commit at the payee, each with the transfer's number.
//! What was paid and has not arrived is delivered after a restore. Whatever single moment the disks are from, the total is
//! then what it always was; when they are from several, an amount can have arrived that was never paid. No single server
//! can see that: each of them recovers, and its own books are in order.

mod application;
mod audit;
mod disks;
mod ledger;
mod night;
mod postgres;
mod sql;

pub use audit::Audit;
pub use ledger::Ledger;
pub use night::{How, Night};
pub use postgres::programs as postgres_programs;

use crate::programs::ProgramFailed;

/// Whether it can be played here: makes the first disk, in this folder, and takes it away again.
pub fn possible(folder: &std::path::Path) -> Result<(), TornError> {
    postgres_programs()?;
    let made =
        disks::Store::make(folder.join("tried")).and_then(|store| store.disk("tried", folder.join("disk")).map(drop));
    let _ = std::fs::remove_dir_all(folder);
    made
}

/// Why this cannot be played on this machine, or went wrong.
#[derive(Debug, thiserror::Error)]
pub enum TornError {
    /// Something is not there: a program, or the right to mount.
    #[error("{0}")]
    Absent(String),
    /// A program failed.
    #[error(transparent)]
    Program(#[from] ProgramFailed),
    /// The machine refused.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A server did not get ready, or its answer was not what was asked for.
    #[error("PostgreSQL in {folder}: {why}")]
    Server {
        /// Its data.
        folder: String,
        /// What is wrong.
        why: String,
    },
    /// The bed of the night.
    #[error("the night could not be played")]
    Bed(#[source] anyhow::Error),
}

/// A path as an argument.
fn text(path: &std::path::Path) -> &str {
    path.to_str().expect("the test bed's own paths are UTF-8")
}
