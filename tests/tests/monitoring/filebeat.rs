//! What would Filebeat send of these lines? Its configuration is read, and applied by the rules of Elastic's documentation (container
//! parser, `dissect`, `decode_json_fields`, `drop_event`, `timestamp`); a processor or a condition that is not known here fails.

use serde_json::{Map, Value, json};

use crate::metric_names::read;

/// The longest piece in which containerd writes a line, bytes; what is longer comes in pieces marked `P`, the last one `F`.
const PIECE_BYTES_MAX: usize = 16 * 1024;

/// The coordinator's log file on its node.
const FILE: &str = "/var/log/containers/snapshot-coordinator-6b5c8d7f9-x7k2p_velero_coordinator-0123456789abcdef.log";

/// Velero's.
const VELERO_FILE: &str = "/var/log/containers/velero-7d9f8b6c5-abcde_velero_velero-fedcba9876543210.log";

/// Lines of a real Velero 1.18.3 with `--log-format json`, cut down: one of a Backup, one of a throttled snapshot, one that is neither.
const VELERO_LINES: [&str; 3] = [
    r#"{"backup":"velero/nightly","level":"info","logSource":"pkg/backup/backup.go:590","msg":"Backed up a total of 12 items","time":"2026-11-23T01:02:03Z"}"#,
    r#"{"backup":"velero/nightly","error.message":"rpc error: code = Internal desc = RequestLimitExceeded: Request limit exceeded.","level":"error","logSource":"pkg/backup/backup.go:651","msg":"Error backing up item","name":"db-0","time":"2026-11-23T01:02:04Z"}"#,
    r#"{"level":"info","logSource":"pkg/controller/gc_controller.go:90","msg":"Garbage collection","time":"2026-11-23T01:02:05Z"}"#,
];

fn config() -> Value {
    serde_saphyr::from_str(&read("components/filebeat/filebeat.yml")).expect("filebeat.yml is YAML")
}

/// As containerd writes lines to a file.
fn cri(line: &str) -> String {
    let pieces: Vec<&[u8]> = line.as_bytes().chunks(PIECE_BYTES_MAX).collect();
    let mut file = String::new();
    for (n, piece) in pieces.iter().enumerate() {
        let mark = if n + 1 == pieces.len() { "F" } else { "P" };
        let text = std::str::from_utf8(piece).expect("the tests' long lines are ASCII");
        for part in ["2026-11-23T01:02:03.456789012Z stdout ", mark, " ", text, "\n"] {
            file.push_str(part);
        }
    }
    file
}

/// The container parser: one event a whole line.
fn parse(file: &str) -> Vec<Map<String, Value>> {
    let (mut events, mut begun) = (Vec::new(), String::new());
    for piece in file.lines() {
        let mut parts = piece.splitn(4, ' ');
        let [time, stream, mark, text] = std::array::from_fn(|_| parts.next().expect("four parts"));
        begun.push_str(text);
        if mark == "F" {
            let event = json!({"@timestamp": time, "stream": stream, "message": std::mem::take(&mut begun)});
            events.extend(event.as_object().cloned());
        }
    }
    events
}

/// A field by its dotted path; a key that holds dots itself is found too, as Elasticsearch takes it.
fn field<'a>(event: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(found) = event.get(path) {
        return Some(found);
    }
    let (head, rest) = path.split_once('.')?;
    field(event.get(head)?.as_object()?, rest)
}

fn put(event: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => drop(event.insert(path.to_owned(), value)),
        Some((head, rest)) => {
            let inner = event.entry(head).or_insert_with(|| json!({}));
            put(inner.as_object_mut().expect("an object"), rest, value);
        }
    }
}

/// `%{key}` up to the delimiter that follows it.
fn dissect(text: &str, tokenizer: &str) -> Option<Vec<(String, String)>> {
    let (begin, mut rest) = tokenizer.split_once("%{")?;
    let (mut text, mut found) = (text.strip_prefix(begin)?, Vec::new());
    loop {
        let (key, after) = rest.split_once('}')?;
        let (delimiter, next) = after.split_once("%{").unwrap_or((after, ""));
        let (value, left) = text.split_once(delimiter).filter(|_| !delimiter.is_empty()).unwrap_or((text, ""));
        found.push((key.to_owned(), value.to_owned()));
        if next.is_empty() {
            return Some(found);
        }
        (text, rest) = (left, next);
    }
}

