//! The way of one request through the server: who, what, which fault, which verb, which answer.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response, StatusCode};

use super::core::Core;
use super::discovery;
use super::faults::{Effect, FaultId};
use super::form::Form;
use super::request::{self, ResourceRequest, Route};
use super::selector::Selection;
use super::status::ApiError;
use super::store::Key;
use super::verbs::{self, Call, Feed, Reply};

/// Largest request body; the real server's limit (`MaxRequestBodyBytes`, 3 MiB).
const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;

/// A response body: whole, or a stream that may break off.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("a fault cut the connection")]
pub struct Cut;

/// Answers a request.
pub async fn answer(core: Arc<Core>, url: Arc<str>, http: Request<Incoming>) -> Result<Response<Body>, Cut> {
    let (parts, body) = http.into_parts();
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or_default();
    if discovery::is_health(path) {
        return Ok(respond(200, "text/plain", Bytes::from_static(b"ok")));
    }
    let user = core.users.authenticate(header(&parts.headers, &AUTHORIZATION));
    let route = request::parse(parts.method.as_str(), path, query, |group| core.serves(group));
    let request = match (route, &user) {
        (Route::Plain(path), Some(_) | None) if path == "/version" => return Ok(plain(&core, &url, &path)),
        (Route::Plain(_), None) => return Ok(refuse(&ApiError::unauthorized())),
        (Route::Plain(path), Some(_)) => return Ok(plain(&core, &url, &path)),
        (Route::Resource(request), _) => request,
    };
    let target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let exchange =
        Exchange { core: &core, request: &request, user: user.as_deref().unwrap_or_default(), headers: &parts.headers };
    let answer = if user.is_none() { Ok(refuse(&ApiError::unauthorized())) } else { exchange.run(body).await };
    core.log.note(&request, &target, exchange.user, answer.as_ref().map_or(0, |r| r.status().as_u16()));
    answer
}

struct Exchange<'a> {
    core: &'a Arc<Core>,
    request: &'a ResourceRequest,
    user: &'a str,
    headers: &'a HeaderMap,
}

impl Exchange<'_> {
    async fn run(&self, body: Incoming) -> Result<Response<Body>, Cut> {
        let (delay, struck) = self.core.faults.on_request(self.request, &self.fault_key(), self.user);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if let Some(answer) = self.instead(struck.as_ref()).await? {
            return Ok(answer);
        }
        let effect = struck.map(|(_, effect)| effect);
        let answer = match self.carry_out(body, effect.as_ref()).await {
            Ok(Reply::Object { code, body }) if effect == Some(Effect::CutAnswer) => half(code, &body),
            Ok(Reply::Object { code, body }) => respond(code, "application/json", body),
            Ok(Reply::Watch(feed)) => self.stream(*feed, effect == Some(Effect::CutAnswer)),
            Err(refusal) => refuse(&refusal),
        };
        if effect == Some(Effect::LoseAnswer) { Err(Cut) } else { Ok(answer) }
    }

    /// Where faults look for the request's object: a list or watch by `metadata.name` counts as one of that name.
    fn fault_key(&self) -> Key {
        let mut key = self.request.key();
        if key.name.is_empty()
            && let Ok(selection) = Selection::of(self.request)
        {
            key.name = selection.scope.name.unwrap_or_default();
            key.namespace = selection.scope.namespace.unwrap_or_default();
        }
        key
    }

    /// The answer of a fault that keeps the request from being carried out.
    async fn instead(&self, struck: Option<&(FaultId, Effect)>) -> Result<Option<Response<Body>>, Cut> {
        match struck {
            Some((_, Effect::Refuse { code, retry_after_s })) => Ok(Some(refuse(&refusal(*code, *retry_after_s)))),
            Some((_, Effect::Garbage)) => {
                Ok(Some(respond(200, "application/json", Bytes::from_static(b"<html>\xff\x00 not json"))))
            }
            Some((id, Effect::Silence)) => {
                self.core.faults.gone(*id).await;
                Err(Cut)
            }
            _ => Ok(None),
        }
    }

    async fn carry_out(&self, body: Incoming, effect: Option<&Effect>) -> Result<Reply, ApiError> {
        let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
            Ok(collected) => collected.to_bytes(),
            Err(e) if e.downcast_ref::<LengthLimitError>().is_some() => {
                return Err(ApiError::new(413, "RequestEntityTooLarge", format!("limit is {BODY_BYTES_MAX}")));
            }
            Err(e) => return Err(ApiError::bad_request(format!("the request's body broke off: {e}"))),
        };
        let call = Call {
            core: self.core,
            request: self.request,
            agent: header(self.headers, &USER_AGENT).unwrap_or_default(),
            content_type: header(self.headers, &CONTENT_TYPE).unwrap_or_default(),
            body: &body,
            form: Form::of(header(self.headers, &ACCEPT), self.request.verb)?,
            stale_by: if let Some(Effect::StaleList { behind }) = effect { *behind } else { 0 },
        };
        verbs::run(&call)
    }

    fn stream(&self, feed: Feed, cut: bool) -> Response<Body> {
        let source = Faulty {
            core: Arc::clone(self.core),
            request: self.request.clone(),
            user: self.user.to_owned(),
            feed,
            cut,
            over: false,
        };
        let lines = stream::unfold(source, |mut source| async move {
            source.next().await.map(|chunk| (chunk.map(Frame::data), source))
        });
        let mut response = Response::new(BodyExt::boxed_unsync(StreamBody::new(lines)));
        response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
        response
    }
}

