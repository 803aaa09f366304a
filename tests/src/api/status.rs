//! How does the server say no? Status bodies, worded as the real server words them.

use serde_json::{Value, json};

use super::kinds::Kind;

/// A refusal: becomes the HTTP status, the `Status` body and, for 429, the Retry-After header.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    /// HTTP status code.
    pub code: u16,
    /// Machine-readable reason, e.g. `NotFound`.
    pub reason: &'static str,
    /// Text for people.
    pub message: String,
    /// `details` of the Status, when there are any.
    pub details: Option<Value>,
    /// Seconds for the Retry-After header.
    pub retry_after_s: Option<u32>,
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.code, self.reason, self.message)
    }
}

impl std::error::Error for ApiError {}

/// One violated rule of an object: where, which rule, in what words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// JSON path, e.g. `spec.leaseDurationSeconds`.
    pub field: String,
    /// `FieldValueInvalid`, `FieldValueRequired`, `FieldValueForbidden`, `FieldValueTooLong`, …
    pub rule: &'static str,
    /// The text after the field's name.
    pub message: String,
}

impl Violation {
    /// A value that breaks a rule; `value` is shown as the real server shows it (JSON).
    pub fn invalid(field: impl Into<String>, value: &Value, why: impl std::fmt::Display) -> Self {
        Self { field: field.into(), rule: "FieldValueInvalid", message: format!("Invalid value: {value}: {why}") }
    }

    /// A field that has to be there.
    pub fn required(field: impl Into<String>, why: &str) -> Self {
        let message = if why.is_empty() { "Required value".to_owned() } else { format!("Required value: {why}") };
        Self { field: field.into(), rule: "FieldValueRequired", message }
    }

    /// A field that may not be set or changed.
    pub fn forbidden(field: impl Into<String>, why: &str) -> Self {
        Self { field: field.into(), rule: "FieldValueForbidden", message: format!("Forbidden: {why}") }
    }

    /// More bytes than the limit.
    pub fn too_long(field: impl Into<String>, limit: usize) -> Self {
        Self {
            field: field.into(),
            rule: "FieldValueTooLong",
            message: format!("Too long: may not be more than {limit} bytes"),
        }
    }
}

impl ApiError {
    /// A refusal without details.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None, retry_after_s: None }
    }

    fn about(mut self, kind: &Kind, name: &str) -> Self {
        let mut details = json!({"name": name, "kind": kind.plural});
        if !kind.group.is_empty() {
            details["group"] = kind.group.into();
        }
        self.details = Some(details);
        self
    }

    /// 404 for an object.
    pub fn not_found(kind: &Kind, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", kind.qualified_plural())).about(kind, name)
    }

    /// 404 for a path that no resource is at (also a missing CRD).
    pub fn no_such_path() -> Self {
        let mut error = Self::new(404, "NotFound", "the server could not find the requested resource");
        error.details = Some(json!({}));
        error
    }

    /// 409 on create.
    pub fn already_exists(kind: &Kind, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", kind.qualified_plural()))
            .about(kind, name)
    }

    /// 409 with the given sentence after "cannot be fulfilled on …:".
    pub fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.qualified_plural());
        Self::new(409, "Conflict", message).about(kind, name)
    }

    /// 409 because the object has a newer resourceVersion.
    pub fn outdated(kind: &Kind, name: &str) -> Self {
        Self::conflict(
            kind,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// 403 by admission.
    pub fn forbidden(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("{} \"{name}\" is forbidden: {why}", kind.qualified_plural());
        Self::new(403, "Forbidden", message).about(kind, name)
    }

    /// 422 with every violated rule.
    pub fn invalid(kind: &Kind, name: &str, violations: &[Violation]) -> Self {
        let texts: Vec<String> = violations.iter().map(|v| format!("{}: {}", v.field, v.message)).collect();
        let text = if texts.len() == 1 { texts[0].clone() } else { format!("[{}]", texts.join(", ")) };
        let causes: Vec<Value> =
            violations.iter().map(|v| json!({"reason": v.rule, "message": v.message, "field": v.field})).collect();
        let mut error = Self::new(422, "Invalid", format!("{} \"{name}\" is invalid: {text}", kind.qualified_kind()));
        let mut details = json!({"kind": kind.kind, "causes": causes});
        if !name.is_empty() {
            details["name"] = name.into();
        }
        if !kind.group.is_empty() {
            details["group"] = kind.group.into();
        }
        error.details = Some(details);
        error
    }

    /// 422 for what is wrong with the request rather than with the object: the resource is named, not the kind.
    pub fn invalid_resource(kind: &Kind, name: &str, violations: &[Violation]) -> Self {
        let mut error = Self::invalid(kind, name, violations);
        error.message = error.message.replacen(&kind.qualified_kind(), &kind.qualified_plural(), 1);
        if let Some(details) = &mut error.details {
            details["kind"] = kind.plural.into();
        }
        error
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 401, as for an unknown token.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 410 for a resourceVersion older than the kept history.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// 422 for options of a request that are not allowed.
    pub fn invalid_options(options: &str, violation: &Violation) -> Self {
        let Violation { field, rule, message } = violation;
        let text = format!("{options}.meta.k8s.io \"\" is invalid: {field}: {message}");
        let causes = [json!({"reason": rule, "message": message, "field": field})];
        let mut error = Self::new(422, "Invalid", text);
        error.details = Some(json!({"group": "meta.k8s.io", "kind": options, "causes": causes}));
        error
    }

    /// 415 for a content type that the resource does not take.
    pub fn unsupported_media_type(accepted: &str) -> Self {
        let text = "the body of the request was in an unknown format - accepted media types include:";
        Self::new(415, "UnsupportedMediaType", format!("{text} {accepted}"))
    }

    /// 501: the real server can do it, this one cannot and does not pretend.
    pub fn not_implemented(what: &str) -> Self {
        Self::new(501, "NotImplemented", format!("the embedded API server cannot do this: {what}"))
    }

    /// The `Status` object.
    pub fn body(&self) -> Value {
        let mut body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.code,
        });
        if !self.reason.is_empty() {
            body["reason"] = self.reason.into();
        }
        if let Some(details) = &self.details {
            body["details"] = details.clone();
        }
        if let Some(seconds) = self.retry_after_s {
            body["details"]["retryAfterSeconds"] = seconds.into();
        }
        body
    }
}

/// The `Status` that a successful delete of a vanished object answers with.
pub fn success(kind: &Kind, name: &str, uid: &str) -> Value {
    let mut details = json!({"name": name, "kind": kind.plural, "uid": uid});
    if !kind.group.is_empty() {
        details["group"] = kind.group.into();
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
