//! How single fields are read from and written into a Lease, and what is said when one of them is nonsense.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};

use crate::identity::{GroupId, Namespace, shorten};
use crate::names::{LABEL_ROLE, LABEL_SNAPSHOT_GROUP, LeaseRole};
use crate::time::WallTime;

/// Annotation that says which form of our Leases this is. A reader refuses forms it does not know.
const PROTOCOL: &str = "snapshot-group.velero.io/protocol";
/// The only form so far.
const PROTOCOL_VERSION: &str = "1";

/// A Lease that does not say what it should: edited by hand, another program's, or of a newer version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// It lacks our role label, or has another role: somebody else's Lease under one of our names.
    #[error(
        "Lease {lease} is not a {expected} Lease of this product (label {LABEL_ROLE} is {found}): rename or delete it"
    )]
    Foreign {
        /// `namespace/name`.
        lease: String,
        /// The role that was expected.
        expected: &'static str,
        /// The role label as found.
        found: String,
    },
    /// Written by a newer version.
    #[error(
        "Lease {lease} has protocol {found}, this version reads {PROTOCOL_VERSION}: run the same version on both sides"
    )]
    Protocol {
        /// `namespace/name`.
        lease: String,
        /// The version as found.
        found: String,
    },
    /// A field that must be there is not.
    #[error("Lease {lease} has no {field}: it was changed by hand; delete it and it is made anew")]
    Missing {
        /// `namespace/name`.
        lease: String,
        /// Path of the field.
        field: &'static str,
    },
    /// A field says something impossible.
    #[error("Lease {lease}: {field} `{value}` {why}; delete the Lease and it is made anew")]
    Invalid {
        /// `namespace/name`.
        lease: String,
        /// Path of the field.
        field: &'static str,
        /// What stood there, shortened.
        value: String,
        /// Why that can't be.
        why: String,
    },
}

/// Reads one Lease's fields, with its name at hand for errors.
pub(crate) struct Reader<'a> {
    lease: &'a Lease,
    name: String,
}

impl<'a> Reader<'a> {
    /// Checks role and protocol first: nothing else is read from a Lease that is not ours.
    pub(crate) fn new(lease: &'a Lease, role: LeaseRole) -> Result<Self, LeaseError> {
        // Names in full: the API server keeps them short, and a person has to find the Lease by them.
        let part = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
        let name = format!("{}/{}", part(&lease.metadata.namespace), part(&lease.metadata.name));
        let reader = Self { lease, name };
        let found = reader.label(LABEL_ROLE);
        if found != Some(role.as_str()) {
            return Err(LeaseError::Foreign {
                lease: reader.name,
                expected: role.as_str(),
                found: found.map_or_else(|| "absent".to_owned(), shorten),
            });
        }
        match reader.annotation(PROTOCOL) {
            Some(PROTOCOL_VERSION) => Ok(reader),
            Some(other) => Err(LeaseError::Protocol { found: shorten(other), lease: reader.name }),
            None => Err(reader.missing("annotation snapshot-group.velero.io/protocol")),
        }
    }

