//! Which plans are understood, and what is said about the others.

use super::*;
use crate::lines::chain;

fn plan(text: &str) -> Plan {
    Plan::parse(text).unwrap_or_else(|e| panic!("{text}: {}", chain(&e)))
}

/// The message must have each of these parts, in one line.
#[track_caller]
fn refused(text: &str, parts: &[&str]) {
    let said = chain(&Plan::parse(text).expect_err(text));
    for part in parts {
        assert!(said.contains(part), "`{part}` is missing in: {said}");
    }
    assert!(!said.contains('\n'), "{said}");
}

#[test]
fn nothing_can_be_said_in_three_ways() {
    for text in ["", "none", " none\n", "[]"] {
        assert!(plan(text).is_empty(), "{text}");
    }
}

#[test]
fn yaml_and_json_say_the_same() {
    let yaml = "
- sync: [/data]
- exec:
    freeze: [redis-cli, config, set, save, '']
    thaw: [redis-cli, config, set, save, '900 1']
    timeout: 3s
- session:
    command: [psql, -X]
    before: ['SELECT 1;', '\\echo ready']
    ready: ready
    after: ['\\echo done']
    done: done
- fsfreeze: [/data, /wal]
";
    let json = r#"[{"sync":["/data"]},{"exec":{"freeze":["redis-cli","config","set","save",""],"thaw":["redis-cli","config","set","save","900 1"],"timeout":"3s"}},
        {"session":{"command":["psql","-X"],"before":["SELECT 1;","\\echo ready"],"ready":"ready","after":["\\echo done"],"done":"done"}},{"fsfreeze":["/data","/wal"]}]"#;
    let plan = plan(yaml);
    assert_eq!(plan, Plan::parse(json).unwrap());
    assert_eq!(plan.kinds().to_string(), "sync,exec,session,fsfreeze");
    assert_eq!(plan.quiesce_ms_max(), 33_000);
    let said: Vec<String> = plan.steps.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["sync /data", "exec redis-cli", "session psql", "fsfreeze /data /wal"]);
}

#[test]
fn what_is_wrong_is_named() {
    refused("fsfreeze", &["neither `none` nor a list"]);
    refused("- freeze: [/data]", &["neither", "freeze"]);
    refused("- {}", &["step 1", "exactly one", "has 0"]);
    refused("- {sync: [/a], fsfreeze: [/b]}", &["step 1", "has 2"]);
    refused("- exec: {freeze: [a]}", &["thaw"]);
    refused("- exec: {freeze: [], thaw: []}", &["step 1", "exec.freeze", "no program"]);
    refused("- exec: {freeze: [a], thaw: ['']}", &["exec.thaw", "no program"]);
    refused("- exec: {freeze: [a], thaw: [], timeout: 10}", &["timeout", "no unit"]);
    refused("- exec: {freeze: [a], thaw: [], timeout: 1h}", &["timeout", "100ms to 5m"]);
    refused("- session: {command: [a], before: [], ready: ' '}", &["ready", "empty"]);
    refused("- session: {command: [a], before: [\"x\\ny\"], ready: r}", &["session.before", "line break"]);
    refused("- sync: []", &["sync", "no path"]);
    for path in ["data", "./data", "/data/", "/data/../x", "/data/./x", "//data", ""] {
        refused(&format!("- fsfreeze: ['{path}']"), &["step 1", "absolute path"]);
    }
    refused("- fsfreeze: [/a, /a]", &["/a", "twice"]);
    refused(&format!("- sync: ['/{}']", "x".repeat(20_000)), &["longer than 16384 bytes"]);
    refused(&"- sync: [/a]\n".repeat(17), &["17 steps"]);
}

#[test]
fn nothing_runs_on_a_frozen_file_system() {
    refused("- fsfreeze: [/a]\n- sync: [/a]", &["step 1 (fsfreeze)", "step 2 (sync)", "must be the last"]);
    refused("- fsfreeze: [/a]\n- fsfreeze: [/b]", &["step 1", "step 2 (fsfreeze)", "once"]);
}
