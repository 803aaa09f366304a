//! Where the product's own programs are. They are built first, so that a test never runs a stale one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The hook-agent; [`HOOK_AGENT_VARIABLE`] names another one.
///
/// # Panics
/// When it cannot be built, with cargo's words.
pub fn hook_agent() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| given_or_built(HOOK_AGENT_VARIABLE, "hook-agent"))
}

/// The coordinator; [`COORDINATOR_VARIABLE`] names another one.
///
/// # Panics
/// When it cannot be built, with cargo's words.
pub fn coordinator() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| given_or_built(COORDINATOR_VARIABLE, "coordinator"))
}

/// Names a hook-agent to run instead of building one: the shipped one, for instance.
pub const HOOK_AGENT_VARIABLE: &str = "HOOK_AGENT_BIN";

/// Names a coordinator to run instead of building one.
pub const COORDINATOR_VARIABLE: &str = "COORDINATOR_BIN";

/// The static hook-agent as it is shipped; `make` builds it. [`HOOK_AGENT_DIST_VARIABLE`] names another place.
///
/// # Errors
/// When there is none, with the places that were looked at.
pub fn shipped_hook_agent() -> Result<PathBuf, NotShipped> {
    if let Some(given) = std::env::var_os(HOOK_AGENT_DIST_VARIABLE).filter(|given| !given.is_empty()) {
        let given = PathBuf::from(given);
        return if given.is_file() { Ok(given) } else { Err(NotShipped { looked_at: vec![given] }) };
    }
    let target = target_dir();
    let places = STATIC_TARGETS.map(|triple| target.join(triple).join("dist").join("hook-agent"));
    match places.iter().find(|place| place.is_file()) {
        Some(found) => Ok(found.clone()),
        None => Err(NotShipped { looked_at: places.to_vec() }),
    }
}

/// Names the shipped hook-agent.
pub const HOOK_AGENT_DIST_VARIABLE: &str = "HOOK_AGENT_DIST";

/// Where cargo puts a static build: musl first, glibc with a static C runtime where musl cannot be had.
const STATIC_TARGETS: [&str; 4] = [
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
];

/// There is no shipped hook-agent.
#[derive(Debug, thiserror::Error)]
#[error("the static hook-agent is not built (looked at {}): run `make agent`, or set {HOOK_AGENT_DIST_VARIABLE}",
    .looked_at.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "))]
pub struct NotShipped {
    /// Where it could have been.
    pub looked_at: Vec<PathBuf>,
}

fn given_or_built(variable: &str, package: &str) -> PathBuf {
    match std::env::var_os(variable).filter(|given| !given.is_empty()) {
        Some(given) => PathBuf::from(given),
        None => build(package),
    }
}

/// Asks cargo for the program in the profile that this test was built in; when nothing changed that takes a moment.
fn build(package: &str) -> PathBuf {
    let profile_dir = profile_dir();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // Of the whole workspace, as `make` does: with another selection cargo unifies features differently and builds most of it anew.
    command.args(["build", "--quiet", "--workspace", "--bin", "hook-agent", "--bin", "coordinator"]);
    command.current_dir(workspace_dir());
    command.arg("--target-dir").arg(target_dir());
    match profile_dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => {}
        Some(profile) => {
            command.args(["--profile", profile]);
        }
    }
    // What cargo set for this test's own package would make the other one look changed.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    let output = command.output().unwrap_or_else(|e| panic!("cannot run cargo to build {package}: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo could not build {package}:\n{said}");
    profile_dir.join(package)
}

/// `target/<profile>`, of which this test's executable lies in a subfolder (`deps`), or directly when it is a program.
fn profile_dir() -> PathBuf {
    let exe = std::env::current_exe().unwrap_or_else(|e| panic!("cannot tell where this test itself is: {e}"));
    let dir = exe.parent().unwrap_or(Path::new("."));
    let inside = matches!(dir.file_name().and_then(|name| name.to_str()), Some("deps" | "examples"));
    if inside { dir.parent().unwrap_or(dir).to_owned() } else { dir.to_owned() }
}

fn target_dir() -> PathBuf {
    let profile = profile_dir();
    profile.parent().unwrap_or(&profile).to_owned()
}

fn workspace_dir() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}
