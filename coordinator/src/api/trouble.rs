//! What a failed call to the API server means, and what to do about it.

use std::fmt;

use super::meter::NoAnswer;
use crate::error_chain::chain;

/// Why a call failed, coarsely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TroubleKind {
    /// 401: who we are is not accepted.
    Unauthorized,
    /// 403: we may not do this.
    Forbidden,
    /// 404: there is no such resource (its CRD is not installed) or object.
    NotFound,
    /// 409: somebody else wrote first, or it is already there.
    Conflict,
    /// 400 or 422: the API server does not take what we sent.
    Invalid,
    /// 410: the watch fell behind; it starts anew.
    Expired,
    /// 429 or 5xx: not now.
    Overloaded,
    /// An answer that is none of an API server's.
    Garbage,
    /// No connection, or it broke.
    Unreachable,
    /// A connection, and no answer in time.
    Silent,
}

/// A failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Why, coarsely.
    pub kind: TroubleKind,
    /// HTTP status, if there was one.
    pub code: Option<u16>,
    /// What the API server or the network said.
    pub said: String,
}

/// What was said is shown up to this many characters: an HTML error page is no message.
const SAID_CHARS_MAX: usize = 300;

impl Trouble {
    /// A call that did not end within its time.
    pub fn timeout(ms: u64) -> Self {
        Self { kind: TroubleKind::Silent, code: None, said: format!("no answer within {ms} ms") }
    }

    /// Reads kube's error.
    pub fn of(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => {
                let said = if status.message.is_empty() { status.reason.clone() } else { status.message.clone() };
                Self { kind: kind_of(status.code), code: Some(status.code), said: shorten(&said) }
            }
            kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) | kube::Error::LinesCodecMaxLineLengthExceeded => {
                Self { kind: TroubleKind::Garbage, code: None, said: shorten(&chain(error)) }
            }
            kube::Error::Auth(_) => Self { kind: TroubleKind::Unauthorized, code: None, said: shorten(&chain(error)) },
            kube::Error::Service(inner) if inner.is::<NoAnswer>() => {
                Self { kind: TroubleKind::Silent, code: None, said: inner.to_string() }
            }
            _ => Self { kind: TroubleKind::Unreachable, code: None, said: shorten(&chain(error)) },
        }
    }

    /// What to do about it, for somebody who tried to `verb` `resource`.
    pub fn advice(&self, verb: &str, resource: &str) -> String {
        match self.kind {
            TroubleKind::Unauthorized => {
                "the API server does not know us: check the token or client certificate of the kubeconfig, or the pod's \
                 service account"
                    .to_owned()
            }
            TroubleKind::Forbidden => {
                format!("we may not {verb} {resource}: bind the coordinator's ClusterRole to its service account")
            }
            TroubleKind::NotFound => format!("{resource} are not there: is the CustomResourceDefinition installed?"),
            TroubleKind::Conflict => "somebody else wrote first".to_owned(),
            TroubleKind::Invalid => {
                format!("the API server does not take our request for {resource}: check selectors and versions")
            }
            TroubleKind::Expired => "the watch fell behind and starts anew".to_owned(),
            TroubleKind::Overloaded => "the API server cannot answer now".to_owned(),
            TroubleKind::Garbage => "the answer is not an API server's: does the address lead to one?".to_owned(),
            TroubleKind::Unreachable => {
                "the API server cannot be reached: check its address, network policies and that it runs".to_owned()
            }
            TroubleKind::Silent => {
                "the API server takes connections and does not answer: is it overloaded, or is something between us?"
                    .to_owned()
            }
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "{} ({code})", self.said),
            None => f.write_str(&self.said),
        }
    }
}

fn kind_of(code: u16) -> TroubleKind {
    match code {
        401 => TroubleKind::Unauthorized,
        403 => TroubleKind::Forbidden,
        404 | 405 => TroubleKind::NotFound,
        409 => TroubleKind::Conflict,
        410 => TroubleKind::Expired,
        400 | 415 | 422 => TroubleKind::Invalid,
        408 | 429 | 500..=599 => TroubleKind::Overloaded,
        _ => TroubleKind::Garbage,
    }
}

fn shorten(said: &str) -> String {
    let mut kept: String = said.chars().take(SAID_CHARS_MAX).collect();
    if kept.len() < said.len() {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    fn api(code: u16, message: &str) -> Trouble {
        Trouble::of(&kube::Error::Api(Status::failure(message, "Why").with_code(code).boxed()))
    }

    #[test]
    fn codes_have_their_meaning() {
        for (code, kind) in [
            (400, TroubleKind::Invalid),
            (401, TroubleKind::Unauthorized),
            (403, TroubleKind::Forbidden),
            (404, TroubleKind::NotFound),
            (409, TroubleKind::Conflict),
            (410, TroubleKind::Expired),
            (422, TroubleKind::Invalid),
            (429, TroubleKind::Overloaded),
            (503, TroubleKind::Overloaded),
            (302, TroubleKind::Garbage),
        ] {
            assert_eq!(api(code, "m").kind, kind, "{code}");
        }
    }

    #[test]
    fn a_page_of_html_is_no_message() {
        let said = api(502, &"<html>".repeat(1_000)).to_string();
        assert!(said.len() < 400 && said.contains('…') && said.ends_with("(502)"), "{said}");
    }

    #[test]
    fn advice_names_what_was_asked_for() {
        assert!(api(403, "no").advice("list", "pods").contains("may not list pods"));
    }
}
