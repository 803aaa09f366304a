//! How can a storage location be unavailable?

use super::refusal::Refusal;

/// What every request meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// 503 `ServiceUnavailable`: the client's SDK tries again, for a while.
    Unavailable,
    /// 403 `AccessDenied`: the credentials are not good for this.
    AccessDenied,
    /// 404 `NoSuchBucket`, whichever bucket was named.
    NoSuchBucket,
    /// The connection ends without an answer.
    Silent,
}

impl Outage {
    /// The answer; `None`: there is none.
    pub(super) fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Unavailable => Some(Refusal::ServiceUnavailable),
            Self::AccessDenied => Some(Refusal::AccessDenied("Access Denied")),
            Self::NoSuchBucket => Some(Refusal::NoSuchBucket),
            Self::Silent => None,
        }
    }
}
