//! Which receipts a Backup carries in its annotations, and what is wrong with one that cannot be used.

use std::collections::BTreeMap;

use shared::identity::{GroupId, GroupKey, Namespace, shorten};
use shared::names::{is_receipt_annotation, receipt_annotation};
use shared::receipt::{RECEIPT_BYTES_MAX, Receipt};

/// One receipt as it was found.
#[derive(Debug)]
pub struct Carried {
    /// The Backup's namespace.
    pub backup_namespace: String,
    /// The Backup's name.
    pub backup: String,
    /// The annotation's whole key.
    pub annotation: String,
    /// What it says.
    pub content: Result<Box<Receipt>, Unreadable>,
}

/// An annotation that is called a receipt and cannot be used as one.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Nobody of ours writes one of this length.
    #[error("it is {0} bytes long; a receipt has at most {RECEIPT_BYTES_MAX}")]
    TooLong(usize),
    /// It is no receipt, or one of a later version.
    #[error("it is no receipt that this version reads: {0}")]
    NoReceipt(String),
    /// It was made for another Backup.
    #[error("it is the receipt of Backup {0}: somebody copied it")]
    OfAnotherBackup(String),
    /// It was made for another group.
    #[error("it is the receipt of group {0}: somebody copied or renamed it")]
    OfAnotherGroup(String),
}

/// Which receipts are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Of groups of this namespace.
    pub namespace: Option<&'a Namespace>,
    /// Of this group.
    pub group: Option<&'a GroupId>,
}

impl Wanted<'_> {
    fn has(&self, carried: &Carried) -> bool {
        if let Ok(receipt) = &carried.content {
            return self.namespace.is_none_or(|it| *it == receipt.namespace)
                && self.group.is_none_or(|it| *it == receipt.group);
        }
        // Whose it is can only be told from its key: what may be meant is shown.
        let name = carried.annotation.rsplit_once('/').map_or("", |(_, name)| name);
        let (namespace, group) = name.split_once('.').unwrap_or((name, ""));
        let may_be_shortened = name.len() == KEY_CHARS_MAX;
        may_be_shortened
            || (self.namespace.is_none_or(|it| it.as_str() == namespace)
                && self.group.is_none_or(|it| it.as_str() == group))
    }
}

/// A key of this length may end in a hash instead of the group's name (see [`receipt_annotation`]).
const KEY_CHARS_MAX: usize = 63;

/// The receipts among a Backup's annotations that are asked for.
pub fn take(namespace: &str, name: &str, annotations: &BTreeMap<String, String>, wanted: Wanted<'_>) -> Vec<Carried> {
    let receipts = annotations.iter().filter(|(key, _)| is_receipt_annotation(key)).map(|(key, value)| Carried {
        backup_namespace: namespace.to_owned(),
        backup: name.to_owned(),
        annotation: key.clone(),
        content: read(name, key, value),
    });
    receipts.filter(|carried| wanted.has(carried)).collect()
}

fn read(backup: &str, key: &str, value: &str) -> Result<Box<Receipt>, Unreadable> {
    if value.len() > RECEIPT_BYTES_MAX {
        return Err(Unreadable::TooLong(value.len()));
    }
    let receipt: Receipt =
        serde_json::from_str(value).map_err(|error| Unreadable::NoReceipt(shorten(&error.to_string())))?;
    if let Some(of) = receipt.backup.as_ref().filter(|of| *of != backup) {
        return Err(Unreadable::OfAnotherBackup(shorten(of)));
    }
    let group = GroupKey { namespace: receipt.namespace.clone(), group: receipt.group.clone() };
    if receipt_annotation(&group) != key {
        return Err(Unreadable::OfAnotherGroup(group.to_string()));
    }
    Ok(Box::new(receipt))
}

/// The newest Backup first, and of each Backup the newest receipt; what cannot be read comes after what can.
pub fn sort(receipts: &mut [Carried]) {
    let closed = |carried: &Carried| carried.content.as_ref().ok().map(|receipt| receipt.closed_at);
    let mut newest: BTreeMap<(String, String), _> = BTreeMap::new();
    for carried in &*receipts {
        let of = newest.entry((carried.backup_namespace.clone(), carried.backup.clone())).or_insert(None);
        *of = closed(carried).max(*of);
    }
    receipts.sort_by_cached_key(|carried| {
        let backup = (carried.backup_namespace.clone(), carried.backup.clone());
        let of_backup = newest.get(&backup).copied().flatten();
        (std::cmp::Reverse(of_backup), backup, std::cmp::Reverse(closed(carried)), carried.annotation.clone())
    });
}
