//! A model of the whole protocol: an API server, coordinators and hooks whose every message can be delayed, lost or
//! reordered against the others. It shares no code with the engine but the contract.

pub mod api;
pub mod coordinator;
pub mod hooks;
pub mod world;
