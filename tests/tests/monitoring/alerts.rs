//! Do the alerts fire when they should and only then, by Prometheus' own tool, and does each have a page that says what to do?

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::absence::skipped;
use crate::metric_names::read;

const TESTS: &str = include_str!("../../monitoring/alerts.test.yaml");
const PAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/runbooks");
const PAGE_URL: &str = "https://github.com/velero-snapshot-groups/velero-snapshot-groups/blob/main/docs/runbooks/";

fn rule_object() -> Value {
    serde_saphyr::from_str(&read("components/alerts/prometheus-rule.yaml")).expect("YAML")
}

/// Every alert's rule by its name.
fn alerts() -> BTreeMap<String, Value> {
    let object = rule_object();
    let groups = object["spec"]["groups"].as_array().expect("groups").clone();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().expect("rules").clone());
    rules.map(|rule| (rule["alert"].as_str().expect("an alert").to_owned(), rule)).collect()
}

fn promtool(folder: &Path, arguments: &[&str]) -> Option<()> {
    let output = Command::new("promtool").current_dir(folder).args(arguments).stdin(Stdio::null()).output();
    let Ok(output) = output else {
        skipped("the alerts by Prometheus' own tool", "no promtool on PATH (Debian: prometheus)");
        return None;
    };
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "promtool {arguments:?}: {}", String::from_utf8_lossy(&said));
    Some(())
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a temporary folder");
}

#[test]
fn alerts_fire_when_they_should_and_only_then() {
    let folder = std::env::temp_dir().join(format!("testbed-alerts-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let mut spec = rule_object()["spec"].take();
    // JSON is YAML. Once with all that is in it: expressions and templates must parse.
    write(&folder, "whole.yaml", &spec.to_string());
    let checked = promtool(&folder, &["check", "rules", "whole.yaml"]);
    for group in spec["groups"].as_array_mut().expect("groups") {
        for rule in group["rules"].as_array_mut().expect("rules") {
            rule.as_object_mut().expect("a rule").remove("annotations");
        }
    }
    write(&folder, "rules.yaml", &spec.to_string());
    write(&folder, "alerts.test.yaml", TESTS);
    let _ = checked.and_then(|()| promtool(&folder, &["test", "rules", "alerts.test.yaml"]));
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn each_alert_is_tested_firing_and_silent() {
    let tests: Value = serde_saphyr::from_str(TESTS).expect("YAML");
    let (mut fires, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for test in tests["tests"].as_array().expect("tests") {
        for case in test["alert_rule_test"].as_array().expect("cases") {
            let name = case["alertname"].as_str().expect("a name").to_owned();
            let expected = case["exp_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty());
            if expected {
                fires.insert(name)
            } else {
                silent.insert(name)
            };
        }
    }
    let all: BTreeSet<String> = alerts().into_keys().collect();
    assert_eq!((&fires, &silent), (&all, &all));
}

#[test]
fn each_alert_has_a_severity_and_a_page_and_no_page_is_left_over() {
    for (name, rule) in alerts() {
        let severity = rule["labels"]["severity"].as_str().expect("a severity");
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity}");
        assert_eq!(rule["annotations"]["runbook_url"], format!("{PAGE_URL}{name}.md"), "{name}");
        let path = PathBuf::from(PAGES).join(format!("{name}.md"));
        let page = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(page.starts_with(&format!("# {name}\n")), "{name}: its page begins with its name");
        for chapter in ["## Meaning", "## Impact", "## Look", "## Do"] {
            assert!(page.contains(&format!("\n{chapter}\n")), "{name}: no chapter {chapter}");
        }
    }
    let files = std::fs::read_dir(PAGES).expect("docs/runbooks");
    let names = files.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned());
    let pages: BTreeSet<String> = names.filter_map(|name| name.strip_suffix(".md").map(str::to_owned)).collect();
    assert_eq!(pages, alerts().into_keys().collect());
}
