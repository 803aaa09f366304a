//! The product at work, without a cluster: one nightly backup in three layouts, told live, and a table at the end.
//!
//! Everything that decides is real: the coordinator and every hook are the product's own programs as child processes. What
//! surrounds them is simulated: the API server, Velero, the snapshots. See [`run`].

mod expected;
mod layout;
mod narrator;
mod night;
mod paper;
mod plan;
mod proof;
mod prose;
mod row;
mod run;
mod table;
mod workloads;

pub use expected::{Surprise, expected, surprises};
pub use layout::Layout;
pub use paper::{Paper, WIDTH_MAX};
pub use row::{OriginalRow, Row};
pub use run::{DemoError, run};
pub use workloads::{GROUPS, Group};
