//! Who is meant: namespace, pod, group, one attempt of a hook. Parsed once at the border, trusted afterwards.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A name that Kubernetes would refuse, or that cannot be told apart inside an identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} `{value}` is not valid: {rule}")]
pub struct IdentityError {
    /// Which name was read: `namespace`, `pod name`, …
    pub field: &'static str,
    /// What stood there, shortened to [`SHOWN_CHARS_MAX`] characters.
    pub value: String,
    /// The rule it breaks.
    pub rule: &'static str,
}

/// How much of a wrong value an error shows: enough to recognise it, too little to flood a log line.
pub const SHOWN_CHARS_MAX: usize = 80;

/// The first [`SHOWN_CHARS_MAX`] characters of `value`, with a mark when more was there; control characters escaped.
pub fn shorten(value: &str) -> String {
    let clean: String = value.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect();
    if value.chars().nth(SHOWN_CHARS_MAX).is_some() {
        format!("{clean}… ({} characters)", value.chars().count())
    } else {
        clean
    }
}

/// RFC 1123 label: what a namespace's name must be.
fn is_dns_label(s: &str) -> bool {
    (1..=63).contains(&s.len())
        && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !s.starts_with('-')
        && !s.ends_with('-')
}

/// RFC 1123 subdomain: what the name of a Pod or a Lease must be.
pub(crate) fn is_dns_subdomain(s: &str) -> bool {
    s.len() <= 253
        && s.split('.').all(|part| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !part.starts_with('-')
                && !part.ends_with('-')
        })
}

/// A label's value that is not empty (Kubernetes allows empty ones; an empty group is no group).
fn is_label_value(s: &str) -> bool {
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    (1..=63).contains(&s.len())
        && s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && edge(s.bytes().next())
        && edge(s.bytes().last())
}

/// A uid as API servers make them (a UUID), loosely: what matters is that it cannot contain [`ATTEMPT_SEPARATOR`].
fn is_uid(s: &str) -> bool {
    (1..=64).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_nonce(s: &str) -> bool {
    s.len() == 16 && s.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $field:literal, $check:ident, $rule:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        /// A clone shares the text: a coordinator holds some of them several times, for each of 100,000 pods.
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the text against Kubernetes' rule for this kind of name.
            pub fn new(text: impl Into<String>) -> Result<Self, IdentityError> {
                let text = text.into();
                if $check(&text) {
                    Ok(Self(text.into()))
                } else {
                    Err(IdentityError { field: $field, value: shorten(&text), rule: $rule })
                }
            }

            /// The name as it stands in the API.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdentityError;
            fn from_str(text: &str) -> Result<Self, IdentityError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdentityError;
            fn try_from(text: String) -> Result<Self, IdentityError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }
    };
}

name_type!(
    /// A namespace's name (RFC 1123 label, at most 63 characters).
    Namespace, "namespace", is_dns_label,
    "it must be 1 to 63 lowercase letters, digits or '-', with a letter or digit at both ends"
);
name_type!(
    /// A Pod's name (RFC 1123 subdomain, at most 253 characters).
    PodName, "pod name", is_dns_subdomain,
    "it must be at most 253 lowercase letters, digits, '-' or '.', each part with a letter or digit at both ends"
);
name_type!(
    /// A Pod's uid: tells a pod from a later one of the same name.
    PodUid, "pod uid", is_uid, "it must be 1 to 64 letters, digits or '-', as in metadata.uid"
);
name_type!(
    /// The value of the label [`crate::names::LABEL_SNAPSHOT_GROUP`]: a group of one namespace.
    GroupId, "snapshot group", is_label_value,
    "a label's value is 1 to 63 letters, digits, '-', '_' or '.', with a letter or digit at both ends"
);
name_type!(
    /// 16 lowercase hex digits that tell two runs of the pre hook in one pod apart.
    Nonce, "nonce", is_nonce, "it must be 16 lowercase hex digits"
);
name_type!(
    /// The name of a Lease (RFC 1123 subdomain).
    LeaseName, "Lease name", is_dns_subdomain,
    "it must be at most 253 lowercase letters, digits, '-' or '.', each part with a letter or digit at both ends"
);

impl Nonce {
    /// A nonce from 64 random bits.
    pub fn from_bits(bits: u64) -> Self {
        Self(format!("{bits:016x}").into())
    }
}

/// A group of one namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// The namespace that the group's pods live in.
    pub namespace: Namespace,
    /// The label's value.
    pub group: GroupId,
}

impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.group)
    }
}

impl FromStr for GroupKey {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let (namespace, group) = text.split_once('/').ok_or_else(|| IdentityError {
            field: "group key",
            value: shorten(text),
            rule: "it must be NAMESPACE/GROUP",
        })?;
        Ok(Self { namespace: namespace.parse()?, group: group.parse()? })
    }
}

/// Stands between pod uid and nonce; neither can contain it.
pub const ATTEMPT_SEPARATOR: char = '_';

/// One run of the pre hook in one pod: `<pod uid>_<nonce>`, a Lease's `holderIdentity`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AttemptId {
    /// The pod that the hook runs in.
    pub pod_uid: PodUid,
    /// Random, new for each run.
    pub nonce: Nonce,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{ATTEMPT_SEPARATOR}{}", self.pod_uid, self.nonce)
    }
}

impl FromStr for AttemptId {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let (uid, nonce) = text.split_once(ATTEMPT_SEPARATOR).ok_or_else(|| IdentityError {
            field: "attempt",
            value: shorten(text),
            rule: "it must be <pod uid>_<16 hex digits>",
        })?;
        Ok(Self { pod_uid: uid.parse()?, nonce: nonce.parse()? })
    }
}

impl TryFrom<String> for AttemptId {
    type Error = IdentityError;
    fn try_from(text: String) -> Result<Self, IdentityError> {
        text.parse()
    }
}

impl From<AttemptId> for String {
    fn from(id: AttemptId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn attempt_round_trips(uid in "[a-f0-9-]{1,64}", bits: u64) {
            let id = AttemptId { pod_uid: PodUid::new(uid).unwrap(), nonce: Nonce::from_bits(bits) };
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn any_text_parses_or_errs(text in ".{0,400}") {
            let _ = (text.parse::<Namespace>(), text.parse::<PodName>(), text.parse::<GroupKey>());
            if let Err(e) = text.parse::<AttemptId>() {
                prop_assert!(e.to_string().len() < 1_500, "an error must not repeat a huge value: {}", e);
            }
        }
    }

    #[test]
    fn names_follow_kubernetes_rules() {
        let ok = |r: Result<(), IdentityError>| r.is_ok();
        assert!(ok(Namespace::new("db-1").map(drop)));
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", &"a".repeat(64)] {
            assert!(!ok(Namespace::new(bad).map(drop)), "{bad}");
        }
        assert!(ok(PodName::new("db-0.x").map(drop)));
        for bad in ["", "a..b", ".a", "a.", "a-.b", "A", &"a".repeat(254)] {
            assert!(!ok(PodName::new(bad).map(drop)), "{bad}");
        }
        assert!(ok(GroupId::new("My_group.1").map(drop)));
        for bad in ["", "_a", "a.", "a b", "ä", &"a".repeat(300)] {
            assert!(!ok(GroupId::new(bad).map(drop)), "{bad}");
        }
    }

    #[test]
    fn an_error_names_field_value_and_rule_and_shows_no_flood() {
        let e = GroupId::new("x".repeat(300)).unwrap_err().to_string();
        assert!(e.contains("snapshot group") && e.contains("(300 characters)") && e.contains("1 to 63"), "{e}");
        assert!(e.len() < 400, "{e}");
    }
}
