//! Which pod this is: from flags or environment, else the downward API's files, else the service account token.

mod claims;
mod podinfo;

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use shared::identity::{IdentityError, Namespace, PodName, PodUid};

use crate::settings::Names;
use claims::{Claims, ClaimsError};
use podinfo::PodInfo;

/// The pod that the hook runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub pod: PodName,
}

/// Why it cannot be told which pod this is.
#[derive(Debug, thiserror::Error)]
pub enum IdentityFailure {
    /// No source names it.
    #[error(
        "cannot tell the pod's {what}: {flag} is not set; {podinfo}; {token}. Set {flag} from the downward API, or mount a projected token"
    )]
    Unknown {
        /// What is not known.
        what: &'static str,
        /// Flag and environment variable that would say it.
        flag: &'static str,
        /// What the downward API's files gave.
        podinfo: String,
        /// What the token gave.
        token: String,
    },
    /// A source names something that cannot be.
    #[error("{origin} is wrong")]
    Illegal {
        /// Where it was read.
        origin: String,
        /// What is wrong with it.
        #[source]
        source: IdentityError,
    },
    /// The API server knows this pod under another uid.
    #[error(
        "the pod's uid is {known}, but the API server has {actual} for a pod of this name: is POD_UID a fixed text?"
    )]
    OtherPod {
        /// What this process was told.
        known: PodUid,
        /// What the API server says.
        actual: String,
    },
}

/// The sources, read when first needed and only once.
pub struct Sources<'a> {
    names: &'a Names,
    podinfo: PodInfo,
    token_file: PathBuf,
    claims: Option<Result<Claims, ClaimsError>>,
}

impl<'a> Sources<'a> {
    /// Sources as the settings name them; nothing is read yet.
    pub fn new(names: &'a Names, token_file: PathBuf) -> Self {
        Self { names, podinfo: PodInfo::new(&names.podinfo_dir), token_file, claims: None }
    }

    /// Namespace and name of the pod.
    pub fn who(&mut self) -> Result<Who, IdentityFailure> {
        let names = self.names;
        Ok(Who {
            namespace: self.find(names.namespace.as_ref(), &NAMESPACE)?,
            pod: self.find(names.pod.as_ref(), &POD_NAME)?,
        })
    }

    /// The pod's uid, which tells it from a later pod of the same name.
    pub fn uid(&mut self) -> Result<PodUid, IdentityFailure> {
        let names = self.names;
        self.find(names.uid.as_ref(), &POD_UID)
    }

    fn find<T>(&mut self, given: Option<&T>, field: &Field) -> Result<T, IdentityFailure>
    where
        T: FromStr<Err = IdentityError> + Clone,
    {
        if let Some(given) = given {
            return Ok(given.clone());
        }
        let podinfo = match self.podinfo.read(field.file) {
            Ok(Some(text)) => return parse(&text, self.podinfo.path(field.file).display()),
            Ok(None) => format!("{} is not there", self.podinfo.path(field.file).display()),
            Err(e) => crate::lines::chain(&e),
        };
        let claims = self.claims.get_or_insert_with(|| Claims::read(&self.token_file));
        let token = match claims {
            Ok(claims) => match (field.claim)(claims) {
                Some(text) => {
                    return parse(text, format!("claim {} of {}", field.claim_path, self.token_file.display()));
                }
                None => format!("the token {} has no pod claims (is it a Secret's?)", self.token_file.display()),
            },
            Err(e) => crate::lines::chain(e),
        };
        Err(IdentityFailure::Unknown { what: field.what, flag: field.flag, podinfo, token })
    }
}

/// Where one part of the identity can be found.
struct Field {
    what: &'static str,
    flag: &'static str,
    file: &'static str,
    claim_path: &'static str,
    claim: fn(&Claims) -> Option<&str>,
}

const NAMESPACE: Field = Field {
    what: "namespace",
    flag: "POD_NAMESPACE (--pod-namespace)",
    file: "namespace",
    claim_path: "kubernetes.io.namespace",
    claim: Claims::namespace,
};
const POD_NAME: Field = Field {
    what: "name",
    flag: "POD_NAME (--pod-name)",
    file: "name",
    claim_path: "kubernetes.io.pod.name",
    claim: Claims::pod_name,
};
const POD_UID: Field = Field {
    what: "uid",
    flag: "POD_UID (--pod-uid)",
    file: "uid",
    claim_path: "kubernetes.io.pod.uid",
    claim: Claims::pod_uid,
};

fn parse<T: FromStr<Err = IdentityError>>(text: &str, origin: impl Display) -> Result<T, IdentityFailure> {
    text.parse().map_err(|source| IdentityFailure::Illegal { origin: origin.to_string(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &str) -> Names {
        Names {
            namespace: None,
            pod: None,
            uid: None,
            group: None,
            podinfo_dir: PathBuf::from(dir),
            labels_file: PathBuf::from(dir).join("labels"),
        }
    }

    #[test]
    fn what_is_given_needs_no_file_and_no_token() {
        let mut given = names("/no/such/dir");
        given.namespace = Some(Namespace::new("prod").unwrap());
        given.pod = Some(PodName::new("db-0").unwrap());
        given.uid = Some(PodUid::new("u-1").unwrap());
        let mut sources = Sources::new(&given, PathBuf::from("/no/such/token"));
        assert_eq!(sources.who().unwrap().pod.as_str(), "db-0");
        assert_eq!(sources.uid().unwrap().as_str(), "u-1");
    }

    #[test]
    fn a_file_goes_before_the_token_and_the_token_fills_the_rest() {
        let dir = std::env::temp_dir().join(format!("hook-agent-identity-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("name"), "from-file\n").unwrap();
        std::fs::write(dir.join("token"), claims::tests::token("prod", "from-token", "u-2")).unwrap();
        let names = names(dir.to_str().unwrap());
        let mut sources = Sources::new(&names, dir.join("token"));
        let who = sources.who().unwrap();
        assert_eq!((who.namespace.as_str(), who.pod.as_str()), ("prod", "from-file"));
        assert_eq!(sources.uid().unwrap().as_str(), "u-2");
        std::fs::write(dir.join("name"), "Not_A_Name").unwrap();
        let wrong = Sources::new(&names, dir.join("token")).who().unwrap_err();
        assert!(crate::lines::chain(&wrong).contains("Not_A_Name"), "{wrong:?}");
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn nobody_knows_says_what_was_tried_and_what_to_do() {
        let names = names("/no/such/dir");
        let text = Sources::new(&names, PathBuf::from("/no/such/token")).who().unwrap_err().to_string();
        for part in ["POD_NAMESPACE", "/no/such/dir/namespace", "/no/such/token", "downward API"] {
            assert!(text.contains(part), "{part} is missing in: {text}");
        }
    }
}
