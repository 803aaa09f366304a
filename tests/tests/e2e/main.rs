//! Both programs under a real Velero server: do receipts and states agree with what really happened?
//!
//! Each test has a machine of its own (`testbed::isolated`) with a cluster of its own; `make e2e` runs them all.

mod barrier;
mod chain;
mod definitions;
mod disks;
mod frozen;
mod hooks;
mod installed;
mod lead;
mod native;
mod original;
mod pile_up;
mod plain;
mod pods;
mod restarts;
mod restore;
mod run;
mod schedules;
mod several;
mod surroundings;
mod throttled_night;
mod velero_itself;
