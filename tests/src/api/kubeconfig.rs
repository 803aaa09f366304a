//! How does a client find and enter the server? A kubeconfig file.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

/// Writes `<dir>/kubeconfig` for a user's token and returns its path. JSON is YAML.
pub fn write(dir: &Path, url: &str, user: &str, token: &str) -> io::Result<PathBuf> {
    std::fs::create_dir_all(dir)?;
    let path = dir.join("kubeconfig");
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "embedded", "cluster": {"server": url}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "embedded", "context": {"cluster": "embedded", "user": user}}],
        "current-context": "embedded",
    });
    std::fs::write(&path, format!("{config:#}\n"))?;
    Ok(path)
}