/// A watch with what goes wrong in it.
struct Faulty {
    core: Arc<Core>,
    request: ResourceRequest,
    user: String,
    feed: Feed,
    cut: bool,
    over: bool,
}

impl Faulty {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if self.over {
            return Some(Err(break_off().await));
        }
        let Self { core, request, user, feed, .. } = self;
        let chunk = feed.next(&|key| core.faults.on_event(request, key, user)).await?;
        if self.cut {
            self.over = true;
            return Some(Ok(chunk.slice(..chunk.len() / 2)));
        }
        Some(Ok(chunk))
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

fn plain(core: &Core, url: &str, path: &str) -> Response<Body> {
    match discovery::answer(path, url, |group| core.serves(group)) {
        Some(body) => respond(200, "application/json", body.to_string().into()),
        // Inside a group that is served the answer is a Status; outside it is the text of Go's router.
        None if discovery::is_in_group(path, |group| core.serves(group)) => refuse(&ApiError::no_such_path()),
        None => respond(404, "text/plain; charset=utf-8", Bytes::from_static(b"404 page not found\n")),
    }
}

/// The words of the real server for a status that a fault asks for.
fn refusal(code: u16, retry_after_s: Option<u32>) -> ApiError {
    let (reason, message) = match code {
        401 => ("Unauthorized", "Unauthorized"),
        403 => ("Forbidden", "forbidden: the test bed refuses this request"),
        404 => ("NotFound", "the server could not find the requested resource"),
        409 => (
            "Conflict",
            "Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest version and try again",
        ),
        410 => ("Expired", "The resourceVersion for the provided list is too old."),
        429 => ("TooManyRequests", "The apiserver is receiving too many requests, please try again later."),
        503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
        504 => ("Timeout", "the request did not complete within the allotted timeout"),
        _ => ("InternalError", "Internal error occurred: the test bed refuses this request"),
    };
    let mut error = ApiError::new(code, reason, message);
    error.retry_after_s = retry_after_s;
    error
}

fn refuse(error: &ApiError) -> Response<Body> {
    let mut response = respond(error.code, "application/json", error.body().to_string().into());
    if let Some(seconds) = error.retry_after_s {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

fn respond(code: u16, content_type: &'static str, body: Bytes) -> Response<Body> {
    let never = |e: Infallible| match e {};
    let mut response = Response::new(Full::new(body).map_err(never).boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    response
}

/// Half of an answer, then the end of the connection.
fn half(code: u16, body: &Bytes) -> Response<Body> {
    let half = body.slice(..body.len() / 2);
    let chunks = stream::once(async { Ok(Frame::data(half)) }).chain(stream::once(async { Err(break_off().await) }));
    let mut response = Response::new(BodyExt::boxed_unsync(StreamBody::new(chunks)));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// The error that makes hyper cut the connection. It comes one poll late: hyper sends what it has when a body has nothing more for the moment,
/// and drops it when the body fails at once.
async fn break_off() -> io::Error {
    tokio::task::yield_now().await;
    io::Error::other(Cut)
}
