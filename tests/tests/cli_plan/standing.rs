//! A plan beside the Schedules that stand: what is as planned stays, and what is not ours is left alone.

use serde_json::{Value, json};

use super::run::{Folder, cluster, plan};

const NIGHT: [&str; 4] = ["--max-concurrent-snapshots", "200", "--concurrent-backups", "10"];

fn changes<'a>(document: &'a Value, word: &str) -> Vec<&'a Value> {
    document["changes"].as_array().unwrap().iter().filter(|change| change["change"] == word).collect()
}

/// The same cluster beside the Schedules that were planned for it.
struct Standing {
    folder: Folder,
    cluster: String,
    schedules: String,
}

impl Standing {
    fn new() -> Self {
        let folder = Folder::new();
        let (text, _) = cluster(11, 80, true);
        let cluster = folder.file("cluster.json", &text);
        let planned = plan(&[&["-f", &cluster, "-o", "yaml"][..], &NIGHT].concat(), None);
        assert_eq!(planned.code, Some(2), "{}", planned.stderr);
        Self { folder, cluster, schedules: planned.stdout }
    }

    /// The Schedules after Velero has looked at them.
    fn seen_by_velero(&self) -> String {
        assert!(self.schedules.contains("skipImmediately: true"), "{}", self.schedules);
        self.schedules.replace("skipImmediately: true", "skipImmediately: false")
    }

    fn plan(&self, schedules: &str, arguments: &[&str]) -> super::run::Ended {
        let schedules = self.folder.file("schedules.yaml", schedules);
        plan(&[&["-f", &self.cluster, "-f", &schedules][..], &NIGHT, arguments].concat(), None)
    }
}

#[test]
fn what_is_as_planned_stays() {
    let standing = Standing::new();
    let again = standing.plan(&standing.schedules, &["-o", "json"]);
    assert_eq!(again.code, Some(0), "{}{}", again.stderr, again.stdout);
    let document = again.json();
    for group in document["groups"].as_array().unwrap() {
        assert!(["kept", "fixed"].contains(&group["reason"].as_str().unwrap()), "{group}");
    }
    let said = standing.plan(&standing.schedules, &["--diff"]).stdout;
    assert!(said.starts_with("Nothing to change") && said.contains("1 Schedule of others"), "{said}");
    // Velero turns skipImmediately back, and nobody asks for it again; until then what was asked for stays.
    assert!(!standing.plan(&standing.seen_by_velero(), &["-o", "yaml"]).stdout.contains("skipImmediately"));
    let unseen = standing.plan(&standing.schedules, &["-o", "yaml"]).stdout;
    assert_eq!(
        unseen.matches("skipImmediately: true").count(),
        standing.schedules.matches("skipImmediately: true").count()
    );
}

#[test]
fn a_changed_retention_changes_no_time() {
    let standing = Standing::new();
    let changed = standing.plan(&standing.schedules, &["-o", "json", "--retention", "30d"]);
    assert_eq!(changed.code, Some(2), "{}", changed.stderr);
    let document = changed.json();
    let updates = changes(&document, "update");
    assert!(!updates.is_empty() && changes(&document, "create").is_empty() && changes(&document, "remove").is_empty());
    for update in updates {
        assert_eq!((update["fields"].clone(), update.get("cronFrom")), (json!(["template.ttl"]), None), "{update}");
    }
    let yaml = standing.plan(&standing.seen_by_velero(), &["-o", "yaml", "--diff", "--retention", "30d"]).stdout;
    assert!(yaml.contains("ttl: 720h0m0s") && !yaml.contains("skipImmediately"));
    let unseen = standing.plan(&standing.schedules, &["-o", "yaml", "--diff", "--retention", "30d"]).stdout;
    assert!(unseen.contains("ttl: 720h0m0s") && unseen.contains("skipImmediately: true"), "the wish is not lost");
}

#[test]
fn a_workload_that_goes_takes_its_schedule_along_and_moves_no_other() {
    let standing = Standing::new();
    let list: Value = serde_json::from_str(&std::fs::read_to_string(&standing.cluster).unwrap()).unwrap();
    let first = standing.plan(&standing.schedules, &["-o", "json"]).json();
    let gone = first["groups"].as_array().unwrap().iter().find(|group| group["kind"] == "statefulset").unwrap();
    let (namespace, workload) = (&gone["namespace"], gone["workload"].as_str().unwrap());
    let named = |item: &Value| {
        let name = item["metadata"]["name"].as_str().unwrap_or_default();
        item["metadata"]["namespace"] == *namespace
            && (name == workload || name.contains(&format!("{workload}-")) && item["kind"] != "StatefulSet")
    };
    let left: Vec<&Value> = list["items"].as_array().unwrap().iter().filter(|item| !named(item)).collect();
    let smaller = standing.folder.file("smaller.json", &json!({"kind": "List", "items": left}).to_string());
    let schedules = standing.folder.file("schedules.yaml", &standing.schedules);
    let ended = plan(&[&["-f", &smaller, "-f", &schedules, "-o", "json"][..], &NIGHT].concat(), None);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    let document = ended.json();
    assert!(!changes(&document, "remove").is_empty());
    assert!(changes(&document, "create").is_empty());
    let moved = changes(&document, "update").into_iter().filter(|change| change.get("cronFrom").is_some()).count();
    assert!(moved <= 4, "at most four move for one that goes: {moved}");
}

#[test]
fn paused_and_foreign_schedules_are_left_alone() {
    let standing = Standing::new();
    let paused = standing.schedules.replacen("spec:\n", "spec:\n  paused: true\n", 1);
    let document = standing.plan(&paused, &["-o", "json", "--retention", "30d"]).json();
    assert_eq!(changes(&document, "paused").len(), 1);
    let foreign = standing.schedules.replacen("snapshot-scheduler", "somebody", 1);
    let ended = standing.plan(&foreign, &["-o", "json"]);
    assert_eq!(changes(&ended.json(), "name-taken").len(), 1, "{}", ended.stderr);
    assert!(standing.plan(&foreign, &["--diff"]).stdout.contains("is somebody else's"));
}

#[test]
fn a_cron_that_was_edited_by_hand_is_set_back_without_firing() {
    let standing = Standing::new();
    let at = standing.schedules.find("schedule: ").unwrap();
    let end = at + standing.schedules[at..].find('\n').unwrap();
    let edited = format!("{}schedule: \"@every 1h\"{}", &standing.schedules[..at], &standing.schedules[end..]);
    let ended = standing.plan(&edited, &["-o", "yaml", "--diff"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stdout.contains("skipImmediately: true"), "{}", ended.stdout);
}
