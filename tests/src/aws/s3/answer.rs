//! Which part answers a request, and in which form does its answer go back?

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use jiff::Timestamp;

use super::operation::{self, Operation};
use super::refusal::Refusal;
use super::{Core, authorization, lock, on_bucket, on_object};
use crate::aws::loopback::{Answer, Cut};

/// What an operation comes to.
pub(super) type Done = Result<Response<Full<Bytes>>, Refusal>;

/// Answers one request.
pub(super) fn answer(core: &Core, request: &Request<Bytes>) -> Answer {
    let outage = *lock(&core.outage);
    let done = match outage {
        Some(outage) => Err(outage.refusal().ok_or(Cut)?),
        None => carry_out(core, request),
    };
    Ok(done.unwrap_or_else(|refusal| {
        let id = format!("{:016X}", lock(&core.records).len());
        with_status(document(refusal.body(request.uri().path(), &id)), refusal.status_and_code().0)
    }))
}

fn carry_out(core: &Core, request: &Request<Bytes>) -> Done {
    let (headers, query) = (request.headers(), request.uri().query().unwrap_or_default());
    authorization::check(headers, query, Timestamp::now())?;
    operation::check_headers(request.method(), headers)?;
    let operation = operation::parse(request.method(), request.uri().path(), query)?;
    let mut store = lock(&core.store);
    match operation {
        Operation::ListBuckets => Ok(on_bucket::list_all(&store)),
        Operation::OnBucket(bucket, what) => on_bucket::run(&mut store, &bucket, &what, request),
        Operation::OnObject(bucket, key, what) => on_object::run(&mut store, &bucket, &key, &what, request),
    }
}

/// An answer without a body.
pub(super) fn empty(status: u16) -> Response<Full<Bytes>> {
    with_status(Response::new(Full::default()), status)
}

/// An answer with a document.
pub(super) fn document(body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// The same answer with another status.
pub(super) fn with_status(mut response: Response<Full<Bytes>>, status: u16) -> Response<Full<Bytes>> {
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// Sets a header; a value that no header can carry came in as one, so there is none.
pub(super) fn set(response: &mut Response<Full<Bytes>>, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
        response.headers_mut().insert(name, value);
    }
}
