//! What is to be held still, step by step: the user's text, checked once. Steps run in order and are undone in reverse.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared::duration::{format_ms, parse_ms};
use shared::identity::shorten;
use shared::quiesce::{QuiesceKind, QuiesceKinds};

/// How long one direction of a step may take when nothing is said, ms: a third of Velero's default hook timeout.
const STEP_TIMEOUT_MS: u64 = 10_000;

/// The longest timeout of a step, ms: while a hook runs, all of Velero waits.
const STEP_TIMEOUT_MS_MAX: u64 = 300_000;

/// The shortest, ms: a process that starts on a busy node needs that much.
const STEP_TIMEOUT_MS_MIN: u64 = 100;

/// How long a disk may take to write out what is dirty, ms; `sync` and `fsfreeze` have no timeout of their own.
const DISK_TIMEOUT_MS: u64 = 10_000;

/// A plan's text may be this long, bytes: annotations of an object share 256 KiB, and this is configuration, not data.
const PLAN_BYTES_MAX: usize = 16 * 1024;

/// More steps than this are a mistake: each may take seconds in which everything waits.
const STEPS_MAX: usize = 16;

/// The steps, in order. Empty: nothing is held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which they begin.
    pub steps: Vec<Step>,
    /// Whether somebody wrote it. Who writes `none` vouches for the pod: it is still by other means, or needs not to be.
    pub is_said: bool,
}

/// One way to hold still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Writes out what is dirty on the file systems of these paths.
    Sync(Vec<PathBuf>),
    /// Runs a program of the user's, and another one afterwards.
    Exec(Exec),
    /// Keeps a child process that was told what to do.
    Session(Session),
    /// Lets all writes to these mounted file systems wait.
    Fsfreeze(Vec<PathBuf>),
}

/// A program to hold, a program to let go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exec {
    /// Program and arguments, no shell between.
    pub freeze: Vec<String>,
    /// The same for letting go; empty where there is nothing to let go.
    pub thaw: Vec<String>,
    /// How long each may take, ms.
    pub timeout_ms: u64,
}

/// A child that holds as long as it lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Lines that it gets first.
    pub before: Vec<String>,
    /// The line with which it says that it holds.
    pub ready: String,
    /// Lines that it gets at the end.
    pub after: Vec<String>,
    /// The line with which it says that it held until then.
    pub done: Option<String>,
    /// How long the beginning and the end may each take, ms.
    pub timeout_ms: u64,
}

/// A plan that cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Longer than configuration is.
    #[error("it is longer than {PLAN_BYTES_MAX} bytes")]
    TooLong,
    /// Not a list of steps in YAML or JSON.
    #[error("it is neither `none` nor a list of steps in YAML or JSON, such as [{{fsfreeze: [/data]}}]")]
    Shape(#[source] Box<serde_saphyr::Error>),
    /// Too many of them.
    #[error("it has {0} steps, more than {STEPS_MAX}")]
    TooMany(usize),
    /// One step is wrong.
    #[error("step {number}: {why}")]
    Step {
        /// Counted from 1.
        number: usize,
        /// What is wrong.
        why: StepError,
    },
    /// Something would run after the file system stands still.
    #[error(
        "step {frozen} (fsfreeze) comes before step {after} ({kind}): a program that writes to a frozen file system hangs and cannot be killed; fsfreeze must be the last step, once, with all its paths"
    )]
    FreezeNotLast {
        /// The fsfreeze step, counted from 1.
        frozen: usize,
        /// The step after it.
        after: usize,
        /// Of which kind that is.
        kind: QuiesceKind,
    },
}

