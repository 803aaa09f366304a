//! What `install`, `sidecar` and `ready` need, checked once.

use std::path::PathBuf;

use super::{
    AccessFlags, Limits, Names, PODINFO_DIR, PreSettings, QuiesceSettings, SettingError, set, state_dir, wrong,
};
use crate::cli::{CommonArgs, InstallArgs, PreArgs, ReadyArgs, SidecarArgs};
use crate::lines::chain;
use crate::quiesce::plan::Plan;

/// Everything that `sidecar` needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResidentSettings {
    /// How it holds still, or what it watches over.
    pub quiesce: QuiesceSettings,
    /// Who it is.
    pub names: Names,
    /// Whom it tells.
    pub access: AccessFlags,
    /// How long what it holds counts without a post hook; the rest is the hooks' matter.
    pub limits: Limits,
}

impl TryFrom<SidecarArgs> for ResidentSettings {
    type Error = SettingError;

    fn try_from(args: SidecarArgs) -> Result<Self, SettingError> {
        let SidecarArgs { quiesce, common } = args;
        // The same flags mean the same as to the hooks.
        let PreSettings { quiesce, names, access, limits } =
            PreArgs { quiesce, common, ..PreArgs::default() }.try_into()?;
        Ok(Self { quiesce, names, access, limits })
    }
}

/// Everything that `install` needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallSettings {
    /// The folder that gets the program.
    pub to: PathBuf,
    /// The plan as flag or environment say it.
    pub plan: Option<String>,
    /// The downward API's annotations file, which may say it too.
    pub annotations_file: PathBuf,
    /// Where the mark of the sweep goes.
    pub state_dir: Option<PathBuf>,
}

impl TryFrom<InstallArgs> for InstallSettings {
    type Error = SettingError;

    fn try_from(args: InstallArgs) -> Result<Self, SettingError> {
        let InstallArgs { to, quiesce, state_dir: dir, podinfo_dir } = args;
        let to = PathBuf::from(to);
        if !to.is_absolute() {
            return Err(wrong("--to (INSTALL_TO)", format!("`{}` is not an absolute path", to.display())));
        }
        let plan = set(quiesce);
        if let Some(text) = &plan {
            Plan::parse(text).map_err(|e| wrong("--quiesce (QUIESCE)", chain(&e)))?;
        }
        let podinfo_dir = PathBuf::from(set(podinfo_dir).unwrap_or_else(|| PODINFO_DIR.to_owned()));
        let state_dir = state_dir(&CommonArgs { state_dir: dir, ..CommonArgs::default() })?;
        Ok(Self { to, plan, annotations_file: podinfo_dir.join("annotations"), state_dir })
    }
}

/// Everything that `ready` needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadySettings {
    /// Where the resident listens.
    pub state_dir: Option<PathBuf>,
}

impl TryFrom<ReadyArgs> for ReadySettings {
    type Error = SettingError;

    fn try_from(args: ReadyArgs) -> Result<Self, SettingError> {
        let ReadyArgs { state_dir: dir } = args;
        Ok(Self { state_dir: state_dir(&CommonArgs { state_dir: dir, ..CommonArgs::default() })? })
    }
}
