//! One control plane for all tests of a process, or of a whole test run, and what happens when there is none.
//!
//! [`VARIABLE`] says what an outer process has already settled: the kubeconfig of a running control plane, or
//! [`ABSENT`]. The program `control-plane` sets it for the command that it runs.

use super::{ControlPlane, StartError};
use std::ffi::OsStr;
use std::io::Write;
use tokio::sync::OnceCell;

/// Environment: path of the kubeconfig of a control plane that runs already, or [`ABSENT`].
pub const VARIABLE: &str = "TESTBED_CONTROL_PLANE";

/// Value of [`VARIABLE`]: none can be started here, and that was said already.
pub const ABSENT: &str = "absent";

/// What came of the one start in this process.
enum Outcome {
    Running(Box<ControlPlane>),
    Absent,
    Failed(String),
}

impl ControlPlane {
    /// The one of this process, started at the first call. None when the programs cannot be had on this machine: the test
    /// then returns, and one line on stderr has said so.
    ///
    /// # Panics
    /// When it could be started and was not ready, and, with `CI=true`, when the programs cannot be had.
    pub async fn shared() -> Option<&'static Self> {
        static SHARED: OnceCell<Outcome> = OnceCell::const_new();
        match SHARED.get_or_init(settle).await {
            Outcome::Running(control_plane) => Some(control_plane),
            Outcome::Absent => None,
            Outcome::Failed(reason) => panic!("no control plane: {reason}"),
        }
    }

    /// One of the caller's own, for a test that changes what is cluster-wide. None as in [`Self::shared`].
    ///
    /// # Panics
    /// As in [`Self::shared`].
    pub async fn own() -> Option<Self> {
        if std::env::var(VARIABLE).is_ok_and(|value| value == ABSENT) {
            return None;
        }
        match Self::start().await {
            Ok(control_plane) => Some(control_plane),
            Err(StartError::Binaries(error)) if error.is_absence() && !is_ci() => {
                say_skipped(&chain(&error));
                None
            }
            Err(error) => panic!("no control plane: {}", chain(&error)),
        }
    }
}

async fn settle() -> Outcome {
    let started = match std::env::var_os(VARIABLE) {
        Some(value) if value == OsStr::new(ABSENT) => return absent("settled outside"),
        Some(kubeconfig) if !kubeconfig.is_empty() => {
            ControlPlane::attach(kubeconfig.into()).await.map_err(StartError::from)
        }
        _ => ControlPlane::start().await,
    };
    match started {
        Ok(control_plane) => Outcome::Running(Box::new(control_plane)),
        Err(StartError::Binaries(error)) if error.is_absence() => absent(&chain(&error)),
        Err(error) => Outcome::Failed(chain(&error)),
    }
}

fn absent(reason: &str) -> Outcome {
    if is_ci() {
        return Outcome::Failed(format!("{reason} (CI=true: these tests must not be skipped)"));
    }
    say_skipped(reason);
    Outcome::Absent
}

/// Whether absence is a failure: `CI` is set to anything but `false` or nothing.
pub fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !value.is_empty() && value != "false")
}

/// Says that the tests of this module's control plane do not run, and how to change that.
pub fn say_skipped(reason: &str) {
    let variable = super::ASSETS_VARIABLE;
    say(&format!(
        "SKIPPED: every test against a real kube-apiserver ({reason}). To run them, put kube-apiserver and etcd into PATH \
         or set {variable}, or install Go and run tests/tools/control-plane.sh (about ten minutes, once)."
    ));
}

/// One line that the test harness does not swallow: it captures `eprintln!`, not the stream itself.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// The error and all that caused it, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
