//! What namespaces and workloads are called: like in real clusters, and as odd.

use super::dice::Dice;

const WORDS: [&str; 12] =
    ["db", "postgres", "kafka", "redis", "elastic", "mongo", "cache", "queue", "store", "ledger", "search", "metrics"];
const TEAMS: [&str; 8] = ["shop", "billing", "mail", "fraud", "data-platform", "team-7", "legacy", "observability"];

/// Kubernetes' longest namespace name.
const NAMESPACE_CHARS_MAX: usize = 63;

/// Where a workload is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its namespace.
    pub namespace: String,
    /// Its name: no other workload of its namespace has it.
    pub name: String,
}

/// Names, none twice.
pub struct Names {
    namespaces: usize,
    given: usize,
}

impl Names {
    /// For so many workloads: about eight a namespace.
    pub fn new(workloads: usize) -> Self {
        Self { namespaces: workloads / 8 + 1, given: 0 }
    }

    /// The next one.
    pub fn next(&mut self, dice: &mut Dice) -> Place {
        // Namespaces are not alike: the first ones are crowded.
        let number = dice.below(self.namespaces).min(dice.below(self.namespaces));
        let mut namespace = format!("{}-{number}", TEAMS[number % TEAMS.len()]);
        if number % 17 == 3 {
            namespace.push('-');
            namespace.push_str(&"n".repeat(NAMESPACE_CHARS_MAX - namespace.len()));
        }
        self.given += 1;
        let word = dice.pick(&WORDS);
        // Names that contain, begin or end like each other: `db-1`, `db-1-0`, `my-db-1`.
        let name = match dice.below(12) {
            0 => format!("{word}-{}-0", self.given),
            1 => format!("my-{word}-{}", self.given),
            2 => format!("{word}.{}", self.given),
            3 => format!("{word}-{}-{}", self.given, "x".repeat(30)),
            _ => format!("{word}-{}", self.given),
        };
        Place { namespace, name }
    }
}
