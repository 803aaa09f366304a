//! One file a verb: what a request reads or writes, and what it answers.

mod create;
mod delete;
mod incoming;
mod list;
mod patch;
mod settle;
mod stamp;
mod update;
mod watch;

use bytes::Bytes;
use serde_json::Value;

use super::core::Core;
use super::form::Form;
use super::kinds::{self, Kind, Origin};
use super::request::{ResourceRequest, Verb};
use super::status::ApiError;
use super::store::Written;

pub use create::begin;
pub use delete::{Options as DeleteOptions, remove};
pub use settle::outcome;
pub use stamp::random_uid;
pub use watch::Feed;

/// One request, with what the verbs need of it.
#[derive(Debug)]
pub struct Call<'a> {
    /// The server.
    pub core: &'a Core,
    /// What is asked for.
    pub request: &'a ResourceRequest,
    /// User-Agent header; names the field manager when the query does not.
    pub agent: &'a str,
    /// Content-Type header.
    pub content_type: &'a str,
    /// Request body.
    pub body: &'a [u8],
    /// As what the answer is wanted.
    pub form: Form,
    /// A list shows the state of so many revisions ago (a fault).
    pub stale_by: u64,
}

impl Call<'_> {
    fn kind(&self) -> &'static Kind {
        kinds::kind(self.request.kind)
    }

    fn is_dry_run(&self) -> bool {
        self.request.query.get("dryRun") == Some("All")
    }
}

/// The answer to a request.
pub enum Reply {
    /// A body at once.
    Object {
        /// 200 or 201.
        code: u16,
        /// JSON.
        body: Bytes,
    },
    /// A stream of lines until the feed ends.
    Watch(Box<Feed>),
}

impl Reply {
    fn ok(body: impl Into<Bytes>) -> Self {
        Self::Object { code: 200, body: body.into() }
    }

    fn json(body: &Value) -> Self {
        Self::ok(body.to_string())
    }

    fn written(call: &Call<'_>, code: u16, written: &Written) -> Self {
        Self::Object { code, body: written.object.rendered(call.form) }
    }
}

/// Subresources that the real server has and this one does not.
const KNOWN_SUBRESOURCES: &[&str] = &[
    "approval",
    "attach",
    "binding",
    "ephemeralcontainers",
    "eviction",
    "exec",
    "finalize",
    "log",
    "portforward",
    "proxy",
    "resize",
    "scale",
    "token",
];

/// Carries out a request.
pub fn run(call: &Call<'_>) -> Result<Reply, ApiError> {
    let request = call.request;
    match request.subresource.as_str() {
        "" => {}
        "status" if call.kind().status => {}
        other if KNOWN_SUBRESOURCES.contains(&other) => {
            return Err(ApiError::not_implemented(&format!("subresource {}/{other}", call.kind().plural)));
        }
        // The handler of custom kinds looks no closer than this.
        _ if call.kind().origin == Origin::Custom => return Err(ApiError::not_found(call.kind(), &request.name)),
        _ => return Err(ApiError::no_such_path()),
    }
    if !request.subresource.is_empty() && !matches!(request.verb, Verb::Get | Verb::Update | Verb::Patch) {
        return Err(method_not_allowed());
    }
    match request.verb {
        Verb::Get => list::get(call),
        Verb::List => list::list(call),
        Verb::Watch => watch::start(call),
        Verb::Create => create::create(call),
        Verb::Update => update::update(call),
        Verb::Patch => patch::patch(call),
        Verb::Delete => delete::delete(call),
        Verb::DeleteCollection => delete::delete_collection(call),
        Verb::Unknown => Err(method_not_allowed()),
    }
}

fn method_not_allowed() -> ApiError {
    let mut error =
        ApiError::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource");
    error.details = Some(serde_json::json!({}));
    error
}
