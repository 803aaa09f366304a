//! `coordinator simulate` as users run it: nights from files and made-up ones, side by side, as text, JSON and SVG, and what bad input gets.

use std::process::Output;

use serde_json::Value;
use testbed::clusters::{ClusterRules, Form, write};
use testbed::coordinator_process::coordinator_command;

fn simulate(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = coordinator_command();
    command.arg("simulate").args(["--date", "2026-06-15", "--nights", "3"]).args(arguments);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (status.code(), text(&stdout), text(&stderr))
}

fn json(arguments: &[&str]) -> Value {
    let (code, stdout, stderr) = simulate(&[arguments, &["-o", "json"]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

#[test]
fn settings_stand_side_by_side_and_a_larger_budget_is_no_slower() {
    let herd = ["--groups", "40", "--concurrent-backups", "20", "--compare", "max=2", "max=40"];
    let document = json(&herd);
    let makespan = |n: usize| document["settings"][n]["nights"]["makespanMs"].as_u64().unwrap();
    assert!(makespan(1) < makespan(0), "{document}");
    assert_eq!(document["settings"][0]["nights"]["max"], 2);
    assert!(document["recommendation"]["max"].as_u64().unwrap() > 2, "{document}");
    assert_eq!(document, json(&herd), "the same seed is the same night");
    assert_ne!(document["settings"], json(&[&herd[..], &["--seed", "2"]].concat())["settings"]);
}

#[test]
fn an_inventory_is_planned_and_played() {
    let mut text = Vec::new();
    let made = write(ClusterRules { seed: 9, workloads: 10, odd: false }, Form::List, &mut text).unwrap();
    let folder = std::env::temp_dir().join(format!("testbed-simulate-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("cluster.json");
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let document = json(&["-f", file]);
    let (code, text, _) = simulate(&["-f", file]);
    let (_, svg, _) = simulate(&["-f", file, "-o", "svg"]);
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(document["volumes"].as_u64().unwrap() > 0, "{made:?} {document}");
    let first = &document["settings"][0]["firstNight"];
    assert_eq!(first["failedVolumes"], 0, "{first}");
    assert!(code == Some(0) && text.contains("Recommended: MAX_CONCURRENT_SNAPSHOTS="), "{text}");
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n") && svg.contains("calls throttled"), "{svg}");
}

#[test]
fn bad_input_is_named() {
    for (arguments, named) in [
        (&["--groups", "0"][..], "--groups"),
        (&["--groups", "10", "--compare", "max=0"], "from 1 to 1000"),
        (&["--groups", "10", "--compare", "20"], "max=VOLUMES"),
        (&["--groups", "10", "--neighbour-calls", "NaN"], "from 0 to 100"),
        (&["--groups", "10", "--nights", "0"], "--nights"),
        (&["--groups", "10", "-f", "x.json"], "--groups"),
        (&["-f", "/no/such/file.json"], "/no/such/file.json"),
    ] {
        let (code, stdout, stderr) = simulate(arguments);
        assert!(code == Some(2) && stderr.contains(named) && stdout.is_empty(), "{arguments:?}: {code:?} {stderr}");
    }
    let folder = std::env::temp_dir().join(format!("testbed-simulate-empty-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("empty.json");
    std::fs::write(&file, r#"{"apiVersion":"v1","kind":"List","items":[]}"#).unwrap();
    let (code, _, stderr) = simulate(&["-f", file.to_str().unwrap()]);
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(code == Some(2) && stderr.contains("nothing to simulate"), "{code:?} {stderr}");
}
