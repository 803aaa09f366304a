//! How is a program run in nothing but its image? In a chroot, as the image's user, with an empty environment; one for another processor by
//! QEMU's emulator, which is static and lies beside it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use testbed::control_plane::shared::{is_ci, say};
use testbed::programs::on_path;

use crate::archive::{Image, fresh_folder, text};

/// This machine's, as images name it.
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

/// What runs an image's program on this machine.
pub enum Runner {
    /// Its own processor.
    Machine,
    /// An emulator: a static program.
    Emulator(PathBuf),
}

/// What runs programs for `architecture` here; none without an emulator for it.
pub fn runner(architecture: &str) -> Option<Runner> {
    if architecture == ARCHITECTURE {
        return Some(Runner::Machine);
    }
    let emulator = match architecture {
        "arm64" => "qemu-aarch64-static",
        "amd64" => "qemu-x86_64-static",
        _ => return None,
    };
    on_path(emulator).map(Runner::Emulator)
}

/// Runs `/<program> arguments`; what it wrote.
///
/// # Panics
/// When it fails, or, with `CI=true`, when nobody may chroot here.
pub fn run(image: &Image, runner: &Runner, program: &str, arguments: &[&str]) -> String {
    let root = fresh_folder("root");
    image.unpack(&root);
    let mut command = Command::new("chroot");
    command.args(["--userspec", "65532:65532", text(&root)]);
    if let Runner::Emulator(path) = runner {
        std::fs::copy(path, root.join("emulator")).expect("the emulator beside the program");
        command.arg("/emulator");
    }
    command.arg(format!("/{program}")).args(arguments);
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
