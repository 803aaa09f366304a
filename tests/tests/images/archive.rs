//! What is in an OCI archive (OCI image-spec: image-layout, index, manifest, config)?

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// An index in an index in an index is nobody's image.
const DEPTH_MAX: u32 = 3;

/// An unpacked archive, removed when this is dropped.
pub struct Archive {
    folder: PathBuf,
}

impl Drop for Archive {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// One image of it.
pub struct Image {
    /// As the config says, such as `amd64`.
    pub architecture: String,
    /// The config's `config`: user, entry point, labels.
    pub config: Value,
    /// The manifest's.
    pub annotations: Value,
    layers: Vec<PathBuf>,
}

/// A folder in the system's temporary one, which no other call has.
pub fn fresh_folder(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("testbed-images-{name}-{}-{count}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    folder
}

/// Runs tar; its output.
pub fn tar(arguments: &[&str]) -> Result<String> {
    let output = Command::new("tar").args(arguments).stdin(Stdio::null()).output().context("tar")?;
    ensure!(output.status.success(), "tar {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("the temporary folder's name is UTF-8")
}

impl Archive {
    /// Unpacks it, and checks that every blob is what its name says.
    pub fn open(path: &Path) -> Result<Self> {
        ensure!(path.is_file(), "it is not there");
        let archive = Self { folder: fresh_folder("archive") };
        tar(&["xf", text(path), "-C", text(&archive.folder)])?;
        let layout: Value = serde_json::from_slice(&std::fs::read(archive.folder.join("oci-layout"))?)?;
        ensure!(layout["imageLayoutVersion"] == "1.0.0", "{layout}");
        for blob in std::fs::read_dir(archive.folder.join("blobs/sha256"))? {
            let blob = blob?.path();
            let output = Command::new("sha256sum").arg(&blob).output().context("sha256sum")?;
            let name = blob.file_name().and_then(|name| name.to_str()).context("a name")?;
            ensure!(String::from_utf8_lossy(&output.stdout).starts_with(name), "{name} is not what its name says");
        }
        Ok(archive)
    }

    fn blob(&self, digest: &Value) -> PathBuf {
        let digest = digest.as_str().and_then(|digest| digest.strip_prefix("sha256:")).expect("a sha256 digest");
        self.folder.join("blobs/sha256").join(digest)
    }

    fn json(&self, digest: &Value) -> Value {
        let path = self.blob(digest);
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// All images, through indexes of indexes.
    pub fn images(&self) -> Vec<Image> {
        let index = std::fs::read(self.folder.join("index.json")).expect("index.json");
        let mut images = Vec::new();
        self.collect(&serde_json::from_slice(&index).expect("index.json is JSON"), DEPTH_MAX, &mut images);
        assert!(!images.is_empty(), "no image in the archive");
        images
    }

    fn collect(&self, document: &Value, depth: u32, images: &mut Vec<Image>) {
        assert!(depth > 0, "indexes in more than {DEPTH_MAX} levels");
        if let Some(manifests) = document["manifests"].as_array() {
            for manifest in manifests {
                self.collect(&self.json(&manifest["digest"]), depth - 1, images);
            }
            return;
        }
        let config = self.json(&document["config"]["digest"]);
        let layers = document["layers"].as_array().expect("layers").iter();
        images.push(Image {
            architecture: config["architecture"].as_str().expect("an architecture").to_owned(),
            config: config["config"].clone(),
            annotations: document["annotations"].clone(),
            layers: layers.map(|layer| self.blob(&layer["digest"])).collect(),
        });
    }
}

impl Image {
    /// Every file in its layers, without the folders.
    pub fn files(&self) -> BTreeSet<String> {
        let list = |layer: &PathBuf| tar(&["tf", text(layer)]).expect("a layer is a tar");
        let all = self.layers.iter().map(list).collect::<String>();
        all.lines().filter(|path| !path.ends_with('/')).map(|path| path.trim_start_matches("./").to_owned()).collect()
    }

    /// Its root file system, laid out in `folder`.
    pub fn unpack(&self, folder: &Path) {
        for layer in &self.layers {
            tar(&["xf", text(layer), "-C", text(folder)]).expect("a layer is a tar");
        }
    }
}
