//! DELETE: an object, or a selection, goes away; at once, or once its finalizers are gone.

use std::sync::Arc;

use serde_json::Value;

use super::{Call, Reply, stamp};
use crate::api::kinds::{Kind, KindId};
use crate::api::selector::Selection;
use crate::api::status::{self, ApiError, Violation};
use crate::api::store::{Change, Key, Outcome, Store, Stored, Written};

/// `DeleteOptions`, as far as they matter here. Grace periods do not: there is no kubelet to wait for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    uid: Option<String>,
    resource_version: Option<String>,
    policy: Policy,
    dry_run: bool,
}

/// What becomes of the dependents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// They go afterwards.
    #[default]
    Background,
    /// They go first.
    Foreground,
    /// They stay, without owner.
    Orphan,
}

impl Options {
    fn of(call: &Call<'_>) -> Result<Self, ApiError> {
        let body: Value = if call.body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(call.body)
                .map_err(|e| ApiError::bad_request(format!("error decoding DeleteOptions: {e}")))?
        };
        let text = |field: &str| body["preconditions"][field].as_str().map(str::to_owned);
        let policy = body["propagationPolicy"].as_str().or(call.request.query.get("propagationPolicy"));
        let policy = match policy {
            None | Some("Background") => Policy::Background,
            Some("Foreground") => Policy::Foreground,
            Some("Orphan") => Policy::Orphan,
            Some(other) => {
                let message = format!(
                    "Unsupported value: \"{other}\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
                );
                let violation =
                    Violation { field: "propagationPolicy".to_owned(), rule: "FieldValueNotSupported", message };
                return Err(ApiError::invalid_options("DeleteOptions", &violation));
            }
        };
        let dry_run = call.is_dry_run() || body["dryRun"].as_array().is_some_and(|d| d.iter().any(|v| v == "All"));
        Ok(Self { uid: text("uid"), resource_version: text("resourceVersion"), policy, dry_run })
    }

    fn check(&self, kind: &Kind, live: &Stored) -> Result<(), ApiError> {
        let name = live.value["metadata"]["name"].as_str().unwrap_or_default();
        let refuse = |why: String| {
            let mut error = ApiError::conflict(kind, name, &why);
            error.message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.qualified_kind());
            if let Some(details) = &mut error.details {
                details["kind"] = kind.kind.into();
            }
            Err(error)
        };
        if let Some(uid) = self.uid.as_deref().filter(|uid| *uid != live.uid()) {
            return refuse(format!(
                "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been deleted and then recreated",
                live.uid()
            ));
        }
        if let Some(version) = self.resource_version.as_deref().filter(|v| *v != live.revision.to_string()) {
            return refuse(format!(
                "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({}). The object might have been modified",
                live.revision
            ));
        }
        Ok(())
    }
}

/// Namespaces that admission keeps (`NamespaceLifecycle`).
const IMMORTAL_NAMESPACES: &[&str] = &["default", "kube-system", "kube-public"];

/// Deletes one object.
pub fn delete(call: &Call<'_>) -> Result<Reply, ApiError> {
    let kind = call.kind();
    if kind.kind == "Namespace" && IMMORTAL_NAMESPACES.contains(&call.request.name.as_str()) {
        return Err(ApiError::forbidden(kind, &call.request.name, "this namespace may not be deleted"));
    }
    let options = Options::of(call)?;
    let written = remove(&call.core.store, kind, call.request.kind, &call.request.key(), &options)?;
    if (written.change == Some(Change::Deleted) || options.dry_run) && kind.kind != "Pod" {
        return Ok(Reply::json(&status::success(kind, &call.request.name, written.object.uid())));
    }
    // What is only marked is shown as it is now; so is a Pod, which the real server answers with as well.
    Ok(Reply::written(call, 200, &written))
}

/// Deletes a selection, one object after another.
pub fn delete_collection(call: &Call<'_>) -> Result<Reply, ApiError> {
    let kind = call.kind();
    if kind.kind == "Namespace" {
        return Err(super::method_not_allowed());
    }
    let selection = Selection::of(call.request)?;
    let options = Options::of(call)?;
    let (objects, revision) = call.core.store.list(call.request.kind, &selection.scope);
    let chosen: Vec<Arc<Stored>> = objects.into_iter().filter(|o| selection.chooses(&o.value)).collect();
    for object in &chosen {
        match remove(&call.core.store, kind, call.request.kind, &Key::of(&object.value), &options) {
            Err(gone) if gone.reason == "NotFound" => {}
            other => drop(other?),
        }
    }
    Ok(Reply::ok(super::list::render(call, &chosen, revision, None)))
}

/// Removes or marks an object. Deleting what is already marked changes nothing.
pub fn remove(store: &Store, kind: &Kind, id: KindId, key: &Key, options: &Options) -> Result<Written, ApiError> {
    store.write(id, key, |_, live| {
        let live = live.ok_or_else(|| ApiError::not_found(kind, &key.name))?;
        options.check(kind, live)?;
        if options.dry_run || live.value["metadata"]["deletionTimestamp"].is_string() {
            return Ok(Outcome::Keep);
        }
        let mut next = live.value.clone();
        let finalizers = next["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
        let mut finalizers: Vec<Value> =
            finalizers.into_iter().filter(|f| f != "orphan" && f != "foregroundDeletion").collect();
        match options.policy {
            Policy::Background => {}
            Policy::Foreground => finalizers.push("foregroundDeletion".into()),
            Policy::Orphan => finalizers.push("orphan".into()),
        }
        if finalizers.is_empty() && !matches!(kind.kind, "Namespace" | "Pod") {
            return Ok(Outcome::Remove);
        }
        next["metadata"]["deletionTimestamp"] = stamp::now_s().into();
        if kind.kind != "Namespace" {
            next["metadata"]["deletionGracePeriodSeconds"] = 0.into();
        }
        let held = !finalizers.is_empty();
        if held {
            next["metadata"]["finalizers"] = Value::Array(finalizers);
        }
        if kind.kind == "Namespace" {
            next["status"]["phase"] = "Terminating".into();
        }
        if kind.generation
            && let Some(generation) = next["metadata"]["generation"].as_i64()
        {
            next["metadata"]["generation"] = (generation + 1).into();
        }
        // Marked and gone at once: there is no kubelet whose farewell could be waited for.
        let gone = kind.kind == "Pod" && !held;
        Ok(if gone { Outcome::RemoveAs(next) } else { Outcome::Put(next) })
    })
}
