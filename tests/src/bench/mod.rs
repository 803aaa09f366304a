//! What benchmarks measure with: samples and their percentiles, what the kernel says of a process, one table.

pub mod process;
pub mod samples;
pub mod table;
