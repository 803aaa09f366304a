//! Tokens of service accounts, as the real API server signs them.

use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};

/// How long a token is good for; the API server grants no less than ten minutes.
const LIFETIME_S: i64 = 3600;

/// A pod that a token is bound to: the token carries its name and uid, and its node's, and dies with it.
#[derive(Clone, Copy, Debug)]
pub struct BoundPod<'a> {
    /// The pod's name. It must exist in the token's namespace and run under the token's service account.
    pub name: &'a str,
    /// Its uid.
    pub uid: &'a str,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The API server refused: most often the service account, or the pod it is bound to, does not exist.
    #[error(
        "no token for service account {namespace}/{name}; create it (and the pod, with its serviceAccountName) first"
    )]
    Refused {
        /// Where the service account is.
        namespace: String,
        /// What it is called.
        name: String,
        /// What the API server said.
        #[source]
        source: Box<kube::Error>,
    },
    /// It answered without a token.
    #[error("the answer to a token request for {namespace}/{name} holds no token")]
    Empty {
        /// Where the service account is.
        namespace: String,
        /// What it is called.
        name: String,
    },
}

/// Asks for a token of an existing service account; `client` must be allowed to.
pub async fn request(
    client: Client,
    namespace: &str,
    name: &str,
    pod: Option<BoundPod<'_>>,
) -> Result<String, TokenError> {
    let bound = pod.map(|BoundPod { name, uid }| BoundObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        name: Some(name.to_owned()),
        uid: Some(uid.to_owned()),
    });
    let wanted = TokenRequest {
        spec: TokenRequestSpec { audiences: Vec::new(), bound_object_ref: bound, expiration_seconds: Some(LIFETIME_S) },
        ..TokenRequest::default()
    };
    let accounts: Api<ServiceAccount> = Api::namespaced(client, namespace);
    let answer = accounts.create_token_request(name, &PostParams::default(), &wanted).await.map_err(|source| {
        TokenError::Refused { namespace: namespace.to_owned(), name: name.to_owned(), source: Box::new(source) }
    })?;
    let token = answer.status.map(|status| status.token).filter(|token| !token.is_empty());
    token.ok_or_else(|| TokenError::Empty { namespace: namespace.to_owned(), name: name.to_owned() })
}
