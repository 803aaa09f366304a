//! Where does a pod's projected service account token come from?

use std::fmt;
use std::sync::Arc;

use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::api::PostParams;
use kube::{Api, Client};

/// The kubelet's own default for a projected token's life.
const TOKEN_LIFE_S: i64 = 3600;

/// The pod a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodIdentity {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The service account, `default` when the pod names none.
    pub service_account: String,
}

impl PodIdentity {
    /// Reads a Pod object.
    pub fn of(pod: &Pod) -> Self {
        let meta = &pod.metadata;
        let account = pod.spec.as_ref().and_then(|s| s.service_account_name.clone());
        Self {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
            service_account: account.filter(|name| !name.is_empty()).unwrap_or_else(|| "default".to_owned()),
        }
    }
}

/// Who issues tokens.
#[derive(Clone, Default)]
pub enum TokenSource {
    /// The API server, by a `TokenRequest` bound to the pod, as a real kubelet asks for one.
    #[default]
    TokenRequest,
    /// The test itself: for an API server that issues none.
    Mint(Arc<dyn Fn(&PodIdentity) -> String + Send + Sync>),
}

impl TokenSource {
    /// Tokens made by a function.
    pub fn mint(issue: impl Fn(&PodIdentity) -> String + Send + Sync + 'static) -> Self {
        Self::Mint(Arc::new(issue))
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TokenRequest => "TokenRequest",
            Self::Mint(_) => "Mint",
        })
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The API server refused.
    #[error("TokenRequest for service account {0}: give TokenSource::Mint if this API server issues none")]
    Refused(String, #[source] kube::Error),
    /// It answered without a token.
    #[error("TokenRequest for service account {0} was answered without a token")]
    Empty(String),
}

/// Gets one token.
pub(super) async fn token(
    source: &TokenSource,
    client: &Client,
    pod: &PodIdentity,
    audience: Option<&str>,
) -> Result<String, TokenError> {
    if let TokenSource::Mint(issue) = source {
        return Ok(issue(pod));
    }
    let account = &pod.service_account;
    let request = TokenRequest {
        spec: TokenRequestSpec {
            audiences: audience.map(str::to_owned).into_iter().collect(),
            bound_object_ref: Some(BoundObjectReference {
                api_version: Some("v1".into()),
                kind: Some("Pod".into()),
                name: Some(pod.name.clone()),
                uid: Some(pod.uid.clone()),
            }),
            expiration_seconds: Some(TOKEN_LIFE_S),
        },
        ..TokenRequest::default()
    };
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &pod.namespace);
    let named = || format!("{}/{account}", pod.namespace);
    let answer = accounts
        .create_token_request(account, &PostParams::default(), &request)
        .await
        .map_err(|e| TokenError::Refused(named(), e))?;
    answer.status.map(|status| status.token).ok_or_else(|| TokenError::Empty(named()))
}
