//! `hook-agent inject`: turns manifests into ones whose pods have the agent, and back. Reads everything, then writes.

pub mod args;
mod binding;
mod diff;
mod edit;
mod edits;
mod error;
mod insert;
mod names;
mod note;
mod options;
mod patch;
mod pieces;
mod place;
mod remove;
mod source;
mod tree;
mod value;
mod workloads;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};

use shared::exit_code::ExitCode;

use crate::lines::chain;
use args::{InjectArgs, Output};
use edit::{BYTES_MAX, Edited, edit, patches};
use error::{FlagError, InjectError, Place, Problem};
use options::Options;

/// With `--diff`: nothing would change; could not be told; something would change. As `coordinator plan --diff`.
const DIFF_SAME: u8 = 0;
pub const DIFF_FAILED: u8 = 1;
const DIFF_CHANGES: u8 = 2;

/// Why nothing is printed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The flags.
    #[error(transparent)]
    Flags(#[from] FlagError),
    /// The manifests.
    #[error(transparent)]
    Input(#[from] InjectError),
    /// A file cannot be read.
    #[error("{file} cannot be read")]
    Unreadable {
        file: String,
        #[source]
        source: io::Error,
    },
    /// A file is no text.
    #[error("{0} is not UTF-8; manifests are")]
    NotText(String),
    /// The output cannot be written.
    #[error("standard output cannot be written")]
    Unwritable(#[source] io::Error),
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Flags(_) => ExitCode::Usage,
            Self::Input(_) | Self::Unreadable { .. } | Self::NotText(_) | Self::Unwritable(_) => ExitCode::Manifest,
        }
    }
}

/// Runs `inject`: the exit status.
pub fn run(args: &InjectArgs) -> u8 {
    let done = work(args);
    match done {
        Ok(changes) if args.diff => {
            if changes {
                DIFF_CHANGES
            } else {
                DIFF_SAME
            }
        }
        Ok(_) => ExitCode::Ok.code(),
        Err(failure) => {
            let code = failure.exit_code();
            let shown = if args.diff { DIFF_FAILED } else { code.code() };
            let story = chain(&failure);
            let _ = writeln!(io::stderr(), "hook-agent inject: {story} [exit code {shown}: {}]", code.meaning());
            shown
        }
    }
}

/// Whether a command line that cannot be used asks for a diff, whose exit status for that is another one.
pub fn asks_for_diff(mut words: impl Iterator<Item = std::ffi::OsString>) -> bool {
    words.nth(1).is_some_and(|word| word == "inject") && words.any(|word| word == "--diff")
}

/// Whether something would change.
fn work(args: &InjectArgs) -> Result<bool, Failure> {
    let options = Options::try_from(args)?;
    let files = read(&args.filename)?;
    let mut edited = Vec::new();
    let mut made = Vec::new();
    for (name, text) in &files {
        if args.output == Output::Yaml {
            edited.push(edit(text, name, &options)?);
        } else {
            let (stripped, patches) = patches(text, name, &options)?;
            edited.push(stripped);
            made.extend(patches);
        }
    }
    if edited.iter().all(|edited| edited.workloads == 0) {
        return Err(nothing_found(&files, &edited, &options).into());
    }
    let out = match args.output {
        Output::Patch => patch::documents(&made),
        Output::Kustomize => patch::component(&made),
        Output::Yaml => manifests(&files, &edited, args.diff),
    };
    for (place, note) in edited.iter().flat_map(|edited| &edited.notes) {
        let _ = writeln!(io::stderr(), "hook-agent inject: note: {place}: {note}");
    }
    let mut to = io::stdout().lock();
    match to.write_all(out.as_bytes()).and_then(|()| to.flush()) {
        // A reader that closed our output (`| head`) has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Unwritable(error)),
        _ => Ok(files.iter().zip(&edited).any(|((_, text), edited)| *text != edited.text)),
    }
}

/// All files after another, or what changed in them.
fn manifests(files: &[(String, String)], edited: &[Edited], diff: bool) -> String {
    let mut out = String::new();
    for ((name, text), edited) in files.iter().zip(edited) {
        if diff {
            diff::write(&mut out, name, text, &edited.text);
        } else {
            separate(&mut out, &edited.text);
            out.push_str(&edited.text);
        }
    }
    out
}

/// One file's documents end before the next one's begin.
fn separate(out: &mut String, next: &str) {
    if out.is_empty() || next.trim_start().starts_with("---") {
        return;
    }
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out.push_str("---\n");
}

fn nothing_found(files: &[(String, String)], edited: &[Edited], options: &Options) -> InjectError {
    let kinds: BTreeSet<&str> = edited.iter().flat_map(|edited| edited.kinds.iter().map(String::as_str)).collect();
    let seen = match kinds.into_iter().collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "no object at all".to_owned(),
        kinds => kinds,
    };
    let mut wanted = options.kinds.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>().join(", ");
    if !options.names.is_empty() {
        wanted = format!("{wanted} of the name {}", options.names.join(", "));
    }
    let file = files.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    InjectError { place: Place { file, document: 0, line: 0 }, problem: Problem::NoWorkload { seen, wanted } }
}

/// Names and texts of all files.
fn read(names: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let standard_input = ["-".to_owned()];
    let names = if names.is_empty() { &standard_input[..] } else { names };
    let mut left = BYTES_MAX;
    let mut files = Vec::new();
    for name in names {
        let shown = if name == "-" { "standard input" } else { name }.to_owned();
        let text = if name == "-" {
            read_all(io::stdin().lock(), left)
        } else {
            File::open(name).and_then(|file| read_all(file, left))
        };
        let text = text.map_err(|source| Failure::Unreadable { file: shown.clone(), source })?;
        let Some(rest) = left.checked_sub(text.len()) else {
            let place = Place { file: shown, document: 0, line: 0 };
            return Err(InjectError { place, problem: Problem::TooLong { bytes_max: BYTES_MAX } }.into());
        };
        left = rest;
        let text = String::from_utf8(text).map_err(|_| Failure::NotText(shown.clone()))?;
        files.push((shown, text));
    }
    Ok(files)
}

/// At most one byte more than `limit`, which shows that there is more.
fn read_all(from: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    from.take(u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1)).read_to_end(&mut text)?;
    Ok(text)
}
