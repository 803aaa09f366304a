//! Findings as people and programs read them.

use std::fmt::Write as _;

use coordinator_core::doctor::finding::{Finding, Severity};
use serde::Serialize;

use crate::output;

/// What `--output json` writes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    errors: usize,
    warnings: usize,
    notes: usize,
    findings: &'a [Finding],
}

/// One JSON document.
pub fn json(findings: &[Finding]) -> String {
    let count = |severity| count(findings, severity);
    let document = Document {
        api_version: "snapshot-group.velero.io/v1",
        kind: "Diagnosis",
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        notes: count(Severity::Note),
        findings,
    };
    output::json(&document)
}

/// For people.
pub fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { severity, check, subject, evidence, fix } in findings {
        // Writing into a String does not fail.
        let _ = writeln!(text, "{:<8} {check}  {subject}\n    {}", severity.as_str(), indented(evidence));
        if !fix.is_empty() {
            let _ = writeln!(text, "    fix: {}", indented(fix));
        }
    }
    let [errors, warnings, notes] =
        [Severity::Error, Severity::Warning, Severity::Note].map(|severity| count(findings, severity));
    let _ = writeln!(text, "{}, {}, {}", number(errors, "error"), number(warnings, "warning"), number(notes, "note"));
    text
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n         ")
}

fn number(count: usize, of: &str) -> String {
    format!("{count} {of}{}", if count == 1 { "" } else { "s" })
}

fn count(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity == severity).count()
}
