//! What of an endpoint's metrics text is read: the EBS CSI driver's counters, or why there are none.
//!
//! A text in Prometheus' format is lines of `name{label="value",…} number`. Only the families below are looked at; whatever else stands there
//! may be anything.

use std::collections::BTreeMap;

use super::driver::Counters;

/// Throttled attempts, by operation.
const THROTTLES: [&str; 2] =
    // The second is the driver's name of it with `--deprecated-metrics`.
    ["aws_ebs_csi_api_request_throttles_total", "cloudprovider_aws_api_throttled_requests_total"];
/// Errors, by request and code.
const ERRORS: &str = "aws_ebs_csi_api_request_errors_total";
/// Calls that succeeded, by request; there from the start, at 0.
const CALLS: &str = "aws_ebs_csi_api_request_duration_seconds_count";
/// What each of the driver's own families begins with.
const FAMILY: &str = "aws_ebs_csi_";
/// The operation that counts; others have buckets of their own.
const OPERATION: &str = "CreateSnapshot";
/// Codes that are told apart; EC2 has a few hundred, and a snapshot meets a dozen.
const CODES_MAX: usize = 64;
/// A counter past this has been made up: f64 counts exactly up to here.
const COUNT_MAX: f64 = 9_007_199_254_740_992.0;

/// A text that tells nothing; the words say what it is instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCounters {
    /// Nothing at all.
    #[error("it answers with nothing")]
    Empty,
    /// HTML or the like.
    #[error(
        "it answers with something that is no metrics text (`{0}`): is this the metrics port of ebs-csi-controller?"
    )]
    NoMetrics(String),
    /// Metrics, but none of the driver.
    #[error(
        "it serves metrics, and none of the EBS CSI driver ({FAMILY}…): is this ebs-csi-controller with controller.enableMetrics?"
    )]
    NotTheDriver,
    /// A number that is no count.
    #[error("{family} is `{value}`, which is no count")]
    Nonsense {
        /// The metric's name.
        family: String,
        /// What stood there.
        value: String,
    },
}

/// Reads a text.
///
/// # Errors
/// When it tells nothing about the driver, or says what cannot be.
pub fn parse(text: &str) -> Result<Counters, NotCounters> {
    if text.trim().is_empty() {
        return Err(NotCounters::Empty);
    }
    let mut counters = Counters::default();
    let (mut is_driver, mut is_metrics) = (false, false);
    for line in text.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix('#') {
            is_metrics |= comment.trim_start().starts_with("TYPE ") || comment.trim_start().starts_with("HELP ");
            is_driver |= comment.contains(FAMILY);
            continue;
        }
        let Some(sample) = sample(line) else { continue };
        is_metrics = true;
        is_driver |= sample.name.starts_with(FAMILY);
        let of = |label: &str| sample.label(label);
        if THROTTLES.contains(&sample.name) && of("operation_name") == Some(OPERATION) {
            is_driver = true;
            counters.throttles = counters.throttles.saturating_add(sample.count()?);
        } else if sample.name == ERRORS && of("request") == Some(OPERATION) {
            let code = of("code").unwrap_or_default().to_owned();
            if counters.errors.len() < CODES_MAX || counters.errors.contains_key(&code) {
                *counters.errors.entry(code).or_default() += sample.count()?;
            }
        } else if sample.name == CALLS && of("request") == Some(OPERATION) {
            counters.calls = Some(counters.calls.unwrap_or(0).saturating_add(sample.count()?));
        }
    }
    match (is_driver, is_metrics) {
        (true, _) => Ok(counters),
        (false, true) => Err(NotCounters::NotTheDriver),
        (false, false) => Err(NotCounters::NoMetrics(text.trim().chars().take(40).collect())),
    }
}

struct Sample<'a> {
    name: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
    value: &'a str,
}

impl<'a> Sample<'a> {
    fn label(&self, name: &str) -> Option<&'a str> {
        self.labels.get(name).copied()
    }

    fn count(&self) -> Result<u64, NotCounters> {
        let nonsense =
            || NotCounters::Nonsense { family: self.name.to_owned(), value: self.value.chars().take(40).collect() };
        let value: f64 = self.value.parse().map_err(|_| nonsense())?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 2^53")]
        if value.is_finite() && (0.0..=COUNT_MAX).contains(&value) { Ok(value as u64) } else { Err(nonsense()) }
    }
}

