//! Does the real hook-agent binary keep its side of the protocol, against an API server that behaves and one that does not?
//!
//! Each test has an embedded API server of its own and plays the coordinator by hand: it writes the group Lease.

mod attempts;
mod bed;
mod command_line;
mod cut;
mod database;
mod ended;
mod frozen;
mod held;
mod hook;
mod identity;
mod keeper;
mod lead;
mod mariadb;
mod odd_leases;
mod on_real;
mod post;
mod postgres;
mod quiesce;
mod recipe;
mod redis;
mod refusals;
mod release;
mod rings;
mod shipped;
mod silence;
mod unreachable;
mod volume;
mod waiting;
mod wall_clock;
