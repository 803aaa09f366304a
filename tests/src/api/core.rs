//! What do all connections share?

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use super::faults::Faults;
use super::request_log::RequestLog;
use super::store::Store;
use super::users::Users;

/// The server's state; each connection holds an `Arc` of it.
#[derive(Debug)]
pub struct Core {
    /// The objects.
    pub store: Arc<Store>,
    /// Who may ask.
    pub users: Users,
    /// What goes wrong on purpose.
    pub faults: Faults,
    /// What was asked.
    pub log: RequestLog,
    /// API groups that are not installed at the moment.
    pub absent_groups: RwLock<BTreeSet<String>>,
}

impl Core {
    /// Whether an API group is served at the moment.
    pub fn serves(&self, group: &str) -> bool {
        !self.absent_groups.read().unwrap_or_else(PoisonError::into_inner).contains(group)
    }

    /// Installs or uninstalls a group.
    pub fn set_served(&self, group: &str, served: bool) {
        let mut absent = self.absent_groups.write().unwrap_or_else(PoisonError::into_inner);
        if served {
            absent.remove(group)
        } else {
            absent.insert(group.to_owned())
        };
    }
}
