//! How the core's notices read as log lines.

use std::time::Instant;

use coordinator_core::notice::{Notice, StallReason};
use coordinator_core::objects::{BackupFailure, ObjectKey, PodKey};
use coordinator_core::report::unanswered;
use coordinator_core::throttle::limiter::{Change, Why};
use serde_json::{Value, json};
use shared::duration::format_ms;
use shared::identity::GroupKey;
use shared::receipt::{MemberEnd, Receipt};

use super::event_type::EventType;
use super::line::Fields;
use super::repeats::Repeats;
use super::writer::Log;

/// A receipt with more JSON than this is summed up only, bytes: container runtimes cut lines at 16 KiB, and half of a
/// JSON line is none. The whole receipt is on the Backup and in the group's Lease.
const RECEIPT_SHOWN_BYTES_MAX: usize = 8 * 1024;

/// So many groups are named in one line.
const GROUPS_SHOWN_MAX: usize = 20;

/// Writes one notice, unless it is a trouble that was said a moment ago.
pub fn tell(log: &Log, repeats: &mut Repeats, notice: &Notice) {
    let (event, message, fields) = line_of(notice);
    if repeated_by(notice).is_none_or(|text| repeats.worth_saying(text, Instant::now())) {
        log.say(event, &message, &fields);
    }
}

/// What is the same each time a trouble is met again; nothing where each line is news.
fn repeated_by(notice: &Notice) -> Option<&str> {
    match notice {
        Notice::LeaseInvalid { message, .. } | Notice::WriteFailed { message, .. } => Some(message),
        _ => None,
    }
}

fn line_of(notice: &Notice) -> (EventType, String, Fields) {
    match notice {
        Notice::ConcurrencyAdjusted { change, usage } => limit_line(change, *usage),
        Notice::SignalHealth { source, works, evidence } => {
            let message = if *works {
                format!("throttle signal {source} works again: {evidence}")
            } else {
                format!("throttle signal {source} says nothing, and nothing is raised on its word: {evidence}")
            };
            (EventType::SignalHealth, message, fields(json!({"source": source.as_str(), "works": works})))
        }
        Notice::RoundOpened { group, mode, weight, backup } => (
            EventType::GroupCreated,
            format!("the first member of {group} arrived: it needs {weight} volumes, mode {mode}"),
            group_fields(group, json!({"mode": mode, "weight": weight, "backup": backup})),
        ),
        Notice::RoundWaits { group, wait } => {
            (EventType::GroupStatus, format!("{group} waits: {wait}"), group_fields(group, json!({"wait": wait})))
        }
        Notice::Granted { group, epoch, weight, waited_ms } => (
            EventType::GroupGranted,
            format!("{group} got {weight} volumes of the budget after {}", format_ms(*waited_ms)),
            group_fields(group, json!({"epoch": epoch, "weight": weight, "waited_ms": waited_ms})),
        ),
        Notice::Released { group, epoch, members } => (
            EventType::GroupReady,
            format!("{group}: {members} members released"),
            group_fields(group, json!({"epoch": epoch, "pod_count": members})),
        ),
        Notice::BarrierDegraded { group, arrived, expected, why } => (
            EventType::BarrierDegraded,
            format!("{group}: {arrived} of {expected} members arrived and {}: goes on as arrive-and-go", stall(*why)),
            group_fields(group, json!({"waiting": arrived, "expected": expected})),
        ),
        Notice::RoundClosed(receipt) => receipt_line(receipt),
        Notice::PodLabelled { pod, group } => (
            EventType::PodLabelled,
            format!("{pod} is in {group} from now on"),
            pod_fields(pod, json!({"group_id": group})),
        ),
        Notice::MemberLost { pod, group, end } => {
            let (event, message) = match end {
                MemberEnd::PodGone => (EventType::MemberGone, format!("{pod} is gone in mid-round: it counts no more")),
                _ => (EventType::MemberExpired, format!("the hook of {pod} gave no sign of life: it counts no more")),
            };
            (event, message, pod_fields(pod, json!({"group_id": group.group})))
        }
        Notice::HooksMissed { group, backup, pods } => (
            EventType::HooksMissed,
            format!(
                "snapshot group {group} was backed up without its hooks: {pods} pods announce one and none registered"
            ),
            group_fields(group, json!({"backup": backup.name, "pod_count": pods})),
        ),
        Notice::BackupFailed { backup, failure, groups } => backup_failed_line(backup, *failure, groups),
        Notice::LeaseInvalid { message, .. } => (EventType::LeaseInvalid, message.clone(), Fields::new()),
        Notice::CallUnanswered { group, called, missing } => (
            EventType::CallUnanswered,
            format!("{group}: {}", unanswered(*called, missing)),
            group_fields(group, json!({"pod_count": missing.len()})),
        ),
        Notice::HoldEnded { group, members, at_most_ms } => (
            EventType::HoldEnded,
            format!(
                "{group} was held still for {}, as long as it may be: {members} members let go",
                format_ms(*at_most_ms)
            ),
            group_fields(group, json!({"pod_count": members})),
        ),
        Notice::AnnotationInvalid { group: _, annotation, object, value, rule } => (
            EventType::AnnotationInvalid,
            format!("{object}: its {annotation} annotation is ignored: it must be {rule}"),
            fields(json!({"object": object, "value": value})),
        ),
        Notice::GroupTooLarge { group, members } => (
            EventType::GroupTooLarge,
            format!(
                "{group} has {members} members, more than its Lease can list: the rest go on at their own deadlines"
            ),
            group_fields(group, json!({"pod_count": members})),
        ),
        Notice::WriteFailed { target, refused, message } => {
            let target = format!("{target:?}");
            let said = format!("{target}: {message}");
            (EventType::WriteFailed, said, fields(json!({"target": target, "refused": refused})))
        }
        Notice::LeaseCollected { lease } => {
            (EventType::LeaseCollected, format!("Lease {lease} is deleted"), fields(json!({"lease": lease})))
        }
    }
}

