//! What comes out, that it is what Kubernetes was told before and the agent, and that it can be undone.

mod bad;
#[path = "samples.rs"]
mod samples;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::inject::options::How;

pub fn options(how: How) -> Options {
    Options {
        how,
        image: "registry.example.com/backup/hook-agent:0.1.0".to_owned(),
        container: None,
        kinds: ["StatefulSet", "Deployment", "DaemonSet"]
            .into_iter()
            .map(|kind| (kind.to_owned(), vec!["spec".to_owned(), "template".to_owned()]))
            .chain([("Pod".to_owned(), Vec::new())])
            .collect(),
        names: Vec::new(),
        namespace: Some("shop".to_owned()),
        hook_timeout: "10m".to_owned(),
        deadline: "585s".to_owned(),
        on_error: "Fail",
        binding: false,
        remove: false,
    }
}

pub fn remove() -> Options {
    Options { remove: true, ..options(How::InitContainer) }
}

fn edited(text: &str, options: &Options) -> String {
    edit(text, "f.yaml", options).unwrap_or_else(|error| panic!("{error}\n{text}")).text
}

/// Every object, lists taken apart.
fn objects(text: &str) -> Vec<Json> {
    let documents: Vec<Json> = serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let items = |document: Json| match document.get("items") {
        Some(Json::Array(items)) => items.clone(),
        _ => vec![document],
    };
    documents.into_iter().filter(|document| !document.is_null()).flat_map(items).collect()
}

fn template(object: &Json) -> &Json {
    if object["kind"] == "Pod" { object } else { &object["spec"]["template"] }
}

/// The names in a list.
fn names(list: &Json) -> Vec<&str> {
    list.as_array().map(|items| items.iter().filter_map(|item| item["name"].as_str()).collect()).unwrap_or_default()
}

const HOWS: [How; 3] = [How::InitContainer, How::Sidecar, How::ImageVolume];

#[test]
fn taking_out_gives_every_byte_back_and_twice_is_once() {
    for text in samples::all() {
        for how in HOWS {
            for binding in [false, true] {
                let options = Options { binding, ..options(how) };
                if binding && text.starts_with('{') {
                    continue;
                }
                let once = edited(&text, &options);
                assert_ne!(once, text);
                assert_eq!(edited(&once, &options), once, "twice is not once: {how:?} {binding}");
                assert_eq!(edited(&once, &remove()), text, "not taken out of:\n{once}");
                for other in HOWS {
                    let other = Options { how: other, ..options.clone() };
                    assert_eq!(edited(&once, &other), edited(&text, &other), "{how:?} is not replaced");
                }
                assert!(!text.contains('\r') || !once.replace("\r\n", "").contains('\n'), "{once}");
                assert_eq!(once.ends_with('\n'), text.ends_with('\n'));
            }
            assert_eq!(edited(&text, &remove()), text);
        }
    }
}

#[test]
fn every_line_that_was_there_is_there_in_its_order() {
    for text in [samples::PLAIN, samples::POD, samples::JSON] {
        let once = edited(text, &options(How::InitContainer));
        let mut lines = once.lines();
        for line in text.lines().filter(|line| !text.starts_with('{') || line.ends_with(['{', '['])) {
            assert!(lines.any(|there| there == line), "`{line}` is not in its place:\n{once}");
        }
    }
}

