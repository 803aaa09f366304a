//! Do rules and dashboards ask for metrics that exist?

use std::collections::BTreeSet;
use std::path::PathBuf;

/// What rules and dashboards ask of Velero (`pkg/metrics/metrics.go` of v1.18.3, with its namespace `velero`).
const VELERO: [&str; 5] = [
    "velero_backup_attempt_total",
    "velero_backup_failure_total",
    "velero_backup_last_successful_timestamp",
    "velero_backup_partial_failure_total",
    "velero_backup_success_total",
];

const OWN_PREFIX: &str = "snapshot_coordinator_";

pub fn component(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../manifests").join(path)
}

pub fn read(path: &str) -> String {
    let path = component(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every word of `text` that begins with `prefix`.
fn words<'a>(text: &'a str, prefix: &str) -> BTreeSet<&'a str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_word(c)).filter(|word| word.starts_with(prefix) && word.len() > prefix.len()).collect()
}

/// Names of the series in an `OpenMetrics` text, from its `# TYPE` lines.
fn series(metrics: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in metrics.lines() {
        let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) else { continue };
        match kind {
            "counter" => names.extend([format!("{name}_total")]),
            "histogram" => names.extend(["_bucket", "_sum", "_count"].map(|end| format!("{name}{end}"))),
            _ => names.extend([name.to_owned()]),
        }
    }
    names
}

/// What `text` asks of our own series' labels: name, label and the one value that it must have (`x_total{a="b"}`).
fn asked_labels(text: &str) -> BTreeSet<(&str, &str, &str)> {
    let mut asked = BTreeSet::new();
    for rest in text.split(OWN_PREFIX).skip(1) {
        let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let Some((name, selector)) = rest.split_once('{').filter(|(name, _)| is_name(name)) else { continue };
        let selector = selector.split('}').next().unwrap_or_default();
        for (label, value) in selector.split(',').filter_map(|matcher| matcher.split_once('=')) {
            let value = value.trim_matches(['\\', '"']);
            // The dashboard's own variables; `!=`, `=~` and `!~` name what need not be there.
            if !value.starts_with(['$', '~']) && !label.ends_with('!') {
                asked.insert((name, label, value));
            }
        }
    }
    asked
}

/// `metrics` is what a coordinator says after a night.
pub fn check(metrics: &str) {
    let known = series(metrics);
    assert!(known.len() > 20, "{metrics}");
    for path in ["components/alerts/prometheus-rule.yaml", "components/grafana/snapshot-groups.json"] {
        let text = read(path);
        let asked = words(&text, OWN_PREFIX);
        assert!(!asked.is_empty(), "{path} asks for nothing of the coordinator's");
        for name in asked {
            assert!(
                known.contains(name),
                "{path} asks for {name}, which the coordinator does not have; it has {known:#?}"
            );
        }
        for (name, label, value) in asked_labels(&text) {
            let is_it = |line: &str| {
                let labels = line.strip_prefix(OWN_PREFIX).and_then(|line| line.strip_prefix(name)?.strip_prefix('{'));
                labels.is_some_and(|labels| labels.contains(&format!("{label}=\"{value}\"")))
            };
            assert!(
                metrics.lines().any(is_it),
                "{path} asks for {name} with {label}={value}, which the coordinator does not have: {metrics}"
            );
        }
        for name in words(&text, "velero_") {
            assert!(VELERO.contains(&name), "{path} asks for {name}: not in the list of what Velero has");
        }
    }
}

#[test]
fn series_are_named_as_prometheus_sees_them() {
    let text = "# HELP a_b x\n# TYPE a_b counter\na_b_total 1\n# TYPE c gauge\n# TYPE d_seconds histogram\n# EOF\n";
    let names = ["a_b_total", "c", "d_seconds_bucket", "d_seconds_count", "d_seconds_sum"].map(str::to_owned);
    assert_eq!(series(text), BTreeSet::from(names));
    assert_eq!(words("sum(x_a{y=\"x_b\"}) by (x_) + x_a", "x_"), BTreeSet::from(["x_a", "x_b"]));
    let rule = r#"sum(snapshot_coordinator_a_bucket{le="300.0",b!="c",d=~"e.+",n=\"$n\"}) - snapshot_coordinator_f == 1 and g{h="i"}"#;
    assert_eq!(asked_labels(rule), BTreeSet::from([("a_bucket", "le", "300.0")]));
}
