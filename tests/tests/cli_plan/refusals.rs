//! What is said of files and settings that cannot be used: always code 1, always what, where and what to do.

use super::run::{Folder, cluster, plan};

fn check(arguments: &[&str], input: &str, parts: &[&str]) {
    let ended = plan(arguments, Some(input));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{arguments:?}: {}", ended.stderr);
    for part in parts {
        assert!(ended.stderr.contains(part), "{arguments:?}: `{part}` is not in: {}", ended.stderr);
    }
}

#[test]
fn files_that_are_no_dumps() {
    let (text, _) = cluster(1, 10, true);
    check(&["-f", "-"], "", &["standard input is empty", "kubectl get"]);
    check(&["-f", "-"], &text[..text.len() / 2], &["standard input ends too early", "write it again"]);
    check(&["-f", "-"], "<html>502 Bad Gateway</html>", &["is not what `kubectl get"]);
    check(&["-f", "-"], "{\"hello\": \"world\"}", &["no Kubernetes object"]);
    check(&["-f", "/nonexistent/dump.json"], "", &["cannot read /nonexistent/dump.json"]);
    let folder = Folder::new();
    check(&["-f", &folder.path().to_string_lossy()], "", &["cannot read"]);
}

/// A sparse file of 2 GB: refused by its size, without reading it.
#[test]
fn a_file_of_two_gigabytes() {
    let folder = Folder::new();
    let path = folder.file("huge.json", "{");
    std::fs::File::options().write(true).open(&path).unwrap().set_len(2 << 30).unwrap();
    check(&["-f", &path], "", &["huge.json is larger than 1024 MiB", "several -f"]);
}

#[test]
fn settings_that_allow_no_plan() {
    let (text, _) = cluster(1, 10, false);
    for (flag, value, part) in [
        ("--backup-window-hours", "0", "hours from 1 to 24"),
        ("--backup-window-hours", "25", "hours from 1 to 24"),
        ("--backup-window-hours", "eight", "hours from 1 to 24"),
        ("--backup-window-start", "25:00", "a time of the day"),
        ("--excluded-hours", "8-25", "8-12,18"),
        ("--excluded-hours", "0-24", "leave no minute"),
        ("--time-zone", "Mars/Olympus", "IANA"),
        ("--retention", "168", "no unit"),
        ("--hook-timeout", "1s", "from 3s to 4h"),
        ("--concurrent-backups", "0", "--concurrent-backups"),
        ("--max-concurrent-snapshots", "0", "volumes from 1 to 1000"),
        ("--resource-label-selector", "a=b=c", "label selector"),
        ("--output", "pdf", "svg"),
        ("--colour", "red", "--colour"),
    ] {
        check(&["-f", "-", flag, value], &text, &[part]);
    }
}

#[test]
fn the_original_s_variables_are_read() {
    let (text, _) = cluster(1, 10, false);
    let mut command = testbed::coordinator_process::coordinator_command();
    let folder = Folder::new();
    command.args(["plan", "-f", &folder.file("c.json", &text)]);
    command
        .env("BACKUP_WINDOW_HOURS", "6")
        .env("MAX_CONCURRENT_SNAPSHOTS", "17")
        .env("ENSURE_BACKUP_CONSISTENCY", "True");
    command.env("RESOURCE_LABEL_SELECTOR", "").env("AWS_REGION", "us-east-1").env("CHECK_INTERVAL_SECONDS", "3600");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Window 00:00 to 06:00 UTC (6 h") && said.contains("Budget 17 volumes"), "{said}");
}