/// One line, if it is a sample: a name, labels or none, a value.
fn sample<'a>(line: &'a str) -> Option<Sample<'a>> {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))?;
    let (name, rest) = line.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        // None of the labels that are read has an escape in its value; one that has is another family's.
        Some(rest) => rest.split_once('}').map(|(labels, rest)| (labels, rest.trim_start()))?,
        None => ("", rest.strip_prefix(' ')?.trim_start()),
    };
    let pair =
        |text: &'a str| text.trim().split_once('=').map(|(key, value)| (key.trim(), value.trim().trim_matches('"')));
    let labels = labels.split(',').filter_map(pair).collect();
    Some(Sample { name, labels, value: rest.split_ascii_whitespace().next()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As the driver v1.64.0 serves it after a throttled burst.
    const DRIVER: &str = r#"
# HELP aws_ebs_csi_api_request_throttles_total Total number of throttled AWS SDK API requests per request type
# TYPE aws_ebs_csi_api_request_throttles_total counter
aws_ebs_csi_api_request_throttles_total{operation_name="CreateSnapshot"} 14
aws_ebs_csi_api_request_throttles_total{operation_name="DescribeSnapshots"} 3
# TYPE aws_ebs_csi_api_request_errors_total counter
aws_ebs_csi_api_request_errors_total{code="ConcurrentSnapshotLimitExceeded",request="CreateSnapshot"} 10
aws_ebs_csi_api_request_errors_total{code="PendingSnapshotLimitExceeded",request="CreateSnapshot"} 6
aws_ebs_csi_api_request_errors_total{code="InvalidVolume.NotFound",request="AttachVolume"} 9
aws_ebs_csi_api_request_duration_seconds_count{request="CreateSnapshot"} 4
go_goroutines 42
"#;

    #[test]
    fn the_driver_s_counters() {
        let counters = parse(DRIVER).unwrap();
        assert_eq!((counters.throttles, counters.calls), (14, Some(4)));
        let errors: Vec<_> = counters.errors.iter().map(|(code, count)| (code.as_str(), *count)).collect();
        assert_eq!(errors, [("ConcurrentSnapshotLimitExceeded", 10), ("PendingSnapshotLimitExceeded", 6)]);
    }

    #[test]
    fn before_the_first_event_only_the_histogram_is_there() {
        let quiet = "aws_ebs_csi_api_request_duration_seconds_count{request=\"CreateSnapshot\"} 0\n";
        assert_eq!(parse(quiet), Ok(Counters { calls: Some(0), ..Counters::default() }));
        // Metrics of the driver without the histogram: nothing is known of calls.
        let families = "# TYPE aws_ebs_csi_api_request_throttles_total counter\n";
        assert_eq!(parse(families), Ok(Counters::default()));
    }

    #[test]
    fn what_is_none_says_what_it_is() {
        for (text, part) in [
            ("", "with nothing"),
            (" \n", "with nothing"),
            ("<!DOCTYPE html><html><body>404</body></html>", "<!DOCTYPE html>"),
            ("{\"error\": \"not found\"}", "no metrics text"),
            ("go_goroutines 42\nprocess_cpu_seconds_total 1\n", "none of the EBS CSI driver"),
            (
                "aws_ebs_csi_api_request_throttles_total{operation_name=\"CreateSnapshot\"} NaN\n",
                "`NaN`, which is no count",
            ),
            ("aws_ebs_csi_api_request_throttles_total{operation_name=\"CreateSnapshot\"} -1\n", "`-1`"),
            ("aws_ebs_csi_api_request_throttles_total{operation_name=\"CreateSnapshot\"} 1e300\n", "`1e300`"),
            ("aws_ebs_csi_api_request_throttles_total{operation_name=\"CreateSnapshot\"} +Inf\n", "`+Inf`"),
            ("aws_ebs_csi_api_request_duration_seconds_count{request=\"CreateSnapshot\"} many\n", "`many`"),
        ] {
            let said = parse(text).unwrap_err().to_string();
            assert!(said.contains(part), "{text}: {said}");
        }
    }

    #[test]
    fn codes_are_bounded() {
        use std::fmt::Write as _;
        let mut text = String::new();
        for i in 0..1_000 {
            let _ =
                writeln!(text, "aws_ebs_csi_api_request_errors_total{{code=\"C{i}\",request=\"CreateSnapshot\"}} 1");
        }
        assert_eq!(parse(&text).unwrap().errors.len(), CODES_MAX);
    }

    proptest! {
        #[test]
        fn whatever_stands_there_it_is_read_or_refused(text in "\\PC{0,200}(\n[a-z_]{1,12}[{]?[a-z=\",]{0,20}[}]? [0-9.eE+-]{0,9}){0,8}") {
            let _ = parse(&text);
        }
    }
}
