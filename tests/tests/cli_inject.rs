//! `hook-agent inject` as users run it: from files and standard input, back again, as a diff and as patches, and what bad input gets.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use shared::duration::parse_ms;
use testbed::binaries::hook_agent;
use testbed::clusters::{ClusterRules, Form, write};
use testbed::coordinator_process::coordinator_command;
use testbed::recipes;

const IMAGE: &str = "registry.example.com/backup/hook-agent:0.1.0";

const MANIFEST: &str = "\
# The database.
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  serviceName: db   # headless
  selector: {matchLabels: {app: db}}
  template:
    metadata:
      labels: {app: db}
    spec:
      containers:
      - name: db
        image: \"postgres:16\"
        # volumes
        volumeMounts:
        - {name: data, mountPath: /data}   # on EBS
";

/// A folder for one test, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("testbed-inject-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        std::fs::write(self.0.join(name), text).unwrap();
        name.to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Status, standard output, standard error of `hook-agent inject`.
fn run(folder: &Path, input: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(hook_agent());
    command.arg("inject").args(arguments).current_dir(folder).env_remove("HOOK_AGENT_IMAGE");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it can be run");
    // What refuses its flags reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn inject(folder: &Path, input: &str, arguments: &[&str]) -> String {
    let (code, out, err) = run(folder, input, &[&["--image", IMAGE], arguments].concat());
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(err, "");
    out
}

#[test]
fn in_and_out_again_and_a_diff_of_both() {
    let folder = Folder::new("round");
    let file = folder.write("db.yaml", MANIFEST);
    let with = inject(&folder.0, "", &["-f", &file]);
    assert!(with.starts_with("# The database.\n") && with.contains("serviceName: db   # headless\n"), "{with}");
    assert_eq!(inject(&folder.0, MANIFEST, &[]), with, "standard input is the default");
    assert_eq!(inject(&folder.0, &with, &["-f", "-"]), with, "twice is once");
    let (code, without, err) = run(&folder.0, &with, &["--remove"]);
    assert_eq!((code, without.as_str(), err.as_str()), (Some(0), MANIFEST, ""));

    let (code, diff, _) = run(&folder.0, "", &["-f", &file, "--image", IMAGE, "--diff"]);
    assert_eq!(code, Some(2));
    assert!(diff.starts_with("--- a/db.yaml\n+++ b/db.yaml\n@@ -"), "{diff}");
    assert_eq!(diff.lines().filter(|line| line.starts_with('-')).count(), 1, "a line is lost, or changed: {diff}");
    assert_eq!(run(&folder.0, &with, &["--image", IMAGE, "--diff"]), (Some(0), String::new(), String::new()));
    let (code, diff, _) = run(&folder.0, &with, &["--remove", "--diff"]);
    assert!(code == Some(2) && !diff.lines().skip(2).any(|line| line.starts_with('+')), "{diff}");
}

#[test]
fn files_become_one_stream_of_documents() {
    let folder = Folder::new("files");
    let one = folder.write("one.yaml", MANIFEST.trim_end());
    let two = folder.write("two.yaml", MANIFEST.replace("name: db,", "name: other,"));
    let three = folder.write("three.yaml", "---\napiVersion: v1\nkind: Service\n");
    let out = inject(&folder.0, "", &["-f", &one, "-f", &two, "-f", &three]);
    let documents: Vec<Value> = serde_saphyr::from_multiple(&out).unwrap();
    assert_eq!(
        documents.iter().filter_map(|document| document["metadata"]["name"].as_str()).collect::<Vec<_>>(),
        ["db", "other"]
    );
    assert_eq!(documents.len(), 3);
    assert!(documents[..2].iter().all(|document| document.to_string().contains("hook-agent-install")), "{out}");
    let one_alone = inject(&folder.0, "", &["-f", &one, "-f", &two, "--name", "other"]);
    assert_eq!(one_alone.matches("name: hook-agent-install").count(), 1);
}

/// What the hooks of generated Schedules say, the annotations say too.
#[test]
fn the_hooks_are_those_of_generated_schedules() {
    let folder = Folder::new("hooks");
    let mut cluster = Vec::new();
    write(ClusterRules { seed: 9, workloads: 3, odd: false }, Form::List, &mut cluster).unwrap();
    let cluster = folder.write("cluster.json", cluster);
    let planned =
        coordinator_command().args(["plan", "-o", "yaml", "-f"]).arg(folder.0.join(cluster)).output().unwrap();
    let schedules: Vec<Value> = serde_saphyr::from_multiple(&String::from_utf8(planned.stdout).unwrap()).unwrap();
    let hooks =
        &schedules.iter().find(|schedule| !schedule.is_null()).expect("a Schedule")["spec"]["template"]["hooks"];
    let document: Value = serde_saphyr::from_str(&inject(&folder.0, MANIFEST, &[])).unwrap();
    let annotations = &document["spec"]["template"]["metadata"]["annotations"];
    for when in ["pre", "post"] {
        let annotation = |what: &str| annotations[format!("{when}.hook.backup.velero.io/{what}")].as_str().unwrap();
        let exec = &hooks["resources"][0][when][0]["exec"];
        let command: Value = serde_json::from_str(annotation("command")).unwrap();
        assert_eq!(command, exec["command"], "{when}");
        assert_eq!(annotation("on-error"), exec["onError"], "{when}");
        assert_eq!(parse_ms(annotation("timeout")), parse_ms(exec["timeout"].as_str().unwrap()), "{when}");
        assert_eq!(annotation("container"), "db");
    }
}

