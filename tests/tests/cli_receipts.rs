//! `coordinator receipts` and `coordinator verify` as users run them: on files and on an API server, and what bad input gets.

use std::io::Write as _;
use std::process::{Output, Stdio};

use kube::api::{Api, DynamicObject, PostParams};
use serde_json::{Value, json};
use testbed::api::ServerOptions;
use testbed::coordinator_bed::CoordinatorBed;
use testbed::coordinator_process::coordinator_command;
use testbed::velero::backup::backup_resource;

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {} {}", self.stdout, self.stderr))
    }
}

fn run(arguments: &[&str], input: &str) -> Ended {
    let mut command = coordinator_command();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // A program that refuses its arguments does not read what it is given.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()).is_ok());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Ended { code: status.code(), stdout: text(&stdout), stderr: text(&stderr) }
}

/// Two members in one block, held from second 1 to 16 and 2 to 17, cut at 5 and 10: the receipt of group `prod/db`.
fn receipt(backup: &str) -> Value {
    let member = |i: u32, from: u32, cut: u32, to: u32| {
        let at = |second: u32| format!("2026-11-27T02:00:{second:02}.000000Z");
        json!({"pod": format!("db-{i}"), "volumes": 1, "end": "done", "admission": "released", "waitedMs": 12,
            "quiescedAt": at(from), "thawedAt": at(to), "letGo": "asked",
            "cuts": [{"claim": format!("data-db-{i}"), "at": at(cut), "resolutionMs": 1000}]})
    };
    json!({"namespace": "prod", "group": "db", "epoch": 7, "backup": backup, "mode": "arrive-and-go", "way": "csi-one-block",
        "degraded": false, "weight": 2, "openedAt": "2026-11-27T02:00:00.000000Z", "closedAt": "2026-11-27T02:00:31.000000Z",
        "members": [member(0, 1, 5, 16), member(1, 2, 10, 17)], "membersOmitted": 0,
        "quiesceSkewMs": 1100, "clockErrorMs": 50, "skewMs": 6000,
        "verdict": "group-consistent", "why": {"reason": "quiesces-cover-all-cuts"}})
}

fn backup(name: &str, receipts: &[(&str, String)]) -> Value {
    let annotations: serde_json::Map<String, Value> = receipts
        .iter()
        .map(|(group, value)| (format!("receipt.snapshot-group.velero.io/{group}"), Value::from(value.as_str())))
        .collect();
    json!({"apiVersion": "velero.io/v1", "kind": "Backup", "spec": {}, "status": {"phase": "Completed"},
        "metadata": {"name": name, "namespace": "velero", "annotations": annotations}})
}

fn list(backups: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": backups}).to_string()
}

fn with(change: impl FnOnce(&mut Value)) -> String {
    let mut it = receipt("nightly");
    change(&mut it);
    it.to_string()
}

#[test]
fn receipts_are_read_back_from_what_kubectl_prints() {
    let nightly = backup("nightly", &[("prod.db", receipt("nightly").to_string())]);
    let older = backup("older", &[("prod.db", receipt("older").to_string().replace("2026-11-27", "2026-11-26"))]);
    let dump = list(&[older, nightly]);
    let table = run(&["receipts", "-f", "-"], &dump);
    assert_eq!(table.code, Some(0), "{}", table.stderr);
    let backups: Vec<&str> = table.stdout.lines().filter(|line| line.starts_with("Backup ")).collect();
    assert_eq!(backups, ["Backup velero/nightly", "Backup velero/older"], "the newest first");
    for part in [
        "  prod/db: group-consistent",
        "every member was quiesced from before the first to after the last cut",
        "members  2 of 2 arrived",
        "cuts     2 seen, at most 6s from first to last",
        "15000 ms   released     done           db-1",
        "cut 2026-11-27T02:00:10.000000Z +1000 ms  data-db-1",
    ] {
        assert!(table.stdout.contains(part), "`{part}` is not in:\n{}", table.stdout);
    }
    assert!(table.stdout.lines().all(|line| line.len() <= 100) && !table.stdout.contains('\u{1b}'));

    let read = run(&["receipts", "-f", "-", "-o", "json", "--backup", "older"], &dump).json();
    assert_eq!(read["kind"], "SnapshotReceipts");
    assert_eq!(read["receipts"].as_array().map(Vec::len), Some(1));
    let one = &read["receipts"][0];
    assert_eq!((&one["backup"], &one["arrived"], &one["expected"]), (&json!("older"), &json!(2), &json!(2)));
    assert_eq!((&one["receipt"]["verdict"], &one["heldMs"]), (&json!("group-consistent"), &json!(15_000)));

    let yaml = format!(
        "apiVersion: velero.io/v1\nkind: Backup\nmetadata:\n  name: nightly\n  namespace: velero\n  annotations:\n    \
         receipt.snapshot-group.velero.io/prod.db: '{}'\n",
        receipt("nightly")
    );
    assert!(run(&["receipts", "-f", "-", "-n", "prod", "--group", "db"], &yaml).stdout.contains("prod/db: group"));
    assert_eq!(run(&["receipts", "-f", "-", "-n", "test"], &yaml).stdout, "No receipts.\n");
}

