//! A pod that holds something: pre with a plan, the keeper and guard that it leaves, what they wrote down.

use std::path::PathBuf;

use serde_json::Value;
use shared::identity::AttemptId;

use crate::bed::{Bed, eventually, path};
use crate::hook::{Ended, Hook};

/// A plan of one exec step that writes `freeze` and `thaw` into the log.
pub fn exec_plan(bed: &Bed) -> String {
    exec_plan_with(bed, "", "")
}

/// The same, with shell text that runs after the word was written.
pub fn exec_plan_with(bed: &Bed, freeze: &str, thaw: &str) -> String {
    let log = bed.path("log");
    let script = |word: &str, then: &str| format!("echo {word} >>{}; {then}", path(&log));
    let argv = |script: String| serde_json::json!(["/bin/sh", "-c", script]);
    serde_json::json!([{ "exec": { "freeze": argv(script("freeze", freeze)), "thaw": argv(script("thaw", thaw)) } }])
        .to_string()
}

impl Bed {
    /// A pre hook with a plan, not started yet.
    pub fn pre_with(&self, plan: &str) -> Hook {
        self.hook("pre").env("QUIESCE", plan).env("HOOK_TIMEOUT", "5m")
    }

    /// Runs a pre hook that is released at once.
    pub async fn released(&self, pre: Hook) -> (AttemptId, Ended) {
        let before = self.member().map(|member| member.attempt);
        let pre = pre.start();
        let attempt = match before {
            Some(before) => self.waiting_other_than(&before).await,
            None => self.waiting().await,
        };
        self.release(7, &[&attempt]);
        (attempt, pre.ended().await)
    }

    /// Runs a pre hook that holds.
    pub async fn holding(&self, plan: &str) -> AttemptId {
        let (attempt, ended) = self.released(self.pre_with(plan)).await;
        ended.check(0, &["quiesced (", "reported"]);
        attempt
    }

    /// What the plan's programs wrote, as words.
    pub fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        text.split_whitespace().map(str::to_owned).collect()
    }

    /// Waits until the plan's programs have written these words, and no others.
    pub async fn logs(&self, words: &[&str]) {
        let found = eventually(|| (self.log() == words).then_some(())).await;
        assert!(found.is_some(), "the log is {:?}, not {words:?}", self.log());
    }

    /// What cries for help there were.
    pub fn alarms(&self) -> String {
        std::fs::read_to_string(self.path("alarm")).unwrap_or_default()
    }

    /// The keeper's private folder.
    pub fn place(&self) -> PathBuf {
        self.path(&format!("hook-agent-{}", rustix::process::geteuid().as_raw()))
    }

    /// What is written down as held.
    pub fn record(&self) -> Option<Value> {
        let text = std::fs::read_to_string(self.place().join("held.json")).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// The processes of this pod that run `command`, by their number in this process's view.
    pub fn processes(&self, command: &str) -> Vec<u32> {
        testbed::agent_processes::running(command, &self.place())
    }

    /// Waits until one process that runs `command` stands by, and gives it.
    pub async fn stands_by(&self, command: &str) -> u32 {
        let found = eventually(|| match testbed::agent_processes::standing_by(command, &self.place())[..] {
            [one] => Some(one),
            _ => None,
        });
        found.await.unwrap_or_else(|| panic!("no process, or several, that will run `{command}` stand by"))
    }

    /// The one process that runs `command`.
    pub fn the(&self, command: &str) -> u32 {
        let found = self.processes(command);
        assert_eq!(found.len(), 1, "processes that run `{command}`: {found:?}");
        found[0]
    }

    /// Waits until neither keeper nor guard is there.
    pub async fn nobody_is_left(&self) {
        let gone = || (self.processes("keep").is_empty() && self.processes("guard").is_empty()).then_some(());
        assert!(eventually(gone).await.is_some(), "a keeper or guard is still there");
        assert_eq!(self.record(), None, "nobody is there and something is written down as held");
    }
}

/// Sends a signal by name.
pub fn signal(name: &str, pid: u32) {
    let sent = std::process::Command::new("kill").args(["-s", name, &pid.to_string()]).status().expect("kill runs");
    assert!(sent.success(), "kill -s {name} {pid}: {sent}");
}
