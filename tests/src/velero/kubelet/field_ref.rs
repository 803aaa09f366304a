//! What is the value of a downward-API field of a pod?

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;

/// Looks a field path up; `None` for a path that the downward API does not know. Absent values are empty, as there.
///
/// Paths and formats: Kubernetes `pkg/fieldpath/fieldpath.go`.
pub(super) fn field(pod: &Pod, path: &str) -> Option<String> {
    let meta = &pod.metadata;
    let spec = pod.spec.as_ref();
    let status = pod.status.as_ref();
    let text = |value: Option<&String>| Some(value.cloned().unwrap_or_default());
    match path {
        "metadata.name" => text(meta.name.as_ref()),
        "metadata.namespace" => text(meta.namespace.as_ref()),
        "metadata.uid" => text(meta.uid.as_ref()),
        "metadata.labels" => Some(format_map(meta.labels.as_ref())),
        "metadata.annotations" => Some(format_map(meta.annotations.as_ref())),
        "spec.nodeName" => text(spec.and_then(|s| s.node_name.as_ref())),
        "spec.serviceAccountName" => text(spec.and_then(|s| s.service_account_name.as_ref())),
        "status.podIP" => text(status.and_then(|s| s.pod_ip.as_ref())),
        "status.hostIP" => text(status.and_then(|s| s.host_ip.as_ref())),
        _ => subscript(path, "metadata.labels", meta.labels.as_ref())
            .or_else(|| subscript(path, "metadata.annotations", meta.annotations.as_ref())),
    }
}

/// `metadata.labels['key']`.
fn subscript(path: &str, map_path: &str, map: Option<&BTreeMap<String, String>>) -> Option<String> {
    let key = path.strip_prefix(map_path)?.strip_prefix("['")?.strip_suffix("']")?;
    Some(map.and_then(|m| m.get(key)).cloned().unwrap_or_default())
}

/// One `key="value"` a line, sorted, values quoted and escaped as Go's `%q` does, no newline at the end.
fn format_map(map: Option<&BTreeMap<String, String>>) -> String {
    let lines = map.into_iter().flatten().map(|(key, value)| format!("{key}={}", quoted(value)));
    lines.collect::<Vec<_>>().join("\n")
}

fn quoted(value: &str) -> String {
    let escape = |c: char| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        c if c.is_control() => format!("\\x{:02x}", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", value.chars().map(escape).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Option<&str>) {
        let pod: Pod = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "db-0", "namespace": "db", "uid": "u-1", "labels": {"b": "2", "a": "1"},
                "annotations": {"note": "say \"hi\"\n\\o/"}},
            "spec": {"containers": [], "nodeName": "n1"}, "status": {"podIP": "10.0.0.1"}
        }))
        .unwrap();
        assert_eq!(field(&pod, path).as_deref(), expected, "{path}");
    }

    #[test]
    fn fields() {
        check("metadata.name", Some("db-0"));
        check("metadata.uid", Some("u-1"));
        check("metadata.labels['a']", Some("1"));
        check("metadata.labels['absent']", Some(""));
        check("metadata.labels", Some("a=\"1\"\nb=\"2\""));
        check("metadata.annotations", Some(r#"note="say \"hi\"\n\\o/""#));
        check("spec.nodeName", Some("n1"));
        check("status.hostIP", Some(""));
        check("status.phase", None);
    }
}
