//! How is a program run in nothing but its image? In a chroot, as the image's user, with an empty environment.

use std::process::{Command, Stdio};

use testbed::control_plane::shared::{is_ci, say};

use crate::archive::{Image, fresh_folder, text};

/// This machine's, as images name it.
pub const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

/// Runs `/<program> arguments`; what it wrote.
///
/// # Panics
/// When it fails, or, with `CI=true`, when nobody may chroot here.
pub fn run(image: &Image, program: &str, arguments: &[&str]) -> String {
    let root = fresh_folder("root");
    image.unpack(&root);
    let mut command = Command::new("chroot");
    command.args(["--userspec", "65532:65532", text(&root), &format!("/{program}")]).args(arguments);
    let output = command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null()).output();
    let output = output.expect("chroot is in coreutils");
    let _ = std::fs::remove_dir_all(&root);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?} in its image: {}: {said}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Whether this user may chroot.
pub fn may() -> bool {
    let may = rustix::process::geteuid().is_root();
    assert!(may || !is_ci(), "only root may chroot (CI=true: the images' programs must be run)");
    if !may {
        say("SKIPPED: running the images' programs in their images (needs root for chroot)");
    }
    may
}