/// The original's two fields, and what explains them.
fn limit_line(change: &Change, usage: u32) -> (EventType, String, Fields) {
    let Change { from, to, max, why } = change;
    let source = match why {
        Why::Throttled(source, _) | Why::Calm(source, _) => Some(source.as_str()),
        Why::Ceiling | Why::Adopted => None,
    };
    (
        EventType::ConcurrencyAdjusted,
        format!("adjusted concurrency from {from} to {to} of at most {max} volumes: {why}"),
        fields(json!({
            "original": max, "adjusted": to, "previous": from, "in_use": usage,
            "reason": why.as_str(), "source": source, "why": why.to_string(),
        })),
    )
}

fn stall(why: StallReason) -> String {
    match why {
        StallReason::AllWorkersWait { workers } => format!("all {workers} workers of Velero wait"),
        StallReason::NoArrival { for_ms } => format!("nobody else came for {}", format_ms(for_ms)),
    }
}

/// The groups are counted and the first of them named: a Backup may be of the whole cluster.
fn backup_failed_line(backup: &ObjectKey, failure: BackupFailure, groups: &[GroupKey]) -> (EventType, String, Fields) {
    let how = match failure {
        BackupFailure::Refused => "was refused (FailedValidation)",
        BackupFailure::Failed => "failed",
    };
    let first: Vec<String> = groups.iter().take(GROUPS_SHOWN_MAX).map(GroupKey::to_string).collect();
    let count = groups.len();
    (
        EventType::BackupFailed,
        format!("Backup {backup}, which was to cut {count} groups, {how}: nothing can be restored from it"),
        fields(json!({"backup": backup.name, "group_count": count, "groups": first})),
    )
}

fn receipt_line(receipt: &Receipt) -> (EventType, String, Fields) {
    let Receipt {
        namespace,
        group,
        epoch,
        backup,
        mode,
        way,
        degraded,
        weight,
        opened_at,
        closed_at,
        members,
        members_omitted,
        frozen_max,
        quiesce_skew_ms,
        clock_error_ms,
        skew_ms,
        earlier_rounds,
        verdict,
        why,
    } = receipt;
    let mut said = fields(json!({
        "namespace": namespace,
        "group_id": group,
        "epoch": epoch,
        "backup": backup,
        "mode": mode,
        "way": way,
        "degraded": degraded,
        "frozen_max": frozen_max,
        "quiesce_skew_ms": quiesce_skew_ms,
        "clock_error_ms": clock_error_ms,
        "earlier_rounds": earlier_rounds.as_ref().map(|earlier| earlier.count),
        "weight": weight,
        "opened_at": opened_at,
        "closed_at": closed_at,
        "pod_count": members.len() + usize::try_from(*members_omitted).unwrap_or(0),
        "skew_ms": skew_ms,
        "held_ms_max": members.iter().filter_map(shared::receipt::MemberReceipt::held_ms).max(),
        "verdict": verdict,
        "why": why.to_string(),
    }));
    let whole = receipt.to_bounded_json();
    if whole.len() <= RECEIPT_SHOWN_BYTES_MAX {
        said.insert("receipt".to_owned(), serde_json::from_str(&whole).unwrap_or(Value::Null));
    }
    (EventType::GroupReceipt, format!("{namespace}/{group}: {verdict}: {why}"), said)
}

fn group_fields(group: &GroupKey, more: Value) -> Fields {
    let GroupKey { namespace, group } = group;
    let mut all = fields(json!({"namespace": namespace, "group_id": group}));
    all.extend(fields(more));
    all
}

fn pod_fields(pod: &PodKey, more: Value) -> Fields {
    let PodKey { namespace, name } = pod;
    let mut all = fields(json!({"namespace": namespace, "pod": name}));
    all.extend(fields(more));
    all
}

/// The members of a JSON object; what is not known (null) is left out.
fn fields(object: Value) -> Fields {
    match object {
        Value::Object(map) => map.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Fields::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::group_lease::{Epoch, WaitReason};

    fn group() -> GroupKey {
        "prod/db".parse().unwrap()
    }

    fn check(notice: &Notice, event: EventType, message: &str, said: &Value) {
        let (found_event, found_message, found_fields) = line_of(notice);
        assert_eq!((found_event, found_message.as_str()), (event, message));
        assert_eq!(Value::Object(found_fields), *said);
    }

    #[test]
    fn lines_name_namespace_and_group_apart() {
        check(
            &Notice::Granted { group: group(), epoch: Epoch(7), weight: 3, waited_ms: 1_500 },
            EventType::GroupGranted,
            "prod/db got 3 volumes of the budget after 1500ms",
            &json!({"namespace": "prod", "group_id": "db", "epoch": 7, "weight": 3, "waited_ms": 1500}),
        );
        check(
            &Notice::RoundWaits { group: group(), wait: WaitReason::Members { arrived: 1, expected: 3 } },
            EventType::GroupStatus,
            "prod/db waits: barrier: 1 of 3 members arrived",
            &json!({"namespace": "prod", "group_id": "db", "wait": {"for": "members", "arrived": 1, "expected": 3}}),
        );
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        check(
            &Notice::RoundOpened { group: group(), mode: shared::admission::Mode::Barrier, weight: 2, backup: None },
            EventType::GroupCreated,
            "the first member of prod/db arrived: it needs 2 volumes, mode barrier",
            &json!({"namespace": "prod", "group_id": "db", "mode": "barrier", "weight": 2}),
        );
    }
}
