//! The labels of metrics: few values each, none from the cluster's names.

use prometheus_client::encoding::EncodeLabelSet;

/// `verdict` of a round.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct VerdictLabel {
    /// As in receipts.
    pub verdict: &'static str,
}

/// `admission` of a member.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AdmissionLabel {
    /// As in receipts.
    pub admission: &'static str,
}

/// Why the budget changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AdjustmentLabels {
    /// `lowered` or `raised`.
    pub direction: &'static str,
    /// `throttled`, `calm`, `ceiling` or `adopted`.
    pub reason: &'static str,
    /// The source of the evidence, or `none`.
    pub source: &'static str,
}

/// What a source of throttle signals says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SignalLabels {
    /// As in the limiter Lease.
    pub source: &'static str,
    /// `calm`, `throttled` or `unknown`.
    pub level: &'static str,
}

/// A source of throttle signals.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SourceLabel {
    /// As in the limiter Lease.
    pub source: &'static str,
}

/// What was done to a Schedule, or to a claim's label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ActionLabel {
    /// `create`, `update`, `remove`, `pause` or `resume`.
    pub action: &'static str,
}

/// One kind of request to the API server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// As in Kubernetes' own metrics.
    pub verb: &'static str,
    /// Plural name.
    pub resource: String,
    /// HTTP status, or `none`.
    pub code: String,
}

/// `resource` of a watch or of a failed write.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ResourceLabel {
    /// Plural name, with the group.
    pub resource: &'static str,
}

/// `why` a Kubernetes Event was not written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WhyLabel {
    /// One of few words.
    pub why: &'static str,
}

/// The build, as a gauge that is always 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct BuildLabels {
    /// The product's version.
    pub version: &'static str,
}
