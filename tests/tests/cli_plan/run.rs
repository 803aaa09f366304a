//! Runs `coordinator plan` on a folder of its own.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use testbed::clusters::{ClusterRules, Form, Made, write};
use testbed::coordinator_process::coordinator_command;

/// A folder that goes with its test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("testbed-plan-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_string_lossy().into_owned()
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left = std::fs::remove_dir_all(&self.0).is_err();
    }
}

/// A made-up cluster as one list, and what its maker counted.
pub fn cluster(seed: u64, workloads: usize, odd: bool) -> (String, Made) {
    let mut text = Vec::new();
    let made = write(ClusterRules { seed, workloads, odd }, Form::List, &mut text).unwrap();
    (String::from_utf8(text).unwrap(), made)
}

/// How it ended and what it said.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// Runs it; `input` is its standard input. The day is fixed, so that nothing depends on when the test runs.
pub fn plan(arguments: &[&str], input: Option<&str>) -> Ended {
    let mut command = coordinator_command();
    command.arg("plan").args(["--date", "2026-06-15"]).args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = input.unwrap_or_default().to_owned();
    // A program that refuses its arguments does not read what it is given.
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()).is_ok());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Ended { code: status.code(), stdout: text(&stdout), stderr: text(&stderr) }
}
