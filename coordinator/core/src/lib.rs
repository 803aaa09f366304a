//! The coordinator's decisions. Nothing in here can see a cluster, a clock, the environment or a random number.
//!
//! [`step::step`] takes the state, one event and `now`, and gives the commands that follow. The shell turns each command
//! into one API call and the call's result into an event. Events only update the state; one function then decides from the
//! whole state, so a coordinator that starts anew comes to the same decisions from what the API server holds.

pub mod admission;
pub mod annotations;
pub mod by_key;
mod collect;
pub mod command;
pub mod coverage;
pub mod doctor;
mod earlier;
pub mod election;
pub mod event;
#[cfg(test)]
pub(crate) mod fixtures;
mod grants;
mod group_write;
pub mod grouping;
mod hold;
pub mod inventory;
pub mod judge;
mod labels;
mod lead;
mod left_receipts;
mod limit;
pub mod mode;
pub mod neighbours;
pub mod notice;
pub mod objects;
pub mod on_backup;
pub mod overview;
mod passed_by;
mod pod;
pub mod policy;
pub mod reason;
mod receipt;
pub mod report;
mod rest;
mod retry;
mod round;
mod rounds;
pub mod schedule;
pub mod schedule_apply;
pub mod schedule_check;
pub mod settings;
mod sharing;
pub mod stall;
mod standing;
mod state;
pub mod step;
mod stored;
pub mod throttle;
pub mod time;
pub mod uid;
pub mod velero_schedule;
pub mod verify;
pub mod world;
mod written;
