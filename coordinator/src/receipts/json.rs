//! Receipts as one JSON document, for programs.

use serde::Serialize;
use shared::receipt::{MemberReceipt, Receipt};

use super::carried::Carried;
use super::text::counts;
use crate::output;

/// Which form of the document this is. Within one form fields are only ever added.
const API_VERSION: &str = "snapshot-group.velero.io/receipts-v1";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    receipts: Vec<Item<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    backup_namespace: &'a str,
    backup: &'a str,
    annotation: &'a str,
    /// Why it cannot be read, or null.
    unreadable: Option<String>,
    #[serde(flatten)]
    read: Option<Read<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Read<'a> {
    why: String,
    arrived: usize,
    expected: usize,
    /// The longest that a member was held.
    held_ms: Option<u64>,
    /// As it stands in the annotation.
    receipt: &'a Receipt,
}

/// The document, with a line end.
pub fn render(receipts: &[Carried]) -> String {
    let document =
        Document { api_version: API_VERSION, kind: "SnapshotReceipts", receipts: receipts.iter().map(item).collect() };
    output::json(&document)
}

fn item(carried: &Carried) -> Item<'_> {
    let Carried { backup_namespace, backup, annotation, content } = carried;
    let read = content.as_ref().ok().map(|receipt| {
        let (arrived, expected) = counts(receipt);
        let held_ms = receipt.members.iter().filter_map(MemberReceipt::held_ms).max();
        Read { why: receipt.why.to_string(), arrived, expected, held_ms, receipt }
    });
    Item { backup_namespace, backup, annotation, unreadable: content.as_ref().err().map(ToString::to_string), read }
}
