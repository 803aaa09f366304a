//! Patches that are not server-side apply: what do they make of an object?

pub mod json_patch;
pub mod merge;
pub mod strategic;
