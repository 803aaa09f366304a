//! What a check says: how grave, of what, by which evidence, and what mends it.

use serde::Serialize;

/// How grave it is, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Backups fail, or are not what they seem.
    Error,
    /// It works, worse than it could, or will not work some day.
    Warning,
    /// Worth knowing; nothing has to be done.
    Note,
}

impl Severity {
    /// As people read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// How grave.
    pub severity: Severity,
    /// The check's name, part of the interface: it never changes its meaning.
    pub check: &'static str,
    /// The object that it is about, as `kind namespace/name`.
    pub subject: String,
    /// What was seen.
    pub evidence: String,
    /// What mends it: YAML, Helm values or a command; empty where nothing has to be done.
    pub fix: String,
}

impl Finding {
    /// Backups fail, or are not what they seem.
    pub fn error(
        check: &'static str,
        subject: impl Into<String>,
        evidence: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Error, check, subject: subject.into(), evidence: evidence.into(), fix: fix.into() }
    }

    /// It works, worse than it could.
    pub fn warning(
        check: &'static str,
        subject: impl Into<String>,
        evidence: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(check, subject, evidence, fix) }
    }

    /// Worth knowing.
    pub fn note(
        check: &'static str,
        subject: impl Into<String>,
        evidence: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Note, ..Self::error(check, subject, evidence, fix) }
    }
}
