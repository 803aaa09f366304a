//! A real `OpenSearch` node, from Maven's artifacts, as a child process on loopback.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use axum::http::Request;
use kube::{Client, Config};
use serde_json::Value;
use testbed::coordinator_process::eventually;

use crate::absence::skipped;

const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tools");

/// From the start of a Java machine to a node that answers; 10 s seen beside a compiler.
const START_TIMEOUT: Duration = Duration::from_mins(3);

/// A node with nothing in it. It ends with this value, or with this process.
pub struct Store {
    child: Child,
    /// Open as long as the node shall live.
    _stdin: ChildStdin,
    client: Client,
    folder: PathBuf,
}

impl Drop for Store {
    fn drop(&mut self) {
        // It may have ended by itself; its folder is a temporary one.
        let _ = (self.child.kill(), self.child.wait(), std::fs::remove_dir_all(&self.folder));
    }
}

/// The folder of its jars, or why there is none.
fn jars() -> Result<PathBuf, String> {
    let script = Path::new(TOOLS).join("opensearch.sh");
    let output = Command::new(&script).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|e| format!("{}: {e}", script.display()))?;
    if output.status.success() {
        return Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    Err(format!("{} ended with {}", script.display(), output.status))
}

impl Store {
    /// Starts one; `None` where it cannot be had, which was said.
    pub async fn start() -> Option<Self> {
        let jars = match tokio::task::spawn_blocking(jars).await.expect("it ran") {
            Ok(jars) => jars,
            Err(why) => {
                skipped("index template and panels against a real OpenSearch", &why);
                return None;
            }
        };
        let folder = std::env::temp_dir().join(format!("testbed-opensearch-{}", std::process::id()));
        for inner in ["config", "modules", "plugins"] {
            std::fs::create_dir_all(folder.join(inner)).expect("a temporary folder");
        }
        let mut child = Command::new("java")
            .args(["-Xms256m", "-Xmx512m", "-cp", &format!("{}/*", jars.display())])
            .arg(Path::new(TOOLS).join("opensearch/OneNode.java"))
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("java starts, as it did for the script");
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (said, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Some(port) = line.strip_prefix("listening ").and_then(|port| port.parse::<u16>().ok()) {
                    let _ = said.send(port);
                }
            }
        });
        let port = eventually("OpenSearch listens", START_TIMEOUT, || heard.try_recv().ok()).await;
        let url = format!("http://127.0.0.1:{port}").parse().expect("an address");
        let client = Client::try_from(Config::new(url)).expect("a client without TLS");
        Some(Self { child, _stdin: stdin, client, folder })
    }

    /// Asks; the answer as JSON.
    ///
    /// # Panics
    /// With its words when it refuses.
    pub async fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let request = Request::builder().method(method).uri(path).header("Content-Type", "application/json");
        let request = request.body(body.as_bytes().to_vec()).expect("a request");
        let answer =
            self.client.request_text(request).await.unwrap_or_else(|e| panic!("{method} {path}: {e:?}\n{body}"));
        serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{method} {path}: {e}: {answer}"))
    }
}
