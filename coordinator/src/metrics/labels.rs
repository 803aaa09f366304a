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
