//! How long does a group hold still under a real Velero, how far apart are its cuts, and what do our hooks add to a Backup?
//!
//! `make bench-e2e`. Each part runs on a machine of its own (`testbed::isolated`) and leaves its rows in a file; the tables are
//! printed at the end. Polls are Velero's own (5 s, no early polling). Arguments choose parts: `ours barrier lead added original parallel`.

mod added;
mod original;
mod ours;
mod rows;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use testbed::isolated::{self, Absent, Variables};
use testbed::real_velero;

use rows::Row;

/// Names the file that gets a part's rows, one JSON object a line.
const ROWS_VARIABLE: &str = "BENCH_E2E_ROWS";

/// One part: its name, its function's path and the function, which runs the part outside and is it inside.
type Part = (&'static str, &'static str, fn());

/// In the order of the tables; the last two take as long as the original's hooks wait.
const PARTS: [Part; 6] = [
    ("ours", "ours::groups", ours::groups),
    ("barrier", "ours::barrier", ours::barrier),
    ("lead", "ours::lead", ours::lead),
    ("added", "added::to_backups", added::to_backups),
    ("original", "original::one_worker", original::one_worker),
    ("parallel", "original::four_workers", original::four_workers),
];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if std::env::var_os(ROWS_VARIABLE).is_some() {
        // Inside: the isolation asks for one function by its path.
        let path =
            arguments.iter().skip_while(|argument| *argument != "--exact").nth(1).context("no function asked for")?;
        let (_, _, run) = PARTS.iter().find(|(_, known, _)| known == path).context("an unknown function")?;
        run();
        return Ok(());
    }
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let unknown = wanted.iter().find(|name| !PARTS.iter().any(|(part, _, _)| *part == name.as_str()));
    ensure!(unknown.is_none(), "there is no part {unknown:?}");
    let mut rows = Vec::new();
    for (name, _, run) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|part| *part == name) {
            eprintln!("bench-e2e: {name} …");
            // A part that fails tells why and leaves the others alone.
            if std::panic::catch_unwind(run).is_err() {
                eprintln!("bench-e2e: {name} FAILED, see above");
            }
            rows.extend(read(&rows_file(name))?);
        }
    }
    println!("{}", rows::markdown(&rows));
    Ok(())
}

/// Where a part's rows go. This process and its insides agree on it by the outer one's number.
fn rows_file(part: &str) -> PathBuf {
    std::env::temp_dir().join(format!("bench-e2e-{}-{part}.jsonl", std::process::id()))
}

/// Runs a part on a machine of its own. Call it from the part's function itself, which gives the closure its name.
fn isolated<F: AsyncFnOnce() -> anyhow::Result<()>>(part: &str, limit: Duration, body: F) {
    let file = rows_file(part);
    let prepare = || -> Result<Variables, Absent> {
        let mut variables = real_velero::prepare()?;
        let made = std::fs::write(&file, "");
        made.map_err(|error| Absent(format!("cannot write {}: {error}", file.display())))?;
        variables.push((ROWS_VARIABLE.to_owned(), file.clone().into_os_string()));
        Ok(variables)
    };
    isolated::run(limit, prepare, body);
}

/// Adds a row from the inside. It is there even if the part fails later.
fn leave(row: &Row) -> anyhow::Result<()> {
    use std::io::Write as _;
    let path = std::env::var_os(ROWS_VARIABLE).context("rows are left from the inside")?;
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).context("opening the file for rows")?;
    writeln!(file, "{}", serde_json::to_string(row)?).context("writing a row")
}

fn read(file: &Path) -> anyhow::Result<Vec<Row>> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).context("a row")).collect()
}
