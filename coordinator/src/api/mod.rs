//! How the API server is reached: which one, with which client, and what its refusals mean.

mod client;
mod config;
mod meter;
mod once;
mod request_line;
mod trouble;

#[cfg(test)]
pub use client::silent;
pub use client::{ClientError, client};
pub use config::{ConfigError, load};
pub use meter::{ANSWER_TIMEOUT_MS, Answer, Observer};
pub use once::{PAGE_OBJECTS, Uncounted, within};
pub use request_line::RequestLine;
pub use trouble::{Trouble, TroubleKind};
