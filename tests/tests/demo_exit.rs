//! Does the demo's exit code say the truth? A hook-agent that does nothing must be found out.

use std::path::Path;
use std::process::{Command, Output};

use testbed::binaries;

/// Plays the quickest layout with this hook-agent.
fn demo(hook_agent: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(["--layout", "ordered"])
        .env(binaries::HOOK_AGENT_VARIABLE, hook_agent)
        .env(binaries::COORDINATOR_VARIABLE, binaries::coordinator())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .expect("the demo starts")
}

#[test]
fn the_real_agent_gives_the_expected_verdicts_in_plain_narrow_lines() {
    let played = demo(binaries::hook_agent());
    let text = String::from_utf8_lossy(&played.stdout);
    assert_eq!(played.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&played.stderr));
    assert!(text.contains("All 4 receipts are as expected"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours in a pipe");
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > testbed::demo::WIDTH_MAX).collect();
    assert!(wide.is_empty(), "{wide:#?}");
}

#[test]
fn an_agent_that_only_seems_to_work_is_found_out() {
    let played = demo(Path::new("/bin/true"));
    let text = String::from_utf8_lossy(&played.stdout);
    assert_eq!(played.status.code(), Some(1), "{text}");
    assert!(text.contains("the verdict is missing: no receipt and must be group-consistent"), "{text}");
}

#[test]
fn an_unknown_layout_is_refused() {
    let refused = Command::new(env!("CARGO_BIN_EXE_demo")).args(["--layout", "diagonal"]).output().expect("it starts");
    let text = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{text}");
    assert!(text.contains("alone") && text.contains("ordered") && text.contains("parallel"), "{text}");
}
