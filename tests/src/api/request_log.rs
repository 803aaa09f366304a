//! Which requests came, from whom, and how were they answered?

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::kinds;
use super::request::ResourceRequest;

/// Records kept; the oldest go first, the counters keep counting. A bench with 1,000 groups makes some ten thousand.
const RECORDS_MAX: usize = 200_000;

/// One request. A watch is logged when it starts.
#[derive(Clone, Debug)]
pub struct Record {
    /// When it was answered, on this process's monotonic clock.
    pub at: Instant,
    /// `get`, `list`, `watch`, …
    pub verb: &'static str,
    /// Plural, e.g. `leases`.
    pub resource: &'static str,
    /// `status` or empty.
    pub subresource: String,
    /// Namespace or empty.
    pub namespace: String,
    /// Name or empty.
    pub name: String,
    /// Who asked; `admin`, `system:serviceaccount:…`, `system:anonymous`, or empty for an unknown token.
    pub user: String,
    /// HTTP status; 0 when a fault left the request without an answer.
    pub status: u16,
    /// Path and query as they came.
    pub target: String,
}

#[derive(Debug, Default)]
struct Log {
    records: std::collections::VecDeque<Record>,
    by_user: BTreeMap<String, u64>,
}

/// The log; discovery and health requests are not in it.
#[derive(Debug, Default)]
pub struct RequestLog(Mutex<Log>);

impl RequestLog {
    pub(super) fn note(&self, request: &ResourceRequest, target: &str, user: &str, status: u16) {
        let record = Record {
            at: Instant::now(),
            verb: request.verb.as_str(),
            resource: kinds::kind(request.kind).plural,
            subresource: request.subresource.clone(),
            namespace: request.namespace.clone(),
            name: request.name.clone(),
            user: user.to_owned(),
            status,
            target: target.to_owned(),
        };
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *log.by_user.entry(record.user.clone()).or_default() += 1;
        log.records.push_back(record);
        if log.records.len() > RECORDS_MAX {
            log.records.pop_front();
        }
    }

    /// All kept records, oldest first.
    pub fn records(&self) -> Vec<Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).records.iter().cloned().collect()
    }

    /// How many requests each user made since the start or the last [`Self::clear`].
    pub fn by_user(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_user.clone()
    }

    /// Forgets records and counters.
    pub fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Log::default();
    }
}