/// What is wrong with a step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// Not exactly one kind.
    #[error("it must have exactly one of exec, session, sync, fsfreeze, and has {0}")]
    Kinds(usize),
    /// An empty command.
    #[error("`{0}` names no program")]
    NoProgram(&'static str),
    /// A text that no program can be given.
    #[error("`{field}` has a line break or a zero byte in `{text}`: give one text per line or argument")]
    Unfit {
        /// Which field.
        field: &'static str,
        /// The text, shortened.
        text: String,
    },
    /// Nothing to recognise success by.
    #[error("`ready` is empty: without a line that the session prints when it holds, nobody can tell that it does")]
    NoReady,
    /// A timeout that is not one.
    #[error("timeout: {0}")]
    Timeout(String),
    /// No path at all.
    #[error("`{0}` lists no path")]
    NoPath(&'static str),
    /// A path that depends on where the agent runs, or that is written in a roundabout way.
    #[error("`{0}` is not an absolute path without `.` and `..`: write the mount path as in the pod's volumeMounts")]
    Path(String),
    /// The same path twice.
    #[error("`{0}` is listed twice")]
    Twice(String),
}

impl Plan {
    /// Reads the user's text: `none`, or a list of steps in YAML or JSON.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let text = text.trim();
        if text.is_empty() || text == "none" {
            return Ok(Self { steps: vec![], is_said: !text.is_empty() });
        }
        if text.len() > PLAN_BYTES_MAX {
            return Err(PlanError::TooLong);
        }
        let entries: Vec<Entry> = serde_saphyr::from_str(text).map_err(|e| PlanError::Shape(Box::new(e)))?;
        if entries.len() > STEPS_MAX {
            return Err(PlanError::TooMany(entries.len()));
        }
        let steps = entries
            .into_iter()
            .enumerate()
            .map(|(i, entry)| entry.step().map_err(|why| PlanError::Step { number: i + 1, why }))
            .collect::<Result<Vec<_>, _>>()?;
        let frozen = steps.iter().position(|step| step.kind() == QuiesceKind::Fsfreeze);
        if let Some(frozen) = frozen
            && let Some(after) = steps.get(frozen + 1)
        {
            return Err(PlanError::FreezeNotLast { frozen: frozen + 1, after: frozen + 2, kind: after.kind() });
        }
        Ok(Self { steps, is_said: true })
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The kinds, for the Lease.
    pub fn kinds(&self) -> QuiesceKinds {
        self.steps.iter().map(Step::kind).collect()
    }

    /// The file systems that it freezes.
    pub fn freezes(&self) -> &[PathBuf] {
        let paths = self.steps.iter().find_map(|step| match step {
            Step::Fsfreeze(paths) => Some(paths.as_slice()),
            Step::Sync(_) | Step::Exec(_) | Step::Session(_) => None,
        });
        paths.unwrap_or_default()
    }

    /// The programs that it runs in this container.
    pub fn programs(&self) -> impl Iterator<Item = &str> {
        let firsts = self.steps.iter().flat_map(|step| match step {
            Step::Exec(exec) => [exec.freeze.first(), exec.thaw.first()],
            Step::Session(session) => [session.command.first(), None],
            Step::Sync(_) | Step::Fsfreeze(_) => [None, None],
        });
        firsts.flatten().map(String::as_str)
    }

    /// How long holding still may take in all, ms.
    pub fn quiesce_ms_max(&self) -> u64 {
        self.steps.iter().map(Step::timeout_ms).sum()
    }
}

impl Step {
    /// Which kind it is.
    pub fn kind(&self) -> QuiesceKind {
        match self {
            Self::Sync(_) => QuiesceKind::Sync,
            Self::Exec(_) => QuiesceKind::Exec,
            Self::Session(_) => QuiesceKind::Session,
            Self::Fsfreeze(_) => QuiesceKind::Fsfreeze,
        }
    }

    /// How long each direction may take, ms.
    pub fn timeout_ms(&self) -> u64 {
        match self {
            Self::Sync(_) | Self::Fsfreeze(_) => DISK_TIMEOUT_MS,
            Self::Exec(exec) => exec.timeout_ms,
            Self::Session(session) => session.timeout_ms,
        }
    }
}

impl std::fmt::Display for Step {
    /// Kind and object, without arguments: those may hold passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let object = match self {
            Self::Sync(paths) | Self::Fsfreeze(paths) => {
                paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ")
            }
            Self::Exec(exec) => exec.freeze.first().cloned().unwrap_or_default(),
            Self::Session(session) => session.command.first().cloned().unwrap_or_default(),
        };
        write!(f, "{} {object}", self.kind())
    }
}

