//! The status page in a real browser, with five and with five hundred groups, light and dark. `make test` installs Debian's Chromium; where it
//! cannot be had, one line says so, and with `CI=true` the test fails. The pictures lie in `target/status-page`: look at them.

mod chromium;
mod cluster;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};
use testbed::control_plane::shared::{is_ci, say};

use chromium::Chromium;
use cluster::night;

const WINDOW: (u32, u32) = (1_280, 900);
const PHONE: (u32, u32) = (412, 900);

/// Every text with its colour and what lies behind it, as the browser paints them: those with less than 4.5:1.
const PALE_TEXTS: &str = r"(() => {
  const parse = text => (text.match(/[\d.]+/g) || []).map(Number);
  const linear = byte => { const part = byte / 255; return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4; };
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(at).backgroundColor);
      if (a > 0.99) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const pale = [];
  let count = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    if (!node.textContent.trim() || !element.getClientRects().length || ['title', 'desc'].includes(element.localName)) continue;
    const style = getComputedStyle(element);
    const colour = parse(element instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [luminance(colour), luminance(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    count += 1;
    if (ratio < 4.5) pale.push(`${ratio.toFixed(2)} ${element.localName}.${element.getAttribute('class')}: ${node.textContent.trim().slice(0, 40)}`);
  }
  return {count, pale};
})()";

