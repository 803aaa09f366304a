//! The page `docs/versions.md`: one row a pair of versions, one column a statement.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Outcome, Release, STATEMENTS, Statement};

/// One pair of versions and what was seen of it.
#[derive(Clone, Debug)]
pub struct Row {
    /// Velero's.
    pub velero: Release,
    /// kube-apiserver's.
    pub kubernetes: Release,
    /// What became of each test, or why none could run.
    pub seen: Result<BTreeMap<String, Outcome>, String>,
}

impl Row {
    fn cell(&self, statement: &Statement) -> &'static str {
        if !statement.applies_to(self.velero) {
            return "–";
        }
        let Ok(seen) = &self.seen else { return "?" };
        let of = |test: &&str| seen.get(*test).copied();
        if statement.tests.iter().all(|test| of(test) == Some(Outcome::Passed)) {
            "yes"
        } else if statement.tests.iter().any(|test| of(test) == Some(Outcome::Failed)) {
            "**no**"
        } else {
            "?"
        }
    }
}

/// The whole page. `day` is when the rows were made; `agent` and `plugin` are versions that were the same in all of them.
pub fn page(day: &str, plugin: &str, rows: &[Row]) -> String {
    let mut text = String::from("# Versions that were tried\n\n");
    let _ = write!(
        text,
        "Made by `make e2e-matrix` on {day}: both programs under each Velero server (AWS plugin {plugin}), with real Backups and real hooks. \
         Each cell is one test of `make e2e`, or two.\n\n\
         yes: it was so. –: that Velero cannot do it (blocks came with 1.15, their workers with 1.16, several Backups at once with 1.18). \
         ?: the test could not be run.\n\n| Velero | Kubernetes |"
    );
    for statement in STATEMENTS {
        let _ = write!(text, " {} |", statement.says);
    }
    text.push_str("\n|---|---|");
    text.push_str(&"---|".repeat(STATEMENTS.len()));
    text.push('\n');
    for row in rows {
        let _ = write!(text, "| {} | {} |", row.velero, row.kubernetes);
        for statement in STATEMENTS {
            let _ = write!(text, " {} |", row.cell(statement));
        }
        text.push('\n');
    }
    let absent: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            Some(format!("- Velero {}, Kubernetes {}: {}", row.velero, row.kubernetes, row.seen.as_ref().err()?))
        })
        .collect();
    if !absent.is_empty() {
        let _ = write!(text, "\nNot to be had where this was made:\n\n{}\n", absent.join("\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_claims_no_more_than_was_seen() {
        let release = |text: &str| text.parse::<Release>().expect("a release");
        let plain = STATEMENTS[0].tests[0].to_owned();
        let seen = |outcome: Outcome| Ok(BTreeMap::from([(plain.clone(), outcome)]));
        let row = |velero: &str, seen| Row { velero: release(velero), kubernetes: release("v1.35.4"), seen };
        assert_eq!(row("v1.18.3", seen(Outcome::Passed)).cell(&STATEMENTS[0]), "yes");
        assert_eq!(row("v1.18.3", seen(Outcome::Failed)).cell(&STATEMENTS[0]), "**no**");
        // Not run is not passed.
        assert_eq!(row("v1.18.3", seen(Outcome::Passed)).cell(&STATEMENTS[1]), "?");
        assert_eq!(row("v1.14.1", seen(Outcome::Passed)).cell(&STATEMENTS[1]), "–");
        let absent = row("v1.18.3", Err("refused".to_owned()));
        assert_eq!(absent.cell(&STATEMENTS[0]), "?");
        assert!(page("2026-01-01", "v1.14.3", &[absent]).contains("- Velero v1.18.3, Kubernetes v1.35.4: refused"));
    }
}