/// One step as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    exec: Option<ExecText>,
    session: Option<SessionText>,
    sync: Option<Vec<String>>,
    fsfreeze: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExecText {
    freeze: Vec<String>,
    thaw: Vec<String>,
    timeout: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionText {
    command: Vec<String>,
    before: Vec<String>,
    ready: String,
    #[serde(default)]
    after: Vec<String>,
    done: Option<String>,
    timeout: Option<String>,
}

impl Entry {
    fn step(self) -> Result<Step, StepError> {
        match self {
            Self { exec: Some(exec), session: None, sync: None, fsfreeze: None } => exec.step(),
            Self { exec: None, session: Some(session), sync: None, fsfreeze: None } => session.step(),
            Self { exec: None, session: None, sync: Some(sync), fsfreeze: None } => {
                paths("sync", &sync).map(Step::Sync)
            }
            Self { exec: None, session: None, sync: None, fsfreeze: Some(fsfreeze) } => {
                paths("fsfreeze", &fsfreeze).map(Step::Fsfreeze)
            }
            Self { exec, session, sync, fsfreeze } => {
                let given = [exec.is_some(), session.is_some(), sync.is_some(), fsfreeze.is_some()];
                Err(StepError::Kinds(given.into_iter().filter(|given| *given).count()))
            }
        }
    }
}

impl ExecText {
    fn step(self) -> Result<Step, StepError> {
        let Self { freeze, thaw, timeout } = self;
        program("exec.freeze", &freeze)?;
        if !thaw.is_empty() {
            program("exec.thaw", &thaw)?;
        }
        Ok(Step::Exec(Exec { freeze, thaw, timeout_ms: timeout_ms(timeout.as_deref())? }))
    }
}

impl SessionText {
    fn step(self) -> Result<Step, StepError> {
        let Self { command, before, ready, after, done, timeout } = self;
        program("session.command", &command)?;
        for (field, lines) in [("session.before", &before), ("session.after", &after)] {
            lines.iter().try_for_each(|line| fit(field, line))?;
        }
        let trimmed = |text: String| text.trim().to_owned();
        let (ready, done) = (trimmed(ready), done.map(trimmed).filter(|done| !done.is_empty()));
        if ready.is_empty() {
            return Err(StepError::NoReady);
        }
        fit("session.ready", &ready)?;
        let timeout_ms = timeout_ms(timeout.as_deref())?;
        Ok(Step::Session(Session { command, before, ready, after, done, timeout_ms }))
    }
}

fn program(field: &'static str, argv: &[String]) -> Result<(), StepError> {
    if argv.first().is_none_or(|program| program.trim().is_empty()) {
        return Err(StepError::NoProgram(field));
    }
    // A line break inside an argument is fine (SQL); a zero byte is not.
    match argv.iter().find(|arg| arg.contains('\0')) {
        Some(arg) => Err(StepError::Unfit { field, text: shorten(arg) }),
        None => Ok(()),
    }
}

fn fit(field: &'static str, line: &str) -> Result<(), StepError> {
    if line.contains(['\n', '\r', '\0']) {
        return Err(StepError::Unfit { field, text: shorten(line) });
    }
    Ok(())
}

fn timeout_ms(text: Option<&str>) -> Result<u64, StepError> {
    let Some(text) = text else { return Ok(STEP_TIMEOUT_MS) };
    let ms = parse_ms(text).map_err(|e| StepError::Timeout(e.to_string()))?;
    if (STEP_TIMEOUT_MS_MIN..=STEP_TIMEOUT_MS_MAX).contains(&ms) {
        return Ok(ms);
    }
    let (min, max) = (format_ms(STEP_TIMEOUT_MS_MIN), format_ms(STEP_TIMEOUT_MS_MAX));
    Err(StepError::Timeout(format!("{} is out of range: it must be from {min} to {max}", format_ms(ms))))
}

fn paths(field: &'static str, texts: &[String]) -> Result<Vec<PathBuf>, StepError> {
    if texts.is_empty() {
        return Err(StepError::NoPath(field));
    }
    let mut seen = BTreeSet::new();
    for text in texts {
        let path = Path::new(text);
        let plain = path.components().all(|c| matches!(c, Component::RootDir | Component::Normal(_)));
        // Components forget `//`, `/./` and a slash at the end; a path that is written so is not the mount's own name.
        let rewritten: PathBuf = path.components().collect();
        if !path.is_absolute() || !plain || rewritten.as_os_str() != path.as_os_str() || text.contains(['\0', '\n']) {
            return Err(StepError::Path(shorten(text)));
        }
        if !seen.insert(path) {
            return Err(StepError::Twice(shorten(text)));
        }
    }
    Ok(texts.iter().map(PathBuf::from).collect())
}

#[cfg(test)]
mod tests;
