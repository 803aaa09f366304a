//! What does a snapshot's error text mean: whose limit was hit, and does waiting help?
//!
//! Texts are those of EBS CSI driver v1.64.0 behind external-snapshotter v8.7.0, as seen, and of Velero's AWS plugin. A starved call shows as
//! one of three texts none of which says that it was throttled: the driver retries throttled calls by itself until the sidecar's
//! deadline of 60 s cuts it off, and which part of the chain notices first is a race.

use std::fmt;

/// What EC2, or the chain before it, said of a CreateSnapshot that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SnapshotError {
    /// The account's bucket of CreateSnapshot calls in this Region is empty (100, refilled by 5 a second, unless AWS raised it).
    RequestLimitExceeded,
    /// The account has as many pending snapshots as it may.
    PendingSnapshotLimitExceeded,
    /// A volume was cut twice within 15 s.
    SnapshotCreationPerVolumeRateExceeded,
    /// A volume has as many pending snapshots as it may (5; st1 and sc1: 1).
    ConcurrentSnapshotLimitExceeded,
    /// The account has as many snapshots as it may. Waiting does not help.
    SnapshotLimitExceeded,
    /// The call did not end in time. Most likely it was throttled all the while; a dead driver looks the same.
    Starved,
    /// Anything else: rights, a volume that is gone, a driver that cannot be reached.
    Other,
}

/// Whom an error slows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Everybody in the account and Region.
    Account,
    /// One volume.
    Volume,
    /// It says nothing about how fast snapshots may be asked for.
    Neither,
}

