//! hook-agent
fn main() {}
