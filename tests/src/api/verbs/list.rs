//! GET: one object, or a collection in pages.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::{Call, Reply};
use crate::api::form::Form;
use crate::api::kinds::Origin;
use crate::api::selector::Selection;
use crate::api::status::{ApiError, Violation};
use crate::api::store::{Key, Revision, Scope, Stored};

/// Answers with one object.
pub fn get(call: &Call<'_>) -> Result<Reply, ApiError> {
    let kind = call.kind();
    let newest = call.core.store.revision();
    not_from_the_future(call, newest)?;
    let found = call.core.store.get(call.request.kind, &call.request.key());
    let found = found.ok_or_else(|| ApiError::not_found(kind, &call.request.name))?;
    Ok(Reply::ok(found.rendered(call.form)))
}

/// Answers with a collection, or a page of it.
pub fn list(call: &Call<'_>) -> Result<Reply, ApiError> {
    let query = &call.request.query;
    let selection = Selection::of(call.request)?;
    let limit = number(query.get("limit"))?;
    let page = query.get("continue").map(Page::parse).transpose()?;
    let exact = exact_revision(call, page.is_some())?;
    let (objects, newest) = call.core.store.list(call.request.kind, &selection.scope);
    not_from_the_future(call, newest)?;
    let stale = (call.stale_by > 0).then(|| newest.saturating_sub(call.stale_by));
    let then = page.as_ref().map(|p| p.revision).or(exact).or(stale);
    let objects = match then {
        Some(revision) => at(call, &selection.scope, revision, page.is_some())?,
        None => objects,
    };
    // They come in the order of their keys, so a page of 100,000 objects is found without looking at them all.
    let from = page.as_ref().map_or(0, |page| objects.partition_point(|o| Key::of(&o.value) <= page.last));
    let mut chosen: Vec<Arc<Stored>> = objects.into_iter().skip(from).filter(|o| selection.chooses(&o.value)).collect();
    let revision = then.unwrap_or(newest);
    if limit == 0 || chosen.len() <= limit {
        return Ok(Reply::ok(render(call, &chosen, revision, None)));
    }
    let remaining = chosen.len() - limit;
    chosen.truncate(limit);
    let token = chosen.last().map(|last| Page { revision, last: Key::of(&last.value) }.to_string()).unwrap_or_default();
    // Behind a selector the real server does not know how many there are.
    let remaining = (!selection.selects()).then_some(remaining);
    Ok(Reply::ok(render(call, &chosen, revision, Some((&token, remaining)))))
}

fn number(text: Option<&str>) -> Result<usize, ApiError> {
    let Some(text) = text else { return Ok(0) };
    text.parse().map_err(|_| ApiError::bad_request(format!("strconv.ParseInt: parsing \"{text}\": invalid syntax")))
}

/// The objects as of a revision.
fn at(call: &Call<'_>, scope: &Scope, revision: Revision, paging: bool) -> Result<Vec<Arc<Stored>>, ApiError> {
    let forgotten = || {
        ApiError::expired(if paging {
            "The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter."
        } else {
            "The resourceVersion for the provided list is too old."
        })
    };
    call.core.store.list_at(call.request.kind, scope, revision).ok_or_else(forgotten)
}

/// The revision that `resourceVersionMatch=Exact` asks for.
fn exact_revision(call: &Call<'_>, paging: bool) -> Result<Option<Revision>, ApiError> {
    let query = &call.request.query;
    let invalid =
        |why: &str| ApiError::invalid_options("ListOptions", &Violation::forbidden("resourceVersionMatch", why));
    let version = query.get("resourceVersion");
    match query.get("resourceVersionMatch") {
        Some(_) if paging => Err(invalid("resourceVersionMatch is forbidden when continue is provided")),
        Some(_) if version.is_none() => {
            Err(invalid("resourceVersionMatch is forbidden unless resourceVersion is provided"))
        }
        Some("Exact") if version == Some("0") => {
            Err(invalid("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""))
        }
        Some("Exact") => asked_revision(call),
        _ => Ok(None),
    }
}

/// Where a page ended: what a continue token says. It is opaque to clients; here it needs no memory in the server.
struct Page {
    revision: Revision,
    last: Key,
}

impl Page {
    fn parse(token: &str) -> Result<Self, ApiError> {
        let parsed = || {
            let (revision, key) = token.split_once(':')?;
            let (namespace, name) = key.split_once('/')?;
            Some(Self { revision: revision.parse().ok()?, last: Key::new(namespace, name) })
        };
        parsed().ok_or_else(|| ApiError::bad_request("invalid continue token: continue key is not valid"))
    }
}

impl std::fmt::Display for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { revision, last: Key { namespace, name } } = self;
        write!(f, "{revision}:{namespace}/{name}")
    }
}

/// A list object out of its items' bytes.
pub fn render(
    call: &Call<'_>,
    items: &[Arc<Stored>],
    revision: Revision,
    more: Option<(&str, Option<usize>)>,
) -> Bytes {
    let kind = call.kind();
    let (list_kind, api_version) = match call.form {
        Form::Full => (format!("{}List", kind.kind), kind.api_version()),
        Form::Metadata => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned()),
    };
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if kind.origin == Origin::Custom {
        metadata["continue"] = "".into();
    }
    if let Some((token, remaining)) = more {
        metadata["continue"] = token.into();
        if let Some(remaining) = remaining {
            metadata["remainingItemCount"] = remaining.into();
        }
    }
    let head = json!({"kind": list_kind, "apiVersion": api_version, "metadata": metadata}).to_string();
    let mut out = head.into_bytes();
    // The closing brace makes room for the items.
    out.pop();
    out.extend_from_slice(b",\"items\":[");
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        let untyped = kind.origin == Origin::BuiltIn && call.form == Form::Full;
        out.extend_from_slice(&if untyped { item.untyped_json() } else { item.rendered(call.form) });
    }
    out.extend_from_slice(b"]}");
    out.into()
}

/// Parses `resourceVersion`; absent, empty and "0" mean "whatever there is".
pub fn asked_revision(call: &Call<'_>) -> Result<Option<Revision>, ApiError> {
    match call.request.query.get("resourceVersion") {
        None | Some("0") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| {
            let why = format!("Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax");
            ApiError::bad_request(format!("invalid resource version: resourceVersion: {why}"))
        }),
    }
}

/// Refuses a revision that has not been yet, as the real server does once it has waited for it.
fn not_from_the_future(call: &Call<'_>, newest: Revision) -> Result<(), ApiError> {
    match asked_revision(call)? {
        Some(asked) if asked > newest => {
            let mut error = ApiError::new(
                504,
                "Timeout",
                format!("Timeout: Too large resource version: {asked}, current: {newest}"),
            );
            let cause = json!({"reason": "ResourceVersionTooLarge", "message": "Too large resource version"});
            error.details = Some(json!({"causes": [cause], "retryAfterSeconds": 1}));
            Err(error)
        }
        _ => Ok(()),
    }
}
