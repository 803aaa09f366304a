//! How a report becomes the API's Event and its references.

use coordinator_core::reason::Importance;
use coordinator_core::report::{Report, Subject, SubjectKind};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType};

/// The Event, and what it is about.
pub fn event_of(report: Report) -> (Event, ObjectReference) {
    let Report { about, related, reason, note } = report;
    let event = Event {
        type_: match reason.importance() {
            Importance::Normal => EventType::Normal,
            Importance::Warning => EventType::Warning,
        },
        reason: reason.as_str().to_owned(),
        note: Some(note),
        action: reason.action().to_owned(),
        secondary: related.map(reference),
    };
    (event, reference(about))
}

fn reference(subject: Subject) -> ObjectReference {
    let Subject { kind, key, uid } = subject;
    let api_version = match kind {
        SubjectKind::Backup | SubjectKind::Schedule => "velero.io/v1",
        SubjectKind::Lease => "coordination.k8s.io/v1",
        SubjectKind::StatefulSet => "apps/v1",
        SubjectKind::Pod | SubjectKind::PersistentVolumeClaim => "v1",
    };
    ObjectReference {
        api_version: Some(api_version.to_owned()),
        kind: Some(kind.as_str().to_owned()),
        namespace: Some(key.namespace.to_string()),
        name: Some(key.name),
        uid,
        ..ObjectReference::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coordinator_core::objects::ObjectKey;
    use coordinator_core::reason::Reason;
    use serde_json::json;

    #[test]
    fn references_are_complete() {
        let subject = |kind, namespace: &str, name: &str, uid: Option<&str>| Subject {
            kind,
            key: ObjectKey { namespace: namespace.parse().unwrap(), name: name.to_owned() },
            uid: uid.map(str::to_owned),
        };
        let about = subject(SubjectKind::StatefulSet, "prod", "db", Some("u1"));
        let backup = subject(SubjectKind::Backup, "velero", "nightly", None);
        let (event, about) = event_of(Report::new(about, Some(backup), Reason::SnapshotHooksMissed, "why"));
        assert_eq!(
            serde_json::to_value(about).unwrap(),
            json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "namespace": "prod", "name": "db", "uid": "u1"})
        );
        assert_eq!(
            serde_json::to_value(event.secondary).unwrap(),
            json!({"apiVersion": "velero.io/v1", "kind": "Backup", "namespace": "velero", "name": "nightly"})
        );
        assert_eq!((event.type_, event.reason.as_str()), (EventType::Warning, "SnapshotHooksMissed"));
        assert_eq!((event.note.as_deref(), event.action.as_str()), (Some("why"), "Watch"));
    }
}
