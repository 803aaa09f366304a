//! Are the images what they say? Each OCI archive in `target/images` is unpacked as a runtime does it, and its program run inside.
//!
//! `make images` builds all of them and runs this; `make test` builds the agent's alone. `IMAGES` names those that must be there
//! (`coordinator,hook-agent`), `IMAGES_DIR` another folder.

mod archive;
mod chroot;

use std::collections::BTreeSet;
use std::path::PathBuf;

use archive::Archive;
use testbed::control_plane::shared::say;

/// What an image must say of itself (OCI image-spec, annotations.md), besides its title.
const SAYS: [&str; 5] = [
    "org.opencontainers.image.licenses",
    "org.opencontainers.image.revision",
    "org.opencontainers.image.source",
    "org.opencontainers.image.title",
    "org.opencontainers.image.version",
];

/// Nobody's user, by number: there is no /etc/passwd, and `runAsNonRoot` can only check numbers.
const USER: &str = "65532:65532";

fn folder() -> PathBuf {
    let given = std::env::var_os("IMAGES_DIR").map(PathBuf::from);
    given.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/images"))
}

fn wanted() -> Vec<String> {
    let names = std::env::var("IMAGES").unwrap_or_else(|_| "coordinator,hook-agent".to_owned());
    names.split(',').map(str::to_owned).collect()
}

fn archives() -> Vec<(String, Archive)> {
    let open = |name: String| {
        let path = folder().join(format!("{name}.oci.tar"));
        let archive = Archive::open(&path).unwrap_or_else(|e| panic!("{}: {e}: make images", path.display()));
        (name, archive)
    };
    wanted().into_iter().map(open).collect()
}

#[test]
fn each_image_holds_one_program_and_says_what_it_is() {
    for (name, archive) in archives() {
        let images = archive.images();
        let architectures: BTreeSet<&str> = images.iter().map(|image| image.architecture.as_str()).collect();
        assert_eq!(architectures.len(), images.len(), "{name}: two images for one architecture");
        for image in &images {
            let what = format!("{name} for {}", image.architecture);
            assert_eq!(image.config["User"], USER, "{what}");
            assert_eq!(image.config["Entrypoint"], serde_json::json!([format!("/{name}")]), "{what}");
            for key in SAYS {
                for (place, said) in [("label", &image.config["Labels"][key]), ("annotation", &image.annotations[key])]
                {
                    assert!(said.as_str().is_some_and(|said| !said.is_empty()), "{what}: no {place} {key}: {said}");
                }
                assert_eq!(image.config["Labels"][key], image.annotations[key], "{what}: {key}");
            }
            assert_eq!(image.annotations["org.opencontainers.image.title"], name.as_str(), "{what}");
            assert_eq!(image.annotations["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"), "{what}");
            assert_eq!(image.files(), BTreeSet::from([name.clone()]), "{what}");
        }
    }
}

#[test]
fn each_program_runs_in_nothing_but_its_image() {
    if !chroot::may() {
        return;
    }
    for (name, archive) in archives() {
        for image in archive.images() {
            let Some(runner) = chroot::runner(&image.architecture) else {
                say(&format!(
                    "{name} for {}: looked at, not run: no emulator here (qemu-user-static)",
                    image.architecture
                ));
                continue;
            };
            let said = chroot::run(&image, &runner, &name, &["--version"]);
            assert_eq!(said.trim(), format!("{name} {}", env!("CARGO_PKG_VERSION")));
            let help = chroot::run(&image, &runner, &name, &["--help"]);
            let first = if name == "coordinator" { "run" } else { "pre" };
            assert!(help.contains(first), "{help}");
        }
    }
}