/// What Kubernetes reads: nothing that was there has changed, and all that a pod needs is there.
#[test]
fn kubernetes_reads_what_it_read_before_and_the_agent() {
    for text in samples::all() {
        for how in HOWS {
            let once = edited(&text, &options(how));
            for (before, after) in objects(&text).iter().zip(&objects(&once)) {
                if before["kind"] == "Service" || before["kind"] == "ConfigMap" {
                    assert_eq!(before, after);
                    continue;
                }
                let (before, after) = (template(before), template(after));
                let first = &after["spec"]["containers"][0];
                let container = first["name"].as_str().unwrap();
                assert_eq!(first["image"], before["spec"]["containers"][0]["image"]);
                let hooks = &after["metadata"]["annotations"];
                let sidecar = how == How::Sidecar;
                assert_eq!(
                    hooks["pre.hook.backup.velero.io/container"],
                    if sidecar { "hook-agent" } else { container }
                );
                assert_eq!(hooks["pre.hook.backup.velero.io/on-error"], "Fail");
                assert_eq!(hooks["post.hook.backup.velero.io/timeout"], "30s");
                let program = if sidecar { "/hook-agent" } else { "/hooks/hook-agent" };
                let command: Vec<String> =
                    serde_json::from_str(hooks["pre.hook.backup.velero.io/command"].as_str().unwrap()).unwrap();
                assert_eq!(command, [program, "pre", "--hook-timeout", "10m", "--deadline", "585s"]);
                let volumes = names(&after["spec"]["volumes"]);
                assert!(names(&before["spec"]["volumes"]).iter().all(|name| volumes.contains(name)));
                let containers = names(&after["spec"]["containers"]);
                let mut runs_in = after["spec"]["containers"].as_array().unwrap().iter();
                let runs_in = runs_in
                    .rfind(|container| container["name"] == hooks["pre.hook.backup.velero.io/container"])
                    .unwrap();
                for mount in names(&runs_in["volumeMounts"]) {
                    assert!(volumes.contains(&mount) || mount == "data", "{mount} has no volume:\n{once}");
                }
                assert_eq!(containers.contains(&"hook-agent"), sidecar);
                assert_eq!(
                    names(&after["spec"]["initContainers"]).contains(&"hook-agent-install"),
                    how == How::InitContainer
                );
                assert_eq!(volumes.contains(&"hook-agent"), !sidecar);
                let token = before["spec"]["automountServiceAccountToken"] == json!(false);
                assert_eq!(volumes.contains(&"hook-agent-token"), token);
                assert_eq!(volumes.contains(&"hook-agent-podinfo"), sidecar || !text.contains("/etc/podinfo"));
            }
        }
    }
}

#[test]
fn a_sidecar_mounts_the_claims_and_may_freeze_where_the_plan_does() {
    let once = edited(samples::PLAIN, &options(How::Sidecar));
    let sidecar = &objects(&once)[0]["spec"]["template"]["spec"]["containers"][2];
    assert_eq!(names(&sidecar["volumeMounts"]), ["hook-agent-podinfo", "data"]);
    assert_eq!(sidecar["volumeMounts"][1]["mountPath"], "/data");
    assert_eq!(sidecar["securityContext"]["runAsUser"], 65532);
    let freezes = samples::PLAIN.replace(
        "labels: {app: db}",
        "annotations:\n        snapshot-group.velero.io/quiesce: '[{fsfreeze: [/data]}]'",
    );
    let once = edited(&freezes, &options(How::Sidecar));
    let sidecar = &objects(&once)[0]["spec"]["template"]["spec"]["containers"][2];
    assert_eq!(sidecar["securityContext"]["capabilities"], json!({"add": ["SYS_ADMIN"]}));
    assert_eq!(edited(&once, &remove()), freezes);
}

/// A hook that somebody wrote stays as it is, with its flags and what it runs besides; it is mounted where that hook runs.
#[test]
fn hooks_of_somebodys_own_that_run_the_agent_are_kept() {
    for command in [
        r#"'["/bin/sh", "-c", "sync; exec /hooks/hook-agent pre --hook-timeout 10m"]'"#,
        r#"'["/hooks/hook-agent", "pre", "--hook-timeout", "10m", "--on-deadline", "fail"]'"#,
    ] {
        let hook = format!(
            "      annotations:\n        pre.hook.backup.velero.io/container: exporter\n        pre.hook.backup.velero.io/command: {command}\n"
        );
        let text = samples::PLAIN.replace("      labels: {app: db}", &format!("{hook}      labels: {{app: db}}"));
        let once = edited(&text, &options(How::InitContainer));
        assert!(once.contains(&hook), "{once}");
        assert_eq!(once.matches("pre.hook.backup.velero.io").count(), 2, "{once}");
        assert_eq!(once.matches("post.hook.backup.velero.io").count(), 4, "{once}");
        let containers = &objects(&once)[0]["spec"]["template"]["spec"]["containers"];
        assert_eq!(names(&containers[1]["volumeMounts"]), ["hook-agent", "hook-agent-podinfo"]);
        assert_eq!(edited(&once, &options(How::InitContainer)), once);
        assert_eq!(edited(&once, &remove()), text);
        let refused = edit(&text, "f.yaml", &options(How::Sidecar)).unwrap_err().to_string();
        assert!(refused.contains("already have another hook (pre.hook.backup.velero.io/container)"), "{refused}");
    }
}

/// A pod whose containers all ask for what they are allowed has the class Guaranteed; an init container counts.
#[test]
fn what_copies_the_program_asks_for_what_it_is_allowed() {
    let once = edited(samples::PLAIN, &options(How::InitContainer));
    let resources = &objects(&once)[0]["spec"]["template"]["spec"]["initContainers"][0]["resources"];
    assert_eq!(resources["requests"], json!({"cpu": "100m", "memory": "64Mi"}));
    assert_eq!(resources["requests"], resources["limits"]);
}

