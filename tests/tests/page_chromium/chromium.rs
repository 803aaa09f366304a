//! How is a real browser asked? Headless Chromium, by its `DevTools` protocol over two pipes; all of its traffic stays on loopback.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use serde_json::{Value, json};
use testbed::programs::on_path;

/// One answer takes no longer than this: a full-page picture on a busy machine takes seconds.
const ANSWER_LIMIT: Duration = Duration::from_mins(2);

/// Chromium ends within this when it is asked to, or is killed.
const END_LIMIT: Duration = Duration::from_secs(5);

/// What Debian and others call it.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Where it is, if it is there.
pub fn installed() -> Option<PathBuf> {
    NAMES.into_iter().find_map(on_path)
}

/// A running Chromium with one page. It ends when this is dropped.
pub struct Chromium {
    child: Child,
    to: Option<ChildStdin>,
    from: Receiver<Value>,
    asked: u64,
    session: Option<String>,
    events: Vec<Value>,
}

impl Chromium {
    /// Starts one; it keeps its files in `folder`.
    pub fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        // It reads commands from descriptor 3 and answers on 4; a shell puts them there.
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 0</dev/null 1>&2"]).arg(program);
        command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]);
        command.args(["--no-first-run", "--disable-background-networking", "--disable-component-update"]);
        command.args(["--disable-sync", "--disable-dev-shm-usage", "--disable-extensions", "--no-proxy-server"]);
        command.args(["--hide-scrollbars", "--force-color-profile=srgb"]);
        command.arg("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1");
        command.arg(format!("--user-data-dir={}", folder.join("profile").display())).arg("about:blank");
        command.env("HOME", folder).env("XDG_CONFIG_HOME", folder).env("XDG_CACHE_HOME", folder);
        let noise = std::fs::File::create(folder.join("chromium.log")).context("making its log")?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(noise)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let answers = child.stdout.take().context("its answers")?;
        let to = child.stdin.take();
        let (heard, from) = channel();
        thread::spawn(move || {
            for message in BufReader::new(answers).split(0).map_while(Result::ok) {
                if let Ok(value) = serde_json::from_slice(&message)
                    && heard.send(value).is_err()
                {
                    return;
                }
            }
        });
        let mut browser = Self { child, to, from, asked: 0, session: None, events: Vec::new() };
        let target = browser.ask("Target.createTarget", &json!({"url": "about:blank"}))?;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.ask("Target.attachToTarget", &attach)?;
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Network", "Log", "Accessibility"] {
            browser.ask(&format!("{domain}.enable"), &json!({}))?;
        }
        // The page must be of use to those who let no script run.
        browser.ask("Emulation.setScriptExecutionDisabled", &json!({"value": true}))?;
        Ok(browser)
    }

    /// Asks, and gives the result.
    pub fn ask(&mut self, method: &str, params: &Value) -> anyhow::Result<Value> {
        self.asked += 1;
        let id = self.asked;
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        let to = self.to.as_mut().context("it was closed")?;
        to.write_all(&bytes).with_context(|| format!("asking {method}"))?;
        let begin = Instant::now();
        loop {
            let answer = self.next(begin, method)?;
            if answer["id"] == id {
                if !answer["error"].is_null() {
                    bail!("{method}: {}", answer["error"]);
                }
                return Ok(answer["result"].clone());
            }
        }
    }

    fn next(&mut self, begin: Instant, what: &str) -> anyhow::Result<Value> {
        let left = ANSWER_LIMIT.saturating_sub(begin.elapsed());
        match self.from.recv_timeout(left) {
            Ok(message) => {
                if message["method"].is_string() {
                    self.events.push(message.clone());
                }
                Ok(message)
            }
            Err(RecvTimeoutError::Timeout) => bail!("no answer to {what} within {ANSWER_LIMIT:?}"),
            Err(RecvTimeoutError::Disconnected) => bail!("Chromium ended while it was asked {what}"),
        }
    }

    /// Goes there and waits until all is loaded; gives what happened meanwhile.
    pub fn visit(&mut self, url: &str) -> anyhow::Result<Vec<Value>> {
        self.events.clear();
        let went = self.ask("Page.navigate", &json!({"url": url}))?;
        if let Some(error) = went["errorText"].as_str() {
            bail!("{url}: {error}");
        }
        let begin = Instant::now();
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            self.next(begin, url)?;
        }
        Ok(std::mem::take(&mut self.events))
    }

    /// How large the window is, px, and which theme is preferred.
    pub fn look(&mut self, (width, height): (u32, u32), theme: &str) -> anyhow::Result<()> {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.ask("Emulation.setDeviceMetricsOverride", &size)?;
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": theme}]});
        self.ask("Emulation.setEmulatedMedia", &media)?;
        Ok(())
    }

    /// What an expression is, in the page.
    pub fn evaluate(&mut self, expression: &str) -> anyhow::Result<Value> {
        let answer = self.ask("Runtime.evaluate", &json!({"expression": expression, "returnByValue": true}))?;
        if !answer["exceptionDetails"].is_null() {
            bail!("{expression}: {}", answer["exceptionDetails"]);
        }
        Ok(answer["result"]["value"].clone())
    }

    /// A picture of the whole page.
    pub fn picture(&mut self, to: &Path) -> anyhow::Result<()> {
        let answer = self.ask("Page.captureScreenshot", &json!({"format": "png", "captureBeyondViewport": true}))?;
        let data = answer["data"].as_str().context("a picture")?;
        let bytes = base64::engine::general_purpose::STANDARD.decode(data).context("base64")?;
        std::fs::write(to, bytes).with_context(|| format!("writing {}", to.display()))
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It ends when nobody holds its pipe any more; what it was asked last may go unanswered.
        self.session = None;
        self.to = None;
        let begin = Instant::now();
        while begin.elapsed() < END_LIMIT {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = (self.child.kill(), self.child.wait());
    }
}
