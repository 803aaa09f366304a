//! How does a test get a machine of its own? Its own loopback, ports and processes, which the kernel ends with it.
//!
//! The test starts itself again, for itself alone, inside new network, process and mount namespaces. Nothing in there can leave
//! loopback, fixed ports collide with nobody's, and whatever is started ends when the inside ends, however it ends. What cannot
//! be made inside (programs that are built from the network) is made outside, in `prepare`, and handed in as variables.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::control_plane::shared::{is_ci, say};

/// Names the file in which the inside leaves [`PASSED`]; set means: this is the inside.
const OUTCOME_VARIABLE: &str = "TESTBED_ISOLATED";

/// Set to keep the folder of a test that passed.
const KEEP_VARIABLE: &str = "TESTBED_KEEP";

/// What the inside writes when its body came to a good end. Exit 0 alone proves little: a filter that fits no test gives it too.
const PASSED: &str = "passed";

/// Loopback is down in a new network namespace. The shell stays, as process 1 of the namespace: it reaps what others leave behind.
const INSIDE: &str = "ip link set lo up && \"$@\"; exit $?";

/// Between two looks at the inside's end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The inside notices its own limit and says what it waited for; the outside, which can only kill it, gives it this much more.
const GRACE: Duration = Duration::from_secs(20);

/// How much of the inside's output is shown when it fails: the end of a log says what went wrong.
const SHOWN_BYTES_MAX: usize = 60_000;

/// Why a test cannot run on this machine. It is said, and with `CI=true` the test fails.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Absent(pub String);

/// Variables for the inside.
pub type Variables = Vec<(String, OsString)>;

/// Runs the test from whose body it is called. `prepare` runs outside, once for each test; `body` inside, in a new runtime, at most for
/// `limit`. The closure `body` must be written in the test function itself: its type tells which test this is.
///
/// # Panics
/// When the body fails or panics or takes too long; the message has its output and says where its files are.
pub fn run<F>(limit: Duration, prepare: impl FnOnce() -> Result<Variables, Absent>, body: F)
where
    F: AsyncFnOnce() -> anyhow::Result<()>,
{
    if let Some(outcome) = std::env::var_os(OUTCOME_VARIABLE) {
        inside(limit, Path::new(&outcome), body);
        return;
    }
    let test = test_of(std::any::type_name::<F>());
    match possible().and_then(|()| prepare()) {
        Ok(variables) => outside(limit, &test, variables),
        Err(absent) => {
            assert!(!is_ci(), "{test}: {absent} (CI=true: this test must not be skipped)");
            say(&format!("SKIPPED: {test}: {absent}"));
        }
    }
}

/// `e2e::plain::a_test::{{closure}}` is the closure of test `plain::a_test` of the binary `e2e`.
fn test_of(closure: &str) -> String {
    let path = closure.split("::{{closure}}").next().unwrap_or(closure);
    path.split_once("::").map_or(path, |(_, test)| test).to_owned()
}

fn inside(limit: Duration, outcome: &Path, body: impl AsyncFnOnce() -> anyhow::Result<()>) {
    // The outside holds the other end of our input; when it is gone there is nobody to run for.
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        std::process::exit(1);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let ended = runtime.block_on(async { tokio::time::timeout(limit, body()).await });
    let ended = ended.unwrap_or_else(|_| panic!("not over after {limit:?}"));
    ended.unwrap_or_else(|error| panic!("{error:?}"));
    std::fs::write(outcome, PASSED).expect("the outcome can be written");
}