    pub(crate) fn spec(&self) -> Result<&'a LeaseSpec, LeaseError> {
        self.lease.spec.as_ref().ok_or_else(|| self.missing("spec"))
    }

    fn label(&self, key: &str) -> Option<&'a str> {
        self.lease.metadata.labels.as_ref()?.get(key).map(String::as_str)
    }

    /// An annotation that is there and not empty: empty means "none", so that a writer can take a value back.
    pub(crate) fn annotation(&self, key: &str) -> Option<&'a str> {
        self.lease.metadata.annotations.as_ref()?.get(key).map(String::as_str).filter(|text| !text.is_empty())
    }

    pub(crate) fn namespace(&self) -> Result<Namespace, LeaseError> {
        self.parse("metadata.namespace", self.lease.metadata.namespace.as_deref().unwrap_or_default())
    }

    pub(crate) fn group(&self) -> Result<GroupId, LeaseError> {
        let text = self.label(LABEL_SNAPSHOT_GROUP).ok_or_else(|| self.missing("label velero.io/snapshot-group"))?;
        self.parse("label velero.io/snapshot-group", text)
    }

    pub(crate) fn lease_name(&self) -> &'a str {
        self.lease.metadata.name.as_deref().unwrap_or_default()
    }

    pub(crate) fn parse<T>(&self, field: &'static str, text: &str) -> Result<T, LeaseError>
    where
        T: FromStr,
        T::Err: Display,
    {
        text.parse().map_err(|why: T::Err| self.invalid(field, text, why.to_string()))
    }

    pub(crate) fn parse_annotation<T>(&self, field: &'static str, key: &str) -> Result<Option<T>, LeaseError>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.annotation(key).map(|text| self.parse(field, text)).transpose()
    }

    pub(crate) fn word<T>(
        &self,
        field: &'static str,
        key: &str,
        read: fn(&str) -> Option<T>,
    ) -> Result<Option<T>, LeaseError> {
        let Some(text) = self.annotation(key) else {
            return Ok(None);
        };
        read(text).map(Some).ok_or_else(|| self.invalid(field, text, "is not one of the known words".to_owned()))
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(
        &self,
        field: &'static str,
        key: &str,
    ) -> Result<Option<T>, LeaseError> {
        let Some(text) = self.annotation(key) else {
            return Ok(None);
        };
        serde_json::from_str(text)
            .map(Some)
            .map_err(|why| self.invalid(field, text, format!("is not the expected JSON: {why}")))
    }

    pub(crate) fn time(&self, field: &'static str, time: Option<&MicroTime>) -> Result<WallTime, LeaseError> {
        time.map(|MicroTime(at)| WallTime::from(*at)).ok_or_else(|| self.missing(field))
    }

    pub(crate) fn seconds(&self, field: &'static str, value: Option<i32>) -> Result<u32, LeaseError> {
        let value = value.ok_or_else(|| self.missing(field))?;
        u32::try_from(value)
            .ok()
            .filter(|s| *s > 0)
            .ok_or_else(|| self.invalid(field, &value.to_string(), "must be greater than 0".to_owned()))
    }

    pub(crate) fn count(&self, field: &'static str, value: Option<i32>) -> Result<u32, LeaseError> {
        let value = value.ok_or_else(|| self.missing(field))?;
        u32::try_from(value).map_err(|_| self.invalid(field, &value.to_string(), "must not be negative".to_owned()))
    }

    pub(crate) fn missing(&self, field: &'static str) -> LeaseError {
        LeaseError::Missing { lease: self.name.clone(), field }
    }

    pub(crate) fn invalid(&self, field: &'static str, value: &str, why: String) -> LeaseError {
        LeaseError::Invalid { lease: self.name.clone(), field, value: shorten(value), why: shorten_why(why) }
    }
}

fn shorten_why(why: String) -> String {
    if why.len() > 400 { shorten(&why) } else { why }
}

/// `spec` numbers are i32 in the API; ours never leave its range.
pub(crate) fn api_i32(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// Metadata that every Lease of ours carries.
pub(crate) fn metadata(
    namespace: &Namespace,
    name: &str,
    role: LeaseRole,
    group: Option<&GroupId>,
    annotations: BTreeMap<String, String>,
) -> ObjectMeta {
    let mut annotations = annotations;
    annotations.insert(PROTOCOL.to_owned(), PROTOCOL_VERSION.to_owned());
    let mut labels = BTreeMap::from([
        (LABEL_ROLE.to_owned(), role.as_str().to_owned()),
        ("app.kubernetes.io/part-of".to_owned(), "velero-snapshot-groups".to_owned()),
    ]);
    if let Some(group) = group {
        labels.insert(LABEL_SNAPSHOT_GROUP.to_owned(), group.to_string());
    }
    ObjectMeta {
        namespace: Some(namespace.to_string()),
        name: Some(name.to_owned()),
        labels: Some(labels),
        annotations: Some(annotations),
        ..ObjectMeta::default()
    }
}