#[tokio::test(flavor = "multi_thread")]
async fn five_groups() {
    look_at(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_groups() {
    look_at(500).await;
}

async fn look_at(groups: usize) {
    let Some(program) = chromium::installed() else {
        let why = "no chromium on the PATH: apt-get install --no-install-recommends chromium";
        assert!(!is_ci(), "the status page in a browser: {why} (CI=true: it must not be skipped)");
        return say(&format!("SKIPPED: the status page in a browser: {why}"));
    };
    let night = night(groups).await.unwrap_or_else(|error| panic!("{error:#}"));
    let url = night.url.clone();
    let seen = tokio::task::spawn_blocking(move || in_browser(&program, &url, groups)).await.unwrap();
    seen.unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(night.coordinator.get("/livez").await.status, 200);
}

fn in_browser(program: &Path, url: &str, groups: usize) -> anyhow::Result<()> {
    let folder = Folder::new(groups)?;
    let pictures = pictures()?;
    let mut browser = Chromium::start(program, &folder.0)?;
    for theme in ["light", "dark"] {
        browser.look(WINDOW, theme)?;
        let events = browser.visit(&format!("{url}?refresh=off"))?;
        stays_at_home(&events, url)?;
        browser.picture(&pictures.join(format!("{groups}-{theme}.png")))?;
        let texts = browser.evaluate(PALE_TEXTS)?;
        anyhow::ensure!(texts["pale"] == json!([]), "{groups} groups, {theme}: {}", texts["pale"]);
        anyhow::ensure!(texts["count"].as_u64() > Some(80), "so few texts: {texts}");
        let ground = browser.evaluate("getComputedStyle(document.body).backgroundColor")?;
        let expected = if theme == "dark" { "rgb(20, 23, 27)" } else { "rgb(255, 255, 255)" };
        anyhow::ensure!(ground == expected, "{theme}: {ground}");
    }
    fits(&mut browser, WINDOW)?;
    can_be_heard(&mut browser)?;
    shows(&mut browser, groups)?;
    browser.look(PHONE, "light")?;
    stays_at_home(&browser.visit(&format!("{url}?refresh=off"))?, url)?;
    fits(&mut browser, PHONE)?;
    browser.picture(&pictures.join(format!("{groups}-phone.png")))?;
    if groups > 50 {
        leafs(&mut browser, url)?;
    }
    looks_again(&mut browser, url)
}

/// Nothing was asked of anybody else, and nothing was refused by the page's own policy.
fn stays_at_home(events: &[Value], url: &str) -> anyhow::Result<()> {
    let asked = events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
    let asked: Vec<&str> = asked.filter_map(|event| event["params"]["request"]["url"].as_str()).collect();
    anyhow::ensure!(asked.iter().any(|asked| asked.ends_with("/status.css")), "no style sheet: {asked:?}");
    anyhow::ensure!(asked.iter().all(|asked| asked.starts_with(url)), "{asked:?}");
    let said: Vec<&Value> = events.iter().filter(|event| event["method"] == "Log.entryAdded").collect();
    anyhow::ensure!(said.is_empty(), "{said:?}");
    Ok(())
}

/// The page itself never scrolls sideways; wide tables do, inside of it.
fn fits(browser: &mut Chromium, (width, _): (u32, u32)) -> anyhow::Result<()> {
    let wide = browser.evaluate("document.documentElement.scrollWidth")?;
    anyhow::ensure!(wide.as_u64() <= Some(width.into()), "{wide} px wide in a window of {width}");
    Ok(())
}

/// What a screen reader gets: landmarks, headings, and a name for everything that has a role.
fn can_be_heard(browser: &mut Chromium) -> anyhow::Result<()> {
    let tree = browser.ask("Accessibility.getFullAXTree", &json!({}))?;
    let nodes: Vec<&Value> =
        tree["nodes"].as_array().context("nodes")?.iter().filter(|node| node["ignored"] != true).collect();
    let role = |wanted: &str| -> Vec<&Value> {
        nodes.iter().copied().filter(|node| node["role"]["value"] == wanted).collect()
    };
    let name = |node: &Value| node["name"]["value"].as_str().unwrap_or_default().to_owned();
    for landmark in ["banner", "main", "contentinfo", "search"] {
        anyhow::ensure!(role(landmark).len() == 1, "{landmark}: {:?}", role(landmark));
    }
    let headings: Vec<String> = role("heading").into_iter().map(name).collect();
    for expected in ["Snapshot groups", "Warnings", "Tonight", "Open rounds", "Budget", "Groups"] {
        anyhow::ensure!(headings.iter().any(|heading| heading.starts_with(expected)), "{expected}: {headings:?}");
    }
    for named in ["table", "region", "link", "button", "searchbox", "navigation", "image"] {
        let nameless: Vec<&Value> = role(named).into_iter().filter(|node| name(node).is_empty()).collect();
        anyhow::ensure!(nameless.is_empty(), "a {named} without a name: {nameless:?}");
    }
    anyhow::ensure!(role("table").len() >= 3, "{:?}", role("table"));
    anyhow::ensure!(!role("columnheader").is_empty() && !role("rowheader").is_empty(), "headers of tables");
    let image = role("image").into_iter().find(|node| name(node).starts_with("Tonight")).context("the timeline")?;
    anyhow::ensure!(name(image).contains("Window from"), "{image}");
    Ok(())
}

fn shows(browser: &mut Chromium, groups: usize) -> anyhow::Result<()> {
    let count = |browser: &mut Chromium, selector: &str| {
        browser.evaluate(&format!("document.querySelectorAll('{selector}').length")).map(|value| value.as_u64())
    };
    anyhow::ensure!(count(browser, "script, iframe, [style]")? == Some(0));
    anyhow::ensure!(count(browser, "#injected")? == Some(0), "an annotation became an element");
    let rows = u64::try_from(groups.min(50))?;
    anyhow::ensure!(count(browser, "table.groups tbody tr")? == Some(rows));
    anyhow::ensure!(count(browser, "svg line.now")? == Some(1), "the line that says now");
    anyhow::ensure!(
        count(browser, "svg rect.run.planned")? > Some(0) && count(browser, "svg rect.run.good")? > Some(0)
    );
    let text = browser.evaluate("document.body.innerText")?;
    let text = text.as_str().unwrap_or_default();
    anyhow::ensure!(text.contains("<b id=injected>soon</b>"), "the annotation is shown as it was written: {text}");
    Ok(())
}

/// By links alone, as far as the last page.
fn leafs(browser: &mut Chromium, url: &str) -> anyhow::Result<()> {
    let mut pages = 1;
    loop {
        let next = browser.evaluate("document.querySelector('a[rel=next]')?.href ?? ''")?;
        let Some(next) = next.as_str().filter(|next| !next.is_empty()) else { break };
        browser.visit(next)?;
        pages += 1;
    }
    anyhow::ensure!(pages == 10, "{pages} pages");
    browser.visit(&format!("{url}?q=billing&refresh=off"))?;
    let found = browser.evaluate("document.querySelectorAll('table.groups tbody tr').length")?;
    let others = browser.evaluate("[...document.querySelectorAll('table.groups tbody .space')].filter(at => !at.textContent.startsWith('billing')).length")?;
    anyhow::ensure!(found.as_u64() > Some(3) && others == 0, "{found} found, {others} others");
    Ok(())
}

/// The page comes again by itself, and only then.
fn looks_again(browser: &mut Chromium, url: &str) -> anyhow::Result<()> {
    browser.visit(&format!("{url}?refresh=5"))?;
    let first = browser.evaluate("performance.timeOrigin")?;
    let begin = std::time::Instant::now();
    while browser.evaluate("performance.timeOrigin")? == first {
        anyhow::ensure!(begin.elapsed().as_secs() < 60, "it did not come again");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    Ok(())
}

/// `target/status-page`, beside the profile's own folder.
fn pictures() -> anyhow::Result<PathBuf> {
    let target = testbed::binaries::coordinator().ancestors().nth(2).context("the target folder")?;
    let folder = target.join("status-page");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

/// A temporary folder.
struct Folder(PathBuf);

impl Folder {
    fn new(groups: usize) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("testbed-chromium-{}-{groups}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left behind it is a browser's empty profile in the temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
