//! Where do Velero, its AWS plugin, the stand-in kubelet and the definitions of their kinds come from?

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::Context as _;

use crate::binaries;
use crate::isolated::{Absent, Variables};

/// Builds all of it from Go modules into a cache folder; prints lines of `NAME=PATH`, at once when it is there already.
pub(super) const BUILD_SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/real-velero.sh");

/// Builds kube-apiserver and etcd the same way.
const CONTROL_PLANE_SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/control-plane.sh");

/// What the script's lines begin with; as variables of these names they reach the inside of a test.
const NAMES: [&str; 4] = ["VELERO", "VELERO_PLUGIN_FOR_AWS", "KUBELET_STAND_IN", "VELERO_CRDS"];

/// Programs and definitions, absolute paths.
#[derive(Clone, Debug)]
pub struct RealPrograms {
    /// Velero's server.
    pub velero: PathBuf,
    /// Its plugin for AWS.
    pub plugin: PathBuf,
    /// What runs hooks in pods.
    pub kubelet: PathBuf,
    /// A folder of YAML files: Velero's kinds and those of CSI snapshots.
    pub definitions: PathBuf,
    /// The hook-agent as it is shipped, static.
    pub hook_agent: PathBuf,
}

impl RealPrograms {
    /// What [`prepare`] made, inside of a test.
    ///
    /// # Errors
    /// When a variable is not set: this is not the inside, or `prepare` was not used.
    pub fn from_environment() -> Result<Self, Absent> {
        let path = |name: &str| {
            let given = std::env::var_os(name).map(PathBuf::from);
            given.ok_or_else(|| {
                Absent(format!("{name} is not set: the test must be run by `isolated::run` with `prepare`"))
            })
        };
        let [velero, plugin, kubelet, definitions] = NAMES;
        Ok(Self {
            velero: path(velero)?,
            plugin: path(plugin)?,
            kubelet: path(kubelet)?,
            definitions: path(definitions)?,
            hook_agent: path(binaries::HOOK_AGENT_DIST_VARIABLE)?,
        })
    }

    /// A flag of `velero server` that came with a later version: left out where this one does not know it and its default, one, is asked for.
    ///
    /// # Errors
    /// When this Velero cannot do it, or does not tell.
    pub(super) fn server_flag(&self, flag: &str, count: usize) -> anyhow::Result<Option<String>> {
        let help = Command::new(&self.velero).args(["server", "--help"]).stdin(Stdio::null()).output();
        let help = help.with_context(|| format!("asking {} for its flags", self.velero.display()))?;
        if String::from_utf8_lossy(&help.stdout).contains(flag) {
            return Ok(Some(format!("{flag}={count}")));
        }
        anyhow::ensure!(count == 1, "{} has no flag {flag}, and {count} are asked for", self.velero.display());
        Ok(None)
    }
}

/// Finds or builds everything that cannot be made without network: once a process, a quarter of an hour when nothing is there.
///
/// # Errors
/// Where it cannot be had.
pub fn prepare() -> Result<Variables, Absent> {
    static FOUND: OnceLock<Result<Variables, String>> = OnceLock::new();
    FOUND.get_or_init(|| find().map_err(|absent| absent.0)).clone().map_err(Absent)
}

fn find() -> Result<Variables, Absent> {
    // A coordinator that is not fit to be built is no absence.
    let mut variables = vec![(binaries::COORDINATOR_VARIABLE.to_owned(), binaries::coordinator().into())];
    let hook_agent = binaries::shipped_hook_agent().map_err(|error| Absent(error.to_string()))?;
    variables.push((binaries::HOOK_AGENT_DIST_VARIABLE.to_owned(), hook_agent.into_os_string()));
    if std::env::var_os(crate::control_plane::ASSETS_VARIABLE).is_none() {
        output(CONTROL_PLANE_SCRIPT)?;
    }
    let lines: BTreeMap<String, OsString> = output(BUILD_SCRIPT)?
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, path)| (name.to_owned(), path.into()))
        .collect();
    for name in NAMES {
        let path = lines.get(name).ok_or_else(|| Absent(format!("{BUILD_SCRIPT} printed no line {name}=PATH")))?;
        variables.push((name.to_owned(), path.clone()));
    }
    Ok(variables)
}

fn output(script: &str) -> Result<String, Absent> {
    let ran = Command::new(script).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = ran.map_err(|error| Absent(format!("cannot run {script}: {error}")))?;
    if !output.status.success() {
        return Err(Absent(format!("{script} ended with {}; its output says why", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
