//! Who is asking? A table from bearer token to user, and service account tokens as a projected volume holds them.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use serde_json::{Value, json};

use super::verbs::random_uid;

/// The user that requests without a token count as.
pub const ANONYMOUS: &str = "system:anonymous";

/// Seconds that a minted token is valid: what the kubelet asks for, by default (`BoundServiceAccountTokenVolume`: 3607 s).
const TOKEN_VALID_S: i64 = 3_607;

/// The user table.
#[derive(Debug)]
pub struct Users {
    by_token: RwLock<HashMap<String, String>>,
    takes_anonymous: bool,
    /// Token of the user `admin`, which the kubeconfig holds.
    pub admin_token: String,
}

impl Users {
    /// A table with the admin only.
    pub fn new(takes_anonymous: bool) -> Self {
        let admin_token = random_uid();
        let by_token = RwLock::new(HashMap::from([(admin_token.clone(), "admin".to_owned())]));
        Self { by_token, takes_anonymous, admin_token }
    }

    /// The user of an Authorization header; `None` means 401.
    pub fn authenticate(&self, authorization: Option<&str>) -> Option<String> {
        let Some(header) = authorization else { return self.takes_anonymous.then(|| ANONYMOUS.to_owned()) };
        let token = header.strip_prefix("Bearer ")?.trim();
        self.by_token.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }

    /// Makes a token for a user.
    pub fn add(&self, user: &str) -> String {
        let token = random_uid();
        self.insert(token.clone(), user);
        token
    }

    fn insert(&self, token: String, user: &str) {
        self.by_token.write().unwrap_or_else(PoisonError::into_inner).insert(token, user.to_owned());
    }

    /// Makes a token whose requests count as the pod's service account.
    pub fn add_pod_token(&self, claims: &PodClaims<'_>) -> String {
        let token = claims.token();
        self.insert(token.clone(), &format!("system:serviceaccount:{}:{}", claims.namespace, claims.service_account));
        token
    }

    /// Makes a token unknown: requests with it get 401 from now on.
    pub fn revoke(&self, token: &str) {
        self.by_token.write().unwrap_or_else(PoisonError::into_inner).remove(token);
    }
}

/// What a projected service account token says of its pod.
#[derive(Clone, Copy, Debug)]
pub struct PodClaims<'a> {
    /// Namespace of all of them.
    pub namespace: &'a str,
    /// Service account and its uid.
    pub service_account: &'a str,
    /// Uid of the service account.
    pub service_account_uid: &'a str,
    /// Pod name.
    pub pod: &'a str,
    /// Pod uid.
    pub pod_uid: &'a str,
    /// Name and uid of the node the pod is on, if it is on one; a Node that is not there has no uid.
    pub node: Option<(&'a str, Option<&'a str>)>,
}

impl PodClaims<'_> {
    /// A well-formed JWT with the claims of a real bound token (seen on a kubelet v1.33), and a signature that is none: nobody here checks it.
    fn token(&self) -> String {
        let Self { namespace, service_account, service_account_uid, pod, pod_uid, node } = self;
        let now_s = jiff::Timestamp::now().as_second();
        let mut kubernetes = json!({
            "namespace": namespace,
            "pod": {"name": pod, "uid": pod_uid},
            "serviceaccount": {"name": service_account, "uid": service_account_uid},
            "warnafter": now_s + TOKEN_VALID_S,
        });
        if let Some((name, uid)) = node {
            kubernetes["node"] = json!({"name": name});
            if let Some(uid) = uid {
                kubernetes["node"]["uid"] = (*uid).into();
            }
        }
        let payload = json!({
            "aud": ["https://kubernetes.default.svc"],
            "exp": now_s + TOKEN_VALID_S,
            "iat": now_s,
            "iss": "https://kubernetes.default.svc",
            "jti": random_uid(),
            "kubernetes.io": kubernetes,
            "nbf": now_s,
            "sub": format!("system:serviceaccount:{namespace}:{service_account}"),
        });
        let header = json!({"alg": "RS256", "kid": "testbed"});
        [part(&header), part(&payload), base64url(b"unsigned")].join(".")
    }
}

fn part(value: &Value) -> String {
    base64url(value.to_string().as_bytes())
}

/// Base64 with the URL alphabet and no padding (RFC 4648, section 5), as JWTs use it.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0_u32, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - group.len()));
        for i in 0..=group.len() {
            let index = word >> (18 - 6 * i) & 63;
            out.push(char::from(ALPHABET[usize::try_from(index).unwrap_or_default()]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_of_rfc_4648() {
        for (plain, coded) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg")] {
            assert_eq!(base64url(plain.as_bytes()), coded);
        }
        assert_eq!(base64url(&[0xfb, 0xff]), "-_8");
    }

    #[test]
    fn tokens_lead_to_users_until_they_are_revoked() {
        let users = Users::new(false);
        let claims = PodClaims {
            namespace: "n",
            service_account: "sa",
            service_account_uid: "u",
            pod: "p",
            pod_uid: "pu",
            node: None,
        };
        let token = users.add_pod_token(&claims);
        let header = format!("Bearer {token}");
        assert_eq!(users.authenticate(Some(&header)).as_deref(), Some("system:serviceaccount:n:sa"));
        assert_eq!(token.split('.').count(), 3);
        users.revoke(&token);
        assert_eq!(users.authenticate(Some(&header)), None);
        assert_eq!(users.authenticate(None), None);
        assert_eq!(Users::new(true).authenticate(None).as_deref(), Some(ANONYMOUS));
    }
}
