//! How is kubectl run, as a user runs it?

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::control_plane::shared::{is_ci, say};

/// One command; discovery of all groups is the slow part.
const TIMEOUT_S: u64 = 120;

/// The folder of the manifests.
pub fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests")
}

/// Whether there is a kubectl; its absence is said, with what is left out for it.
///
/// # Panics
/// When it is absent and `CI=true`.
pub fn is_there(left_out: &str) -> bool {
    let found =
        Command::new("kubectl").args(["version", "--client"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    assert!(found || !is_ci(), "{left_out}: no kubectl on PATH (CI=true: this must not be skipped)");
    if !found {
        say(&format!("SKIPPED: {left_out}: no kubectl on PATH"));
    }
    found
}

/// What kustomize makes of an overlay.
///
/// # Panics
/// When it cannot.
pub fn render(overlay: &str) -> String {
    kustomize(&manifests().join("overlays").join(overlay))
}

/// What kustomize makes of a folder.
///
/// # Panics
/// When it cannot.
pub fn kustomize(folder: &Path) -> String {
    run(Command::new("kubectl").arg("kustomize").arg(folder))
}

/// Applies an overlay as a user does. The cache of discovery lies in `folder`.
///
/// # Panics
/// When the API server refuses any of it, or warns of any of it.
pub async fn apply(kubeconfig: &Path, folder: &Path, overlay: &str) {
    let mut command = Command::new("kubectl");
    command.arg("--kubeconfig").arg(kubeconfig).arg("--cache-dir").arg(folder.join("kubectl-cache"));
    command.args(["--warnings-as-errors", "apply", "-k"]).arg(manifests().join("overlays").join(overlay));
    let applied = tokio::task::spawn_blocking(move || run(&mut command));
    let limit = Duration::from_secs(TIMEOUT_S);
    tokio::time::timeout(limit, applied).await.expect("kubectl apply ends in time").expect("kubectl apply works");
}

/// What kubectl said, and whether it worked.
#[derive(Clone, Debug)]
pub struct Said {
    /// It ended with 0.
    pub worked: bool,
    /// Its output, and then its errors.
    pub text: String,
}

/// Runs kubectl with `arguments` against a control plane. The cache of discovery lies in `folder`.
///
/// # Panics
/// When it cannot be run, or does not end in time.
pub async fn say_to(kubeconfig: &Path, folder: &Path, arguments: &[&str]) -> Said {
    let mut command = Command::new("kubectl");
    command.arg("--kubeconfig").arg(kubeconfig).arg("--cache-dir").arg(folder.join("kubectl-cache"));
    command.args(arguments).stdin(Stdio::null());
    let ran = tokio::task::spawn_blocking(move || command.output());
    let limit = Duration::from_secs(TIMEOUT_S);
    let output = tokio::time::timeout(limit, ran).await.expect("kubectl ends in time").expect("it ran");
    let output = output.expect("kubectl can be run");
    let text = [output.stdout, output.stderr].concat();
    Said { worked: output.status.success(), text: String::from_utf8_lossy(&text).into_owned() }
}

fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}: {said}", output.status);
    String::from_utf8(output.stdout).expect("kubectl writes UTF-8")
}