#[test]
fn a_restore_can_be_made_to_wait_for_what_was_proven() {
    let good = list(&[backup("nightly", &[("prod.db", receipt("nightly").to_string())])]);
    let torn = |it: &mut Value| {
        it["verdict"] = json!("crash-consistent");
        it["why"] = json!({"reason": "never-quiesced", "pod": "db-1"});
    };
    let torn = list(&[backup("nightly", &[("prod.db", with(torn))])]);
    let broken = list(&[backup("nightly", &[("prod.db", receipt("nightly").to_string()), ("prod.web", "?".into())])]);
    let none = list(&[backup("nightly", &[])]);
    for (dump, arguments, code) in [
        (&good, &["--fail-below", "group-consistent"][..], 0),
        (&torn, &[], 0),
        (&torn, &["--fail-below", "member-consistent"], 10),
        (&torn, &["--fail-below", "crash-consistent"], 0),
        (&none, &["--backup", "nightly"], 0),
        (&none, &["--backup", "nightly", "--fail-below", "unknown"], 10),
        (&broken, &[], 11),
        (&broken, &["--group", "db", "--fail-below", "group-consistent"], 0),
        (&good, &["--backup", "other"], 2),
        (&good, &["--fail-below", "perfect"], 2),
        (&good, &["--fail-below", "failed"], 2),
    ] {
        let ended = run(&[&["receipts", "-f", "-"], arguments].concat(), dump);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {} {}", ended.stdout, ended.stderr);
    }
    let ended = run(&["receipts", "-f", "-"], &broken);
    assert!(ended.stdout.contains("cannot be read: receipt.snapshot-group.velero.io/prod.web"), "{}", ended.stdout);
    let ended = run(&["receipts", "-f", "-", "--backup", "other"], &good);
    assert_eq!(ended.stderr, "coordinator receipts: there is no Backup other in these files\n");
}

#[test]
fn a_receipt_that_claims_more_than_its_facts_is_alarming() {
    // Let go at 8, cut at 10: 8 to 17 would have covered it.
    let tampered = with(|it| it["members"][1]["thawedAt"] = json!("2026-11-27T02:00:08.000000Z"));
    let modest = with(|it| {
        it["verdict"] = json!("unknown");
        it["why"] = json!({"reason": "cut-not-observed", "pod": "db-0"});
    });
    let cut_off = with(|it| it["membersOmitted"] = json!(5));
    let old = with(|it| it["clockErrorMs"] = Value::Null);
    for (value, code, outcome, says) in [
        (receipt("nightly").to_string(), 0, "agrees", ""),
        (modest, 10, "claims-less", "it says unknown, and its facts prove group-consistent"),
        (cut_off, 11, "unchecked", "5 of its members did not fit into it"),
        (old, 11, "unchecked", "it does not say how far the clocks may be apart"),
        ("?".to_owned(), 11, "unchecked", "it cannot be read"),
        (tampered, 12, "claims-more", "it says group-consistent, and its facts prove crash-consistent at most"),
    ] {
        let dump = list(&[backup("nightly", &[("prod.db", value)])]);
        let text = run(&["verify", "-f", "-"], &dump);
        assert_eq!(text.code, Some(code), "{}{}", text.stdout, text.stderr);
        assert!(text.stdout.starts_with(outcome) && text.stdout.contains(says), "{}", text.stdout);
        let read = run(&["verify", "-f", "-", "-o", "json"], &dump).json();
        assert_eq!((&read["outcome"], &read["receipts"][0]["outcome"]), (&json!(outcome), &json!(outcome)));
    }
    let none = list(&[backup("nightly", &[])]);
    assert_eq!(run(&["verify", "-f", "-"], &none).code, Some(0));
    assert_eq!(run(&["verify", "-f", "-", "--backup", "nightly"], &none).code, Some(11), "nothing was checked");
}

#[test]
fn what_cannot_be_read_is_named() {
    for (arguments, input, code, named) in [
        (&["-f", "-"][..], "hello", 2, "standard input is not what"),
        (&["-f", "-"], "{\"kind\":\"List\",\"items\":[", 2, "ends too early"),
        (&["-f", "/no/such/file"], "", 2, "/no/such/file"),
        (&["--kubeconfig", "/no/such/config"], "", 3, "/no/such/config"),
    ] {
        for command in ["receipts", "verify"] {
            let ended = run(&[&[command], arguments].concat(), input);
            assert!(
                ended.code == Some(code) && ended.stderr.contains(named) && ended.stdout.is_empty(),
                "{command} {arguments:?}: {:?} {}",
                ended.code,
                ended.stderr
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_asked_for_its_backups() {
    let bed = CoordinatorBed::start(ServerOptions::default()).await.unwrap();
    let backups: Api<DynamicObject> = Api::namespaced_with(bed.server.client(), "velero", &backup_resource());
    let tampered = with(|it| it["members"][0]["quiescedAt"] = Value::Null);
    for made in [
        backup("nightly", &[("prod.db", tampered)]),
        backup("older", &[("prod.db", receipt("older").to_string())]),
        backup("plain", &[]),
    ] {
        backups.create(&PostParams::default(), &serde_json::from_value(made).unwrap()).await.unwrap();
    }
    let kubeconfig = bed.kubeconfig("receipts").to_str().unwrap().to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        let ask = |arguments: &[&str]| run(&[arguments, &["--kubeconfig", &kubeconfig]].concat(), "");
        [
            ask(&["receipts", "-o", "json"]),
            ask(&["verify", "--backup", "older"]),
            ask(&["verify"]),
            ask(&["receipts", "--backup", "gone"]),
        ]
    });
    let [all, older, every, gone] = asked.await.unwrap();
    let names: Vec<Value> = all.json()["receipts"].as_array().unwrap().iter().map(|it| it["backup"].clone()).collect();
    assert_eq!((all.code, names), (Some(0), vec![json!("nightly"), json!("older")]), "{}", all.stderr);
    assert_eq!(older.code, Some(0), "{}{}", older.stdout, older.stderr);
    assert_eq!(every.code, Some(12), "{}{}", every.stdout, every.stderr);
    assert!(
        gone.code == Some(2) && gone.stderr.contains("there is no Backup gone in namespace velero"),
        "{}",
        gone.stderr
    );
}
