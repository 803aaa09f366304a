//! What came out, as people and programs read it.

use coordinator_core::verify::Outcome;
use serde::Serialize;
use shared::identity::{GroupId, Namespace};
use shared::verdict::Verdict;

use super::Checked;
use crate::output;
use crate::receipts::text::Text;

/// Which form of the document this is. Within one form fields are only ever added.
const API_VERSION: &str = "snapshot-group.velero.io/verify-v1";

/// The gravest first.
const OUTCOMES: [Outcome; 4] = [Outcome::ClaimsMore, Outcome::Unchecked, Outcome::ClaimsLess, Outcome::Agrees];

/// A line a receipt, and what is wrong with it below.
pub fn text(checked: &[Checked]) -> String {
    let mut text = Text::default();
    for it in checked {
        let carried = &it.carried;
        let outcome = it.outcome().as_str();
        let backup = format!("{}/{}", carried.backup_namespace, carried.backup);
        match &carried.content {
            Ok(receipt) => {
                let (namespace, group) = (&receipt.namespace, &receipt.group);
                text.line(&format!("{outcome:<12} Backup {backup}, group {namespace}/{group}: {}", receipt.verdict));
            }
            Err(why) => {
                text.line(&format!("{outcome:<12} Backup {backup}, {}", carried.annotation));
                text.words(4, &format!("it cannot be read: {why}"));
            }
        }
        for finding in it.check.iter().flat_map(|check| &check.findings) {
            text.words(4, &finding.to_string());
        }
    }
    let counts = OUTCOMES.map(|outcome| {
        let count = checked.iter().filter(|it| it.outcome() == outcome).count();
        format!("{count} {}", outcome.as_str())
    });
    text.line(&format!("{} receipts: {}", checked.len(), counts.join(", ")));
    text.0
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    /// The gravest.
    outcome: &'static str,
    receipts: Vec<Item<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    backup_namespace: &'a str,
    backup: &'a str,
    annotation: &'a str,
    outcome: &'static str,
    findings: Vec<String>,
    #[serde(flatten)]
    read: Option<Read<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Read<'a> {
    namespace: &'a Namespace,
    group: &'a GroupId,
    /// What the receipt says.
    verdict: Verdict,
    /// What its facts allow: both are the same where no fact is missing.
    proven_at_least: Verdict,
    proven_at_most: Verdict,
}

/// One JSON document.
pub fn json(checked: &[Checked]) -> String {
    let gravest = checked.iter().map(Checked::outcome).max().unwrap_or(Outcome::Agrees);
    let document = Document {
        api_version: API_VERSION,
        kind: "ReceiptChecks",
        outcome: gravest.as_str(),
        receipts: checked.iter().map(item).collect(),
    };
    output::json(&document)
}

fn item(it: &Checked) -> Item<'_> {
    let carried = &it.carried;
    let findings = match (&carried.content, &it.check) {
        (Ok(_), Some(check)) => check.findings.iter().map(ToString::to_string).collect(),
        (Err(why), _) => vec![format!("it cannot be read: {why}")],
        (Ok(_), None) => Vec::new(),
    };
    let read = carried.content.as_ref().ok().zip(it.check.as_ref()).map(|(receipt, check)| Read {
        namespace: &receipt.namespace,
        group: &receipt.group,
        verdict: receipt.verdict,
        proven_at_least: check.proof.weakest,
        proven_at_most: check.proof.strongest,
    });
    Item {
        backup_namespace: &carried.backup_namespace,
        backup: &carried.backup,
        annotation: &carried.annotation,
        outcome: it.outcome().as_str(),
        findings,
        read,
    }
}
