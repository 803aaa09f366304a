//! Is a Lease's spec legal?

use serde_json::Value;

use crate::api::status::Violation;

/// `ValidateLeaseSpec` (pkg/apis/coordination/validation). An empty holderIdentity is legal on v1.35: it is how a lock is given back.
pub fn check(object: &Value, out: &mut Vec<Violation>) {
    let spec = &object["spec"];
    if let Some(seconds) = spec["leaseDurationSeconds"].as_i64().filter(|s| *s <= 0) {
        out.push(Violation::invalid("spec.leaseDurationSeconds", &seconds.into(), "must be greater than 0"));
    }
    if let Some(transitions) = spec["leaseTransitions"].as_i64().filter(|t| *t < 0) {
        out.push(Violation::invalid(
            "spec.leaseTransitions",
            &transitions.into(),
            "must be greater than or equal to 0",
        ));
    }
}

/// The form of times, which the type alone is too generous about.
pub fn decode(object: &Value) -> Result<(), String> {
    let times = ["acquireTime", "renewTime"].map(|field| object["spec"][field].as_str());
    match times.into_iter().flatten().find(|time| !is_micro_time(time)) {
        Some(time) => {
            Err(format!("parsing time \"{time}\" as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse \"{time}\""))
        }
        None => Ok(()),
    }
}

/// RFC 3339 with exactly six digits of a second: Go's layout with zeros insists on all of them, and on capital letters (metav1.MicroTime).
fn is_micro_time(text: &str) -> bool {
    let form = |b: u8| if b.is_ascii_digit() { b'0' } else { b };
    let form: Vec<u8> = text.bytes().map(form).collect();
    let fits = form
        .strip_prefix(b"0000-00-00T00:00:00.000000")
        .is_some_and(|zone| matches!(zone, b"Z" | b"+00:00" | b"-00:00"));
    fits && text.parse::<jiff::Timestamp>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn micro_time_has_six_digits() {
        for good in ["2024-01-01T00:00:00.000000Z", "2024-01-01T00:00:00.123456+02:00"] {
            assert!(is_micro_time(good), "{good}");
        }
        for bad in [
            "2024-01-01T00:00:00Z",
            "2024-01-01T00:00:00.123Z",
            "2024-01-01T00:00:00.1234567Z",
            "2024-13-01T00:00:00.000000Z",
            "2024-01-01 00:00:00.000000Z",
            "",
        ] {
            assert!(!is_micro_time(bad), "{bad}");
        }
    }
}
