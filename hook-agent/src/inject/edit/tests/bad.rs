//! What cannot be edited is named: file, document, line, and what to do.

use super::samples::PLAIN;
use super::*;

fn refused(text: &str, options: &Options) -> String {
    match edit(text, "f.yaml", options) {
        Err(error) => error.to_string(),
        Ok(edited) => panic!("not refused:\n{}", edited.text),
    }
}

fn check(text: &str, parts: &[&str]) {
    let said = refused(text, &options(How::InitContainer));
    for part in parts {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
}

#[test]
fn what_is_no_manifest() {
    let ok = "apiVersion: v1\nkind: Service\n---\n";
    check(&format!("{ok}a: [1,\n"), &["f.yaml, document 2, line 4", "not YAML"]);
    check(&format!("{ok}a: b\n"), &["document 2, line 4", "no object of Kubernetes", "no apiVersion"]);
    check(&format!("{ok}apiVersion: v1\n"), &["document 2, line 4", "it has no kind"]);
    check("- a\n", &["document 1, line 1", "no map"]);
    check("just text\n", &["document 1, line 1", "no map"]);
    for template in ["  name: {{ .Release.Name }}", "{{- if .Values.x }}", "  name: db-{{ .Release.Name }}"] {
        let text = PLAIN.replace("  namespace: \"shop\"", template);
        check(&text, &["f.yaml, document 1, line 6: ", "template of Helm", "helm template"]);
    }
}

#[test]
fn what_is_too_large() {
    check(&format!("{PLAIN}#{}", "x".repeat(BYTES_MAX)), &["f.yaml: ", "10485760 bytes"]);
    let full = format!("{PLAIN}#{}", "x".repeat(BYTES_MAX - PLAIN.len() - 1));
    check(&full, &["f.yaml: with the agent in it the text has more than 10485760 bytes"]);
    check(&"---\n".repeat(1_001), &["f.yaml: ", "1000 documents"]);
}

#[test]
fn containers_and_templates_that_are_not_there() {
    let elsewhere = Options { container: Some("web".to_owned()), ..options(How::Sidecar) };
    let said = refused(PLAIN, &elsewhere);
    assert!(said.contains("StatefulSet shop/db has no container `web`, it has db, exporter"), "{said}");
    check(&PLAIN.replace("containers:", "container:"), &["StatefulSet shop/db has no pod template", "`spec.template`"]);
    check(
        &PLAIN.replace("- name: db\n", "- stdin: true\n"),
        &["line 19: the container of StatefulSet shop/db has no name"],
    );
    let unbound = Options { binding: true, namespace: None, ..options(How::Sidecar) };
    let said = refused(&PLAIN.replace("  namespace: \"shop\"\n", ""), &unbound);
    assert!(said.contains("StatefulSet db names no namespace") && said.contains("--namespace"), "{said}");
    let said = refused(super::samples::JSON, &Options { namespace: Some("shop".to_owned()), ..unbound });
    assert!(said.contains("cannot be added to JSON"), "{said}");
}

/// kubectl takes the last of two keys without a word: what is put into the first would be gone.
#[test]
fn keys_that_stand_twice() {
    for (before, added, key) in [
        ("      labels:", "      annotations: {a: b}\n      annotations: {c: d}\n", "annotations"),
        ("      labels:", "      annotations:\n        a: b\n        a: c\n", "a"),
        ("      containers:", "      volumes: []\n      volumes: []\n", "volumes"),
        ("      containers:", "      serviceAccountName: b\n", "serviceAccountName"),
        ("          volumeMounts:", "          volumeMounts: []\n", "volumeMounts"),
        ("  replicas:", "  template: {}\n", "template"),
        ("  namespace:", "  name: c\n", "name"),
    ] {
        let text = PLAIN.replace(before, &format!("{added}{before}"));
        check(&text, &[&format!("the key `{key}` stands there twice"), ", document 1, line "]);
    }
    let labels = PLAIN.replace("{app: db}", "{app: db, app: db}");
    assert_eq!(edited(&edited(&labels, &options(How::InitContainer)), &remove()), labels, "of no concern here");
}

#[test]
fn what_somebody_gave_the_agents_containers_is_not_lost() {
    for (how, name, key, added) in [
        (How::Sidecar, "hook-agent", "readinessProbe", "readinessProbe: {exec: {command: [/hook-agent, ready]}}"),
        (How::Sidecar, "hook-agent", "env", "env: [{name: LOG, value: x}]"),
        (How::InitContainer, "hook-agent-install", "env", "env: []"),
    ] {
        let once = edited(PLAIN, &options(how));
        let changed = once.replace(
            &format!("- name: {name}\n          image"),
            &format!("- name: {name}\n          {added}\n          image"),
        );
        assert_ne!(once, changed);
        check(&changed, &[&format!("`{key}` of the container `{name}` is not the agent's and would be lost"), "line "]);
        assert_eq!(edited(&changed, &remove()), PLAIN);
        let filled = changed.replace(added, "imagePullPolicy: IfNotPresent");
        assert_eq!(edited(&filled, &options(how)), once, "what the API server fills in");
    }
    let flags = edited(PLAIN, &options(How::Sidecar)).replace("[sidecar]", "[sidecar, --log-level, debug]");
    check(&flags, &["`args` of the container `hook-agent`"]);
}

#[test]
fn names_and_places_that_are_taken_are_said_and_left_alone() {
    let volume = "      volumes:\n        - name: hook-agent\n          configMap: {name: x}\n";
    let container = "        - name: hook-agent\n          image: other\n";
    let mount = "            - name: tools\n              mountPath: /hooks/\n";
    let podinfo = "            - name: tools\n              mountPath: /etc/podinfo\n";
    let hook = "      annotations:\n        pre.hook.backup.velero.io/command: /sbin/fsfreeze\n";
    for (before, added, said) in [
        ("      # What Kube", volume, "the volume `hook-agent` is there already"),
        ("        - name: exporter", container, "the container `hook-agent` is there already"),
        ("        - name: exporter", mount, "container `db` already mounts `tools` at /hooks"),
        ("        - name: exporter", podinfo, "already mounts `tools` at /etc/podinfo"),
        ("      labels:", hook, "already have another hook (pre.hook.backup.velero.io/command)"),
    ] {
        let text = PLAIN.replace(before, &format!("{added}{before}"));
        check(&text, &[said, ", document 1, line "]);
        assert_eq!(edited(&text, &remove()), text, "not theirs, and gone");
    }
}

#[test]
fn forms_that_would_change_more_than_they_show() {
    for (from, to, said) in [
        ("    spec:", "    spec: &pod", ""),
        ("      containers:", "      containers: &c", ""),
        ("      serviceAccountName: db", "      <<: {serviceAccountName: db}", "it merges another map"),
        ("      containers:", "      volumes: null\n      containers:", "`volumes` cannot be edited here: it is null"),
        ("      containers:", "      volumes: text\n      containers:", "not what Kubernetes has there"),
        ("      containers:", "      volumes: {a: b}\n      containers:", "not what Kubernetes has there"),
        (
            "      containers:",
            "      initContainers: &l []\n      volumes: *l\n      containers:",
            "an anchor (&name) that is used elsewhere",
        ),
        ("      containers:", "      x: &l []\n      volumes: *l\n      containers:", "it is an alias"),
        ("labels: {app: db}", "annotations: {a: }", "write null"),
    ] {
        let text = PLAIN.replace(from, to);
        if said.is_empty() {
            assert_eq!(edited(&edited(&text, &options(How::InitContainer)), &remove()), text);
        } else {
            check(&text, &[said, ", document 1, line "]);
        }
    }
}
