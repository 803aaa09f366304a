//! Does the real hook-agent binary keep its side of the protocol, against an API server that behaves and one that does not?
//!
//! Each test has an embedded API server of its own and plays the coordinator by hand: it writes the group Lease.

mod attempts;
mod bed;
mod command_line;
mod ended;
mod frozen;
mod held;
mod hook;
mod identity;
mod keeper;
mod odd_leases;
mod on_real;
mod post;
mod postgres;
mod quiesce;
mod refusals;
mod release;
mod shipped;
mod silence;
mod unreachable;
mod volume;
mod waiting;