#[test]
fn what_the_manifests_do_not_show_is_said_beside_them() {
    let notes = |text: &str, options: &Options| -> Vec<String> {
        let edited = edit(text, "f.yaml", options).unwrap_or_else(|error| panic!("{error}"));
        edited.notes.iter().map(|(place, note)| format!("{place}: {note}")).collect()
    };
    let check = |said: Vec<String>, expected: &[&str]| match said.as_slice() {
        [one] => expected.iter().for_each(|part| assert!(one.contains(part), "`{part}` is not in: {one}")),
        other => panic!("{other:?}"),
    };
    assert!(notes(samples::PLAIN, &options(How::InitContainer)).is_empty());
    check(
        notes(samples::POD, &options(How::InitContainer)),
        &["line 12", "Pod db-0", "no file `annotations`", "fieldPath: metadata.annotations"],
    );
    let both =
        samples::POD.replace("items: [", "items: [{path: annotations, fieldRef: {fieldPath: metadata.annotations}}, ");
    assert!(notes(&both, &options(How::InitContainer)).is_empty());
    let freezes = samples::POD.replace("    b: c", "    snapshot-group.velero.io/quiesce: '[{fsfreeze: [/data]}]'");
    check(notes(&freezes, &options(How::Sidecar)), &["Pod db-0: its plan freezes", "no claim of container `db`"]);
    assert!(notes(&freezes, &remove()).is_empty());
}

#[test]
fn what_is_chosen_is_edited_and_nothing_else() {
    let wanted = |change: fn(&mut Options)| {
        let mut options = options(How::InitContainer);
        change(&mut options);
        options
    };
    let exporter = edited(samples::PLAIN, &wanted(|o| o.container = Some("exporter".to_owned())));
    let template = &objects(&exporter)[0]["spec"]["template"];
    assert_eq!(names(&template["spec"]["containers"][1]["volumeMounts"]), ["hook-agent", "hook-agent-podinfo"]);
    assert_eq!(names(&template["spec"]["containers"][0]["volumeMounts"]), ["data"]);
    assert_eq!(edited(&exporter, &remove()), samples::PLAIN);
    let web = edited(samples::HELM, &wanted(|o| o.names = vec!["web".to_owned()]));
    let db_end = samples::HELM.find("kind: Deployment").unwrap();
    assert_eq!(web[..db_end], samples::HELM[..db_end]);
    assert!(web[db_end..].contains("hook-agent"));
    let both = edited(samples::HELM, &wanted(|_| ()));
    assert_eq!(edited(&both, &Options { names: vec!["db".to_owned()], ..remove() }), web, "one alone is taken out");
}

#[test]
fn an_operators_pod_templates_are_found_through_lists() {
    let text = "\
apiVersion: elasticsearch.k8s.elastic.co/v1
kind: Elasticsearch
metadata:
  name: search
spec:
  nodeSets:
  - name: hot
    podTemplate:
      spec:
        containers:
        - name: elasticsearch
  - name: cold
    podTemplate:
      spec:
        containers:
        - name: elasticsearch
";
    let path = ["spec", "nodeSets", "podTemplate"].map(str::to_owned).to_vec();
    let kinds = vec![("Elasticsearch".to_owned(), path)];
    let inject = Options { kinds: kinds.clone(), ..options(How::InitContainer) };
    let once = edited(text, &inject);
    assert_eq!(once.matches("name: hook-agent-install").count(), 2);
    assert_eq!(edited(&once, &Options { kinds, ..remove() }), text);
    // What the operator fills in by itself is not seen: its pods stay without, and that is said.
    for others in ["  - name: warm\n", "  - name: warm\n    podTemplate:\n      spec:\n        nodeSelector: {a: b}\n"]
    {
        let some = edit(&format!("{text}{others}"), "f.yaml", &inject).unwrap();
        assert_eq!(some.text.matches("name: hook-agent-install").count(), 2);
        let [(place, note)] = some.notes.as_slice() else { panic!("{:?}", some.notes) };
        assert!(place.line > 16, "{place}");
        let said = note.to_string();
        assert!(said.contains("Elasticsearch search has no containers here at `spec.nodeSets.podTemplate`"), "{said}");
    }
}

