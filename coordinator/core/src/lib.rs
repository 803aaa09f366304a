//! The coordinator's decisions.
