//! Which scripts are run as the original's, and how do they get into pods?

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::original::Reading;

/// Names a folder with `pre-backup-hook.sh`, `post-backup-hook.sh` and `coordinator.sh` to be run in place of ours.
pub const VARIABLE: &str = "ORIGINAL_SCRIPTS";

/// Where the original's Schedules look for its pre hook.
pub const PRE: &str = "/hooks/pre-backup-hook.sh";

/// Where they look for its post hook.
pub const POST: &str = "/hooks/post-backup-hook.sh";

/// What a container's `PATH` is without anything granted.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Reads labels without their quotes.
const CAT: &str = include_str!("scripts/granted/cat");

/// Labels markers.
const KUBECTL: &str = include_str!("scripts/granted/kubectl");

/// The texts.
#[derive(Clone, Debug)]
pub struct Scripts {
    pre: String,
    post: String,
    /// For `sh -c`.
    pub(super) coordinator: String,
    /// Where they come from, for whoever reads figures.
    pub source: String,
}

impl Scripts {
    /// Those that [`VARIABLE`] names, else ours.
    pub fn chosen() -> anyhow::Result<Self> {
        let Some(folder) = std::env::var_os(VARIABLE).map(PathBuf::from) else { return Ok(Self::ours()) };
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).with_context(|| format!("{VARIABLE}: reading {}", path.display()))
        };
        let (pre, post) = (read("pre-backup-hook.sh")?, read("post-backup-hook.sh")?);
        Ok(Self { pre, post, coordinator: read("coordinator.sh")?, source: "its own scripts".to_owned() })
    }

    fn ours() -> Self {
        Self {
            pre: include_str!("scripts/pre-backup-hook.sh").to_owned(),
            post: include_str!("scripts/post-backup-hook.sh").to_owned(),
            coordinator: include_str!("scripts/coordinator.sh").to_owned(),
            source: "its protocol in our words".to_owned(),
        }
    }

    /// Writes them, and what may be granted, below the root of an image.
    pub(super) fn put_into(&self, image: &Path) -> anyhow::Result<()> {
        let files = [
            (PRE.to_owned(), self.pre.as_str()),
            (POST.to_owned(), &self.post),
            (format!("{}/cat", granted(Reading::Unquoted)), CAT),
            (format!("{}/cat", granted(Reading::Labelled)), CAT),
            (format!("{}/kubectl", granted(Reading::Labelled)), KUBECTL),
        ];
        for (path, text) in files {
            let path = image.join(path.trim_start_matches('/'));
            let folder = path.parent().context("a script lies in a folder")?;
            std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
            std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
            let executable = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&path, executable).with_context(|| format!("marking {}", path.display()))?;
        }
        Ok(())
    }
}

/// The folder with what a reading grants.
fn granted(reading: Reading) -> &'static str {
    match reading {
        Reading::AsInstalled | Reading::Literal => "",
        Reading::Unquoted => "/granted/unquoted",
        Reading::Labelled => "/granted/labelled",
    }
}

/// `PATH` of a workload with what a reading grants.
pub(super) fn path(reading: Reading) -> String {
    match granted(reading) {
        "" => PATH.to_owned(),
        folder => format!("{folder}:{PATH}"),
    }
}