fn outside(limit: Duration, test: &str, variables: Variables) {
    let folder = new_folder(test);
    let (outcome, output) = (folder.join("outcome"), folder.join("output.log"));
    let log = File::create(&output).expect("a log in a new folder");
    let mut command = unshare();
    command.arg("sh").args(["-c", INSIDE, "sh"]);
    command.arg(std::env::current_exe().expect("this test's own path"));
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env(OUTCOME_VARIABLE, &outcome).env("TMPDIR", &folder).envs(variables);
    command.stdin(Stdio::piped()).stdout(log.try_clone().expect("a second handle")).stderr(log);
    let child = command.spawn().unwrap_or_else(|error| panic!("cannot run unshare: {error}"));
    let ended = wait(child, limit + GRACE);
    let passed = std::fs::read_to_string(&outcome).is_ok_and(|text| text == PASSED);
    if passed && ended.is_some_and(|status| status.success()) {
        if std::env::var_os(KEEP_VARIABLE).is_none() {
            // Left behind it takes some room in the temporary folder.
            let _ = std::fs::remove_dir_all(&folder);
        }
        return;
    }
    let how = ended.map_or_else(|| format!("was killed after {:?}", limit + GRACE), |status| status.to_string());
    panic!("{test}: {how}; its files are in {}\n{}", folder.display(), end_of(&output));
}

/// Waits for its end; kills it at the limit, and with it, by `--kill-child`, everything inside.
fn wait(mut child: Child, limit: Duration) -> Option<ExitStatus> {
    let begin = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if begin.elapsed() < limit => std::thread::sleep(LOOK_EVERY),
            _ => break,
        }
    }
    let _ = (child.kill(), child.wait());
    None
}

fn end_of(output: &Path) -> String {
    let text = std::fs::read(output).unwrap_or_default();
    String::from_utf8_lossy(&text[text.len().saturating_sub(SHOWN_BYTES_MAX)..]).into_owned()
}

/// Short, because sockets with paths of at most 107 characters are made below it.
fn new_folder(test: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("isolated-{}-{count}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    std::fs::write(folder.join("test"), test).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    folder
}

/// The namespaces. Whoever is not root becomes it inside a user namespace, which some systems forbid.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--net", "--pid", "--mount", "--fork", "--mount-proc", "--kill-child", "--"]);
    command
}

/// Whether this machine lets us.
fn possible() -> Result<(), Absent> {
    let tried = unshare().args(["sh", "-c", INSIDE, "sh", "true"]).stdin(Stdio::null()).output();
    match tried {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(Absent(format!(
            "no namespaces to be had here (unshare ended with {}: {}); it needs root or user namespaces, unshare of util-linux and ip of iproute2",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        ))),
        Err(error) => Err(Absent(format!("no unshare of util-linux to be had here: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closures_type_names_its_test() {
        assert_eq!(test_of("e2e::plain::a_test::{{closure}}"), "plain::a_test");
        assert_eq!(test_of("e2e::a_test::{{closure}}::{{closure}}"), "a_test");
    }

    /// Everything bound to the machine is another one's inside: an own port 8080, an own process 1, nothing but loopback.
    #[test]
    fn the_inside_is_a_machine_of_its_own() {
        let limit = Duration::from_mins(1);
        run(
            limit,
            || Ok(vec![("ISOLATED_TEST".into(), "set".into())]),
            async || {
                anyhow::ensure!(std::env::var("ISOLATED_TEST").is_ok_and(|value| value == "set"), "variables arrive");
                std::net::TcpListener::bind("0.0.0.0:8080")?;
                let names = std::fs::read_to_string("/proc/net/dev")?;
                anyhow::ensure!(names.lines().skip(2).all(|line| line.trim().starts_with("lo:")), "{names}");
                anyhow::ensure!(std::fs::read_to_string("/proc/1/comm")?.trim() == "sh", "process 1 is ours");
                Ok(())
            },
        );
    }

    #[test]
    #[should_panic(expected = "on purpose")]
    fn what_fails_inside_fails_outside() {
        assert!(possible().is_ok() || is_ci(), "on purpose: nothing to be shown here");
        run(Duration::from_mins(1), || Ok(vec![]), async || anyhow::bail!("on purpose"));
    }
}