/// A plan's steps may take longer than what a hook of `inject` leaves before Velero's timeout: no recipe is refused for that.
#[test]
fn the_hooks_take_every_recipe() {
    let folder = Folder::new("recipes");
    let document: Value = serde_saphyr::from_str(&inject(&folder.0, MANIFEST, &[])).unwrap();
    let command = &document["spec"]["template"]["metadata"]["annotations"]["pre.hook.backup.velero.io/command"];
    let words: Vec<String> = serde_json::from_str(command.as_str().unwrap()).unwrap();
    let recipes =
        recipes::blocks().into_iter().filter(|block| block.text.contains("snapshot-group.velero.io/quiesce:"));
    let mut count = 0;
    for recipe in recipes.filter(|block| block.language == "yaml") {
        let lines = recipes::annotations(&recipe.text).into_iter().map(|(key, value)| format!("{key}={value:?}\n"));
        folder.write("annotations", lines.collect::<String>());
        let mut hook = Command::new(hook_agent());
        hook.args(&words[1..]).env_clear().env("KUBECONFIG", "/no/kubeconfig");
        hook.args(["--pod-namespace", "shop", "--pod-name", "db-0", "--pod-uid", "u", "--group", "g", "--podinfo-dir"]);
        let ended = hook.arg(&folder.0).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout);
        assert!(said.contains("/no/kubeconfig"), "it got no further than its settings: {said}\n{}", recipe.text);
        count += 1;
    }
    assert!(count > 8, "{count} recipes");
}

/// What the page of the install shows is what comes out.
#[test]
fn the_install_page_shows_what_comes_out() {
    let page = include_str!("../../docs/install.md");
    let between = |start: &str, end: &str| {
        let from = page.find(start).unwrap_or_else(|| panic!("{start} is not on the page")) + start.len();
        page[from..].split_once(end).expect("its end").0
    };
    let folder = Folder::new("page");
    let file = folder.write("db.yaml", between("cat > db.yaml <<'EOF'\n", "EOF\n"));
    let (code, diff, err) = run(&folder.0, "", &["-f", &file, "--image", IMAGE, "--diff"]);
    assert_eq!((code, err.as_str()), (Some(2), ""));
    assert_eq!(diff, between("```diff\n", "```\n"));
}

#[test]
fn what_cannot_be_edited_is_named_and_nothing_is_printed() {
    let folder = Folder::new("bad");
    let good = folder.write("good.yaml", MANIFEST);
    let not_text = folder.write("latin1.yaml", b"name: \xe4");
    let image = ["--image", IMAGE];
    let service = "apiVersion: v1\nkind: Service\n";
    let chart = MANIFEST.replace("metadata: {name: db, namespace: shop}", "metadata: {{- include \"labels\" . }}");
    for (input, arguments, code, said) in [
        ("", &[][..], 2, "--image (HOOK_AGENT_IMAGE) is missing"),
        ("", &["--image", "a b"], 2, "`a b` is not the name of an image"),
        (MANIFEST, &["--how", "magic"], 2, "init-container"),
        (MANIFEST, &["--hook-timeout", "10"], 2, "has no unit"),
        (MANIFEST, &["--hook-timeout", "1s"], 2, "out of range"),
        (MANIFEST, &["--kind", "Elasticsearch"], 2, "--pod-template-path"),
        (MANIFEST, &["--pod-template-path", "spec"], 2, "needs a --kind"),
        (MANIFEST, &["--remove", "-o", "patch"], 2, "--remove"),
        (MANIFEST, &["-f", "none.yaml"], 22, "none.yaml cannot be read: No such file"),
        (MANIFEST, &["-f", &not_text], 22, "latin1.yaml is not UTF-8"),
        (
            MANIFEST,
            &["--container", "web"],
            22,
            "document 1, line 12: StatefulSet shop/db has no container `web`, it has db",
        ),
        (MANIFEST, &["--name", "web"], 22, "StatefulSet, Deployment, DaemonSet, Pod of the name web"),
        (service, &[], 22, "standard input: no workload is in it (Service)"),
        (
            "a: b\n",
            &["-f", &good, "-f", "-"],
            22,
            "standard input, document 1, line 1: this is no object of Kubernetes",
        ),
        ("a: [", &["-f", &good, "-f", "-"], 22, "this is not YAML"),
        (&chart, &[], 22, "line 4: this is a template of Helm"),
        (&MANIFEST.replace(", namespace: shop", ""), &["--service-account-binding"], 22, "give --namespace"),
    ] {
        let image = if arguments.contains(&"--image") || said.contains("--image") { &[][..] } else { &image };
        let (status, out, err) = run(&folder.0, input, &[image, arguments].concat());
        assert_eq!((status, out.as_str()), (Some(code), ""), "{arguments:?}: {err}");
        assert!(err.contains(said), "`{said}` is not in: {err}");
        let (status, out, err) = run(&folder.0, input, &[image, arguments, &["--diff"]].concat());
        assert_eq!((status, out.as_str()), (Some(1), ""), "--diff {arguments:?}: {err}");
    }
}

#[test]
fn what_is_too_long_is_refused_before_it_is_read_whole() {
    let folder = Folder::new("long");
    std::fs::File::create(folder.0.join("long.yaml")).unwrap().set_len(1 << 40).unwrap();
    let (code, out, err) = run(&folder.0, "", &["--image", IMAGE, "-f", "long.yaml"]);
    assert_eq!((code, out.as_str()), (Some(22), ""));
    assert!(err.contains("long.yaml: the input has more than 10485760 bytes"), "{err}");
}
