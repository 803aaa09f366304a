//! What a service account token says about the pod it is bound to. Nothing is verified here: the API server does that.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use shared::identity::shorten;

use crate::client::TOKEN_BYTES_MAX;
use crate::small_file::{self, FileError};

/// JWTs leave the padding out; a tool that adds it does no harm.
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a token file says nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClaimsError {
    /// There is none.
    #[error("there is no token at {0}")]
    Absent(PathBuf),
    /// It cannot be read.
    #[error("no token")]
    File(#[source] FileError),
    /// It is no JWT.
    #[error("{path} holds no token as Kubernetes makes them: {why}")]
    NotAToken {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// The claims that matter here. Tokens of the old kind (from a Secret) have none of them.
#[derive(Debug, Default, Deserialize)]
pub struct Claims {
    #[serde(rename = "kubernetes.io", default)]
    kubernetes: Kubernetes,
}

#[derive(Debug, Default, Deserialize)]
struct Kubernetes {
    namespace: Option<String>,
    pod: Option<BoundPod>,
}

#[derive(Debug, Default, Deserialize)]
struct BoundPod {
    name: Option<String>,
    uid: Option<String>,
}

impl Claims {
    /// Reads the token at `path`.
    pub fn read(path: &Path) -> Result<Self, ClaimsError> {
        let token = small_file::read(path, TOKEN_BYTES_MAX).map_err(ClaimsError::File)?;
        let token = token.ok_or_else(|| ClaimsError::Absent(path.to_owned()))?;
        Self::parse(&token).map_err(|why| ClaimsError::NotAToken { path: path.to_owned(), why })
    }

    /// The namespace of the service account, which is the pod's: a pod can mount no other namespace's token.
    pub fn namespace(&self) -> Option<&str> {
        self.kubernetes.namespace.as_deref()
    }

    /// The pod's name.
    pub fn pod_name(&self) -> Option<&str> {
        self.kubernetes.pod.as_ref()?.name.as_deref()
    }

    /// The pod's uid.
    pub fn pod_uid(&self) -> Option<&str> {
        self.kubernetes.pod.as_ref()?.uid.as_deref()
    }

    fn parse(token: &str) -> Result<Self, String> {
        let mut parts = token.trim().split('.');
        let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err("it does not have three parts with dots between them".to_owned());
        };
        let json = BASE64_URL.decode(payload).map_err(|e| format!("its payload is not base64: {e}"))?;
        serde_json::from_slice(&json)
            .map_err(|e| format!("its payload is not the expected JSON: {}", shorten(&e.to_string())))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A token as the API server projects it, with a signature that nobody checks here.
    pub fn token(namespace: &str, pod: &str, uid: &str) -> String {
        let part = |json: String| BASE64_URL.encode(json);
        let claims = format!(
            r#"{{"aud":["x"],"exp":1,"kubernetes.io":{{"namespace":"{namespace}","pod":{{"name":"{pod}","uid":"{uid}"}}}}}}"#
        );
        format!("{}.{}.sig", part(r#"{"alg":"RS256"}"#.to_owned()), part(claims).trim_end_matches('='))
    }

    #[test]
    fn pod_claims_are_read() {
        let claims = Claims::parse(&token("prod", "db-0", "u-1")).unwrap();
        assert_eq!(
            (claims.namespace(), claims.pod_name(), claims.pod_uid()),
            (Some("prod"), Some("db-0"), Some("u-1"))
        );
    }

    #[test]
    fn tokens_without_a_pod_name_no_pod() {
        for payload in [
            // An old token, from a Secret.
            r#"{"iss":"kubernetes/serviceaccount","kubernetes.io/serviceaccount/namespace":"prod"}"#,
            // A token that `kubectl create token` made.
            r#"{"kubernetes.io":{"namespace":"prod","serviceaccount":{"name":"default","uid":"u"}}}"#,
            "{}",
        ] {
            let claims = Claims::parse(&format!("e30.{}.x", BASE64_URL.encode(payload))).unwrap();
            assert_eq!((claims.pod_name(), claims.pod_uid()), (None, None), "{payload}");
        }
    }

    #[test]
    fn garbage_is_an_error() {
        for garbage in ["", "a", "a.b", "a.b.c.d", "a.!.c", "a.e30x.c", "a.IjEi.c", "a..c"] {
            assert!(Claims::parse(garbage).is_err(), "{garbage}");
        }
        let huge = Claims::read(Path::new("/dev/zero"));
        assert!(matches!(huge, Err(ClaimsError::File(FileError::TooLong { .. }))), "{huge:?}");
    }

    proptest! {
        #[test]
        fn any_text_parses_or_errs(text in ".{0,200}", payload in ".{0,200}") {
            let _ = Claims::parse(&text);
            let _ = Claims::parse(&format!("a.{}.c", BASE64_URL.encode(payload)));
        }
    }
}
