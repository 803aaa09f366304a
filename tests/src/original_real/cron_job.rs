//! How does a script run again and again, each run replacing one that is not over? As a `CronJob` with `concurrencyPolicy: Replace`.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// A pod that is to go is told so, and killed so much later (`terminationGracePeriodSeconds`).
const GRACE: Duration = Duration::from_secs(30);

/// It is stopped, with the run that is not over, when this is dropped.
#[derive(Debug)]
pub(super) struct CronJob(JoinHandle<()>);

/// What each run needs.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) script: String,
    pub(super) kubeconfig: PathBuf,
    /// Its home, for what `kubectl` caches.
    pub(super) home: PathBuf,
    /// Gets what the runs say.
    pub(super) log: PathBuf,
}

impl CronJob {
    /// Runs at each whole multiple of `every` by the wall clock.
    pub(super) fn start(job: Job, every: Duration) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&job.home).with_context(|| format!("making {}", job.home.display()))?;
        Ok(Self(tokio::spawn(async move {
            let mut ticks = interval_at(Instant::now() + until_next(every), every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            let mut last: Option<Child> = None;
            loop {
                ticks.tick().await;
                if let Some(child) = last.take() {
                    tokio::spawn(replace(child));
                }
                match job.run() {
                    Ok(child) => last = Some(child),
                    Err(error) => tracing::error!("the coordinator cannot be run: {error:#}"),
                }
            }
        })))
    }
}

impl Drop for CronJob {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Job {
    /// As the first process of a container, which is what makes it deaf to SIGTERM.
    fn run(&self) -> anyhow::Result<Child> {
        let Self { script, kubeconfig, home, log } = self;
        let file = OpenOptions::new().create(true).append(true).open(log);
        let file = file.with_context(|| format!("opening {}", log.display()))?;
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--", "sh", "-c", script]).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin")));
        command.env("KUBECONFIG", kubeconfig).env("HOME", home);
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).kill_on_drop(true);
        command.spawn().context("running unshare")
    }
}

/// Tells a run to end, and ends it when it has not done so by itself.
async fn replace(mut child: Child) {
    if let Some(shell) = child.id().and_then(first_child) {
        // It may have ended by itself.
        let _ = kill_process(shell, Signal::TERM);
    }
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}

/// The process that `unshare` started.
fn first_child(parent: u32) -> Option<Pid> {
    let path = Path::new("/proc").join(parent.to_string()).join("task").join(parent.to_string()).join("children");
    let children = std::fs::read_to_string(path).ok()?;
    Pid::from_raw(children.split_whitespace().next()?.parse().ok()?)
}

fn until_next(every: Duration) -> Duration {
    let since = Duration::try_from(Timestamp::now().as_duration()).unwrap_or_default();
    let every_ms = every.as_millis().max(1);
    let wait_ms = every_ms - since.as_millis() % every_ms;
    Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator_process::eventually;

    /// Process namespaces are to be had where a machine of its own is.
    #[test]
    fn a_run_that_sleeps_is_replaced() {
        crate::isolated::run(
            Duration::from_mins(2),
            || Ok(vec![]),
            async || {
                let folder = std::env::temp_dir().join("cron");
                let (kubeconfig, home, log) = (folder.join("none"), folder.join("home"), folder.join("log"));
                let job = Job { script: "echo run; sleep 600".to_owned(), kubeconfig, home, log: log.clone() };
                let _cron_job = CronJob::start(job, Duration::from_millis(200))?;
                let runs = || std::fs::read_to_string(&log).unwrap_or_default().lines().count();
                eventually("three runs", Duration::from_mins(1), || (runs() >= 3).then_some(())).await;
                Ok(())
            },
        );
    }
}
