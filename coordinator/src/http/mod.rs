//! What is served over HTTP: the status page, `/status.json`, `/livez`, `/readyz`, `/metrics`. Nothing secret, nothing that changes anything.

mod headers;
mod routes;
mod serve;
mod status;

pub use routes::Sources;
pub use serve::{ListenError, Listener};
pub use status::PageSources;
