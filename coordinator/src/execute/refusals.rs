//! Which namespaces refuse our writes of one kind (labels, Events): where the coordinator was not given the right, every
//! object would be refused again and again, thousands of times a minute in a large cluster.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shared::identity::Namespace;

/// A namespace that refused is tried again after this, ms, with one write: somebody may have given us the right meanwhile.
const TRIED_AGAIN_AFTER_MS: u64 = 60_000;

/// Namespaces that refused, and when each may be tried again.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<BTreeMap<Namespace, Instant>>);

impl Refusals {
    /// Whether to try a write in this namespace now. Of many that ask when a pause is over, one may.
    pub fn may_try(&self, namespace: &Namespace, now: Instant) -> bool {
        match self.lock().get_mut(namespace) {
            None => true,
            Some(again) if now < *again => false,
            Some(again) => {
                *again = now + Duration::from_millis(TRIED_AGAIN_AFTER_MS);
                true
            }
        }
    }

    /// A write there was refused.
    pub fn refused(&self, namespace: Namespace, now: Instant) {
        self.lock().insert(namespace, now + Duration::from_millis(TRIED_AGAIN_AFTER_MS));
    }

    /// A write there was not refused.
    pub fn allowed(&self, namespace: &Namespace) {
        self.lock().remove(namespace);
    }

    /// Whether a 403 concerns every pod of a namespace: the authorizer's words (k8s.io/apiserver
    /// `pkg/endpoints/handlers/responsewriters/errors.go`). An admission plugin words its refusal of a single pod differently.
    pub fn is_of_namespace(said: &str) -> bool {
        said.contains("cannot patch resource")
    }

    /// What is said of a write that was not tried.
    pub fn not_tried(namespace: &Namespace) -> String {
        format!(
            "pods of namespace {namespace} may not be labelled (403): give the coordinator the right to patch pods there, \
             or leave them out with --resource-label-selector"
        )
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Namespace, Instant>> {
        // A panic while it was held leaves a map that is still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_right_is_told_from_a_refused_pod() {
        assert!(Refusals::is_of_namespace(
            "pods \"db-0\" is forbidden: User \"system:serviceaccount:velero:snapshot-coordinator\" cannot patch resource \
             \"pods\" in API group \"\" in the namespace \"prod\""
        ));
        assert!(!Refusals::is_of_namespace(
            "admission webhook \"policy.example.com\" denied the request: not this pod"
        ));
    }

    #[test]
    fn one_of_many_tries_when_a_pause_is_over() {
        let (refusals, begin) = (Refusals::default(), Instant::now());
        let (here, there) = (Namespace::new("here").unwrap(), Namespace::new("there").unwrap());
        assert!(refusals.may_try(&here, begin) && refusals.may_try(&here, begin));
        refusals.refused(here.clone(), begin);
        let later = begin + Duration::from_millis(TRIED_AGAIN_AFTER_MS);
        assert!(!refusals.may_try(&here, begin) && refusals.may_try(&there, begin));
        assert!(refusals.may_try(&here, later), "one tries");
        assert!(!refusals.may_try(&here, later), "the others do not");
        refusals.allowed(&here);
        assert!(refusals.may_try(&here, later));
    }
}
