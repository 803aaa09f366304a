//! What is served over HTTP: `/livez`, `/readyz`, `/metrics`. Nothing secret, nothing that changes anything.

mod routes;
mod serve;

pub use routes::Sources;
pub use serve::{ListenError, Listener};