impl SnapshotError {
    /// All, in the order in which a text is tried: a code that contains another one comes first.
    const CODES: [(Self, &'static str); 5] = [
        (Self::SnapshotCreationPerVolumeRateExceeded, "SnapshotCreationPerVolumeRateExceeded"),
        (Self::ConcurrentSnapshotLimitExceeded, "ConcurrentSnapshotLimitExceeded"),
        (Self::PendingSnapshotLimitExceeded, "PendingSnapshotLimitExceeded"),
        (Self::SnapshotLimitExceeded, "SnapshotLimitExceeded"),
        (Self::RequestLimitExceeded, "RequestLimitExceeded"),
    ];

    /// Other codes that the AWS SDKs take for throttling (aws-sdk-go-v2 `retry.DefaultThrottleErrorCodes`).
    const THROTTLES: [&'static str; 9] = [
        "Throttling",
        "ThrottledException",
        "RequestThrottled",
        "TooManyRequestsException",
        "SlowDown",
        "EC2ThrottledException",
        "BandwidthLimitExceeded",
        "PriorRequestNotComplete",
        "LimitExceededException",
    ];

    /// The three texts of a call that starved.
    const STARVED: [&'static str; 3] =
        ["DeadlineExceeded", "context deadline exceeded", "RST_STREAM with error code: CANCEL"];

    /// Reads an error's code, as EC2 and the driver's counters name it.
    pub fn of_code(code: &str) -> Self {
        let known = Self::CODES.into_iter().find(|(_, word)| *word == code).map(|(error, _)| error);
        known.unwrap_or_else(|| {
            if Self::THROTTLES.iter().any(|word| code.starts_with(word)) {
                Self::RequestLimitExceeded
            } else {
                Self::Other
            }
        })
    }

    /// Reads `status.error.message` of a VolumeSnapshotContent or VolumeSnapshot, or a line of Velero's plugin.
    pub fn of_text(text: &str) -> Self {
        // The SDK says `api error <Code>: <message>`; that word is exact where it stands.
        let code = text.rsplit_once("api error ").and_then(|(_, rest)| rest.split([':', ' ', '"']).next());
        if let Some(code) = code {
            match Self::of_code(code) {
                Self::Other => {}
                known => return known,
            }
        }
        let contains = |word: &str| text.contains(word);
        if let Some((error, _)) = Self::CODES.into_iter().find(|(_, word)| contains(word)) {
            return error;
        }
        if contains("Request limit exceeded") || Self::THROTTLES[..6].iter().any(|word| contains(word)) {
            return Self::RequestLimitExceeded;
        }
        if Self::STARVED.iter().any(|word| contains(word)) { Self::Starved } else { Self::Other }
    }

    /// Whom it slows.
    pub const fn reach(self) -> Reach {
        match self {
            Self::RequestLimitExceeded | Self::PendingSnapshotLimitExceeded | Self::Starved => Reach::Account,
            Self::SnapshotCreationPerVolumeRateExceeded | Self::ConcurrentSnapshotLimitExceeded => Reach::Volume,
            Self::SnapshotLimitExceeded | Self::Other => Reach::Neither,
        }
    }

    /// Its word, EC2's where EC2 has one.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestLimitExceeded => "RequestLimitExceeded",
            Self::PendingSnapshotLimitExceeded => "PendingSnapshotLimitExceeded",
            Self::SnapshotCreationPerVolumeRateExceeded => "SnapshotCreationPerVolumeRateExceeded",
            Self::ConcurrentSnapshotLimitExceeded => "ConcurrentSnapshotLimitExceeded",
            Self::SnapshotLimitExceeded => "SnapshotLimitExceeded",
            Self::Starved => "DeadlineExceeded",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `status.error.message` as seen behind the real driver, ids shortened.
    const STARVED: [&str; 3] = [
        r#"Failed to create snapshot: failed to take snapshot of the volume vol-1: "rpc error: code = DeadlineExceeded desc = context deadline exceeded""#,
        r#"Failed to check and update snapshot content: failed to take snapshot of the volume vol-1: "rpc error: code = DeadlineExceeded desc = stream terminated by RST_STREAM with error code: CANCEL""#,
        r#"Failed to create snapshot: failed to take snapshot of the volume vol-1: "rpc error: code = Internal desc = Could not create snapshot \"snapshot-1\": error creating snapshot of volume vol-1: operation error EC2: CreateSnapshot, request canceled, context deadline exceeded""#,
    ];

    fn refused(code: &str) -> String {
        format!(
            r#"Failed to create snapshot: failed to take snapshot of the volume vol-1: "rpc error: code = Internal desc = Could not create snapshot \"snapshot-1\": error creating snapshot of volume vol-1: operation error EC2: CreateSnapshot, https response error StatusCode: 400, RequestID: 677da5bf, api error {code}: The limit has been exceeded.""#
        )
    }

    #[test]
    fn the_texts_of_a_starved_call() {
        for text in STARVED {
            assert_eq!(SnapshotError::of_text(text), SnapshotError::Starved, "{text}");
        }
    }

    #[test]
    fn each_limit_has_its_code_and_its_reach() {
        for (code, error, reach) in [
            ("RequestLimitExceeded", SnapshotError::RequestLimitExceeded, Reach::Account),
            ("PendingSnapshotLimitExceeded", SnapshotError::PendingSnapshotLimitExceeded, Reach::Account),
            ("EC2ThrottledException", SnapshotError::RequestLimitExceeded, Reach::Account),
            ("ThrottlingException", SnapshotError::RequestLimitExceeded, Reach::Account),
            (
                "SnapshotCreationPerVolumeRateExceeded",
                SnapshotError::SnapshotCreationPerVolumeRateExceeded,
                Reach::Volume,
            ),
            ("ConcurrentSnapshotLimitExceeded", SnapshotError::ConcurrentSnapshotLimitExceeded, Reach::Volume),
            ("SnapshotLimitExceeded", SnapshotError::SnapshotLimitExceeded, Reach::Neither),
            ("InvalidVolume.NotFound", SnapshotError::Other, Reach::Neither),
            ("UnauthorizedOperation", SnapshotError::Other, Reach::Neither),
        ] {
            assert_eq!(SnapshotError::of_code(code), error, "{code}");
            assert_eq!(SnapshotError::of_text(&refused(code)), error, "{code}");
            assert_eq!(error.reach(), reach, "{code}");
        }
    }

    #[test]
    fn texts_of_other_places() {
        for (text, error) in [
            (
                "error taking snapshot of volume: rpc error: code = Unknown desc = RequestLimitExceeded: Request limit exceeded.\n\tstatus code: 503",
                SnapshotError::RequestLimitExceeded,
            ),
            (
                r#"rpc error: code = ResourceExhausted desc = Could not create snapshot (resource exhausted) "s": limit exceeded: operation error EC2: CreateSnapshot, https response error StatusCode: 400, RequestID: 1, api error SnapshotLimitExceeded: no"#,
                SnapshotError::SnapshotLimitExceeded,
            ),
            (
                "operation error EC2: CreateSnapshot, exceeded maximum number of attempts, 3, https response error StatusCode: 503, RequestID: 1, api error RequestLimitExceeded: Request limit exceeded.",
                SnapshotError::RequestLimitExceeded,
            ),
            ("rpc error: code = Unavailable desc = connection error: no such file", SnapshotError::Other),
            ("", SnapshotError::Other),
        ] {
            assert_eq!(SnapshotError::of_text(text), error, "{text}");
        }
    }
}