#[test]
fn accounts_are_bound_once_each_in_their_namespace() {
    let text = format!("{}---\n{}", samples::PLAIN, samples::PLAIN.replace("name: db ", "name: db2 "));
    let options = Options { binding: true, ..options(How::ImageVolume) };
    let once = edited(&text, &options);
    let added: Vec<Json> = objects(&once).split_off(2);
    assert_eq!(
        added.iter().map(|object| object["kind"].as_str().unwrap()).collect::<Vec<_>>(),
        ["Role", "RoleBinding"]
    );
    assert_eq!(added[1]["metadata"]["name"], "hook-agent-register-db");
    assert_eq!(added[1]["subjects"], json!([{"kind": "ServiceAccount", "name": "db", "namespace": "shop"}]));
    assert_eq!(edited(&once, &options), once);
    assert_eq!(edited(&once, &remove()), text);
}

/// A manifest out of choices: how far lists are indented, which keys are there, what follows what.
fn any_manifest() -> impl Strategy<Value = String> {
    let comments = prop::sample::select(vec!["", "  # c\n", "# c\n", "\n", "      # c\n\n", "                # c\n"]);
    let metadata = prop::sample::select(vec![
        "",
        "    metadata:\n",
        "    metadata: {}\n",
        "    metadata:\n      annotations:\n",
        "    metadata:\n      annotations: {a: b}\n",
        "    metadata:\n      annotations:   # c\n        a: b\n      # d\n",
        "    metadata:\n        labels:\n            a: b\n",
    ]);
    let mounts = prop::sample::select(vec![
        "",
        "          volumeMounts:\n",
        "          volumeMounts: []   # c\n",
        "          volumeMounts:\n          - name: a\n            mountPath: /a\n",
        "          volumeMounts: [ {name: a, mountPath: /a} ]\n",
        "          command: [a]\n          args:\n            - |-\n              text\n\n              # text\n\n",
        "          args:\n            - >+\n              text\n\n\n",
    ]);
    let volumes = prop::sample::select(vec![
        "",
        "      volumes:\n",
        "      volumes: []\n",
        "      volumes:\n      - name: a\n        emptyDir: {}\n",
        "      volumes:\n          - name: a\n            emptyDir: {}\n        # c\n      # d\n",
        "      volumes: [\n        {name: a, emptyDir: {}},\n      ]\n",
        "      hostNetwork:\n",
    ]);
    (metadata, mounts, volumes, prop::collection::vec(comments, 5), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(metadata, mounts, volumes, c, first, crlf, end)| {
            let containers = format!("      containers:\n        - name: db\n{}{mounts}{}", c[0], c[1]);
            let parts = if first { [volumes, &containers] } else { [&containers, volumes] };
            let [one, two] = parts;
            let mut text = format!(
                "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: db}}\nspec:\n  template:\n{}{metadata}    spec:\n{one}{}{two}{}",
                c[2], c[3], c[4]
            );
            if crlf {
                text = text.replace('\n', "\r\n");
            }
            if end { text } else { text.trim_end().to_owned() }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn any_manifest_comes_back(text in any_manifest(), how in prop::sample::select(HOWS.to_vec()), binding: bool) {
        let options = Options { binding, ..options(how) };
        let once = edited(&text, &options);
        prop_assert_eq!(&edited(&once, &options), &once, "twice is not once");
        prop_assert_eq!(edited(&once, &remove()), text.clone(), "not taken out of:\n{}", once);
        let (before, after) = (objects(&text), objects(&once));
        let before = template(&before[0])["spec"].clone();
        let mut after = template(&after[0])["spec"].clone();
        // What was there is there, with the same values.
        after["containers"].as_array_mut().unwrap().truncate(1);
        for list in ["/containers/0/volumeMounts", "/volumes", "/initContainers"] {
            if let Some(Json::Array(items)) = after.pointer_mut(list) {
                items.retain(|item| !item["name"].as_str().unwrap().starts_with("hook-agent"));
            }
        }
        for key in ["args", "command", "name"] {
            prop_assert_eq!(&before["containers"][0][key], &after["containers"][0][key]);
        }
        prop_assert_eq!(before["volumes"].as_array().filter(|l| !l.is_empty()), after["volumes"].as_array().filter(|l| !l.is_empty()));
    }

    #[test]
    fn any_text_is_edited_or_refused(text in "(apiVersion: v1\nkind: Pod\n)?([ \\-]{0,4}(spec|a|containers|metadata|name|\\{|\\[|&x|\\*x|\\|\\+|#)?:? ?[a\\}\\]]?\n){0,8}") {
        let _ = edit(&text, "f.yaml", &options(How::InitContainer));
        let _ = edit(&text, "f.yaml", &remove());
    }
}