fn holds(condition: &Value, event: &Map<String, Value>) -> bool {
    let (name, of) = condition.as_object().and_then(|c| c.iter().next()).expect("a condition");
    match name.as_str() {
        "not" => !holds(of, event),
        "or" => of.as_array().expect("a list").iter().any(|one| holds(one, event)),
        "has_fields" => {
            of.as_array().expect("a list").iter().all(|path| field(event, path.as_str().expect("text")).is_some())
        }
        "equals" => of.as_object().expect("a map").iter().all(|(path, wanted)| field(event, path) == Some(wanted)),
        other => panic!("condition {other}: teach this test what Filebeat makes of it"),
    }
}

/// Applies one processor; false where the event is dropped.
fn process(processor: &Value, event: &mut Map<String, Value>) -> bool {
    let (name, of) = processor.as_object().and_then(|p| p.iter().next()).expect("a processor");
    let text = |key: &str| of[key].as_str().unwrap_or_else(|| panic!("{name}.{key} must be text"));
    match name.as_str() {
        "dissect" => {
            let from = field(event, text("field")).and_then(Value::as_str).expect("the file's path").to_owned();
            for (key, value) in dissect(&from, text("tokenizer")).expect("the path fits the tokenizer") {
                put(event, &format!("{}.{key}", text("target_prefix")), value.into());
            }
        }
        "add_fields" => {
            for (key, value) in of["fields"].as_object().expect("fields") {
                put(event, &format!("{}.{key}", text("target")), value.clone());
            }
        }
        "decode_json_fields" => {
            assert_eq!(of["fields"], json!(["message"]));
            let message = field(event, "message").and_then(Value::as_str).unwrap_or_default();
            if let Ok(decoded @ Value::Object(_)) = serde_json::from_str(message) {
                put(event, text("target"), decoded);
            }
        }
        "drop_event" => return !holds(&of["when"], event),
        "timestamp" => {
            if let Some(time) = field(event, text("field")).cloned() {
                put(event, "@timestamp", time);
            }
        }
        other => panic!("processor {other}: teach this test what Filebeat makes of it"),
    }
    true
}

/// What reaches Elasticsearch of the coordinator's `lines` and of Velero's.
pub fn ship(lines: &[Value]) -> Vec<Value> {
    let config = config();
    let processors = config["processors"].as_array().expect("processors").clone();
    let coordinator: String = lines.iter().map(|line| cri(&line.to_string())).collect();
    let velero: String = VELERO_LINES.iter().map(|line| cri(line)).collect();
    let mut sent = Vec::new();
    for (path, file) in [(FILE, coordinator), (VELERO_FILE, velero)] {
        for mut event in parse(&file) {
            put(&mut event, "log.file.path", path.into());
            if processors.iter().all(|processor| process(processor, &mut event)) {
                assert_eq!(field(&event, "kubernetes.namespace"), Some(&json!("velero")), "{event:?}");
                sent.push(Value::Object(event));
            }
        }
    }
    assert_eq!(sent.len(), lines.len() + 2, "every line of the coordinator's, and Velero's about Backups or trouble");
    sent
}

/// The globs name both programs' files, and no other pod's.
#[test]
fn the_right_files_are_read() {
    let config = config();
    let input = &config["filebeat.inputs"][0];
    let globs: Vec<&str> = input["paths"].as_array().expect("paths").iter().filter_map(Value::as_str).collect();
    let fits = |path: &str| globs.iter().any(|glob| glob_fits(glob, path));
    assert!(fits(FILE) && fits(VELERO_FILE), "{globs:?}");
    for other in [
        "/var/log/containers/velero-ui-1_tools_velero-0123.log",
        "/var/log/containers/node-agent-1_velero_node-agent-0123.log",
        "/var/log/containers/snapshot-controller-1_kube-system_snapshot-controller-0123.log",
    ] {
        assert!(!fits(other), "{other}");
    }
    assert_eq!((&input["type"], &input["prospector.scanner.symlinks"]), (&json!("filestream"), &json!(true)));
}

fn glob_fits(glob: &str, path: &str) -> bool {
    match glob.split_once('*') {
        None => glob == path,
        Some((head, rest)) => path.strip_prefix(head).is_some_and(|left| {
            (0..=left.len())
                .any(|n| left.is_char_boundary(n) && !left[..n].contains('/') && glob_fits(rest, &left[n..]))
        }),
    }
}

#[test]
fn a_line_that_the_runtime_split_is_one_event() {
    let long = format!("{{\"event_type\":\"startup\",\"message\":\"{}\"}}", "x".repeat(3 * PIECE_BYTES_MAX));
    let file = cri(&long);
    assert_eq!(file.lines().count(), 4);
    assert_eq!(parse(&file)[0]["message"], json!(long));
}
