//! How is a server set up?

use std::collections::BTreeSet;

/// Events kept per kind. A watch from before them gets 410. Enough for a test that writes 10,000 pods and lets a client reconnect.
const HISTORY_EVENTS: usize = 20_000;

/// Settings of a server; `default()` serves everything.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    pub(super) absent_groups: BTreeSet<String>,
    pub(super) history_events_max: usize,
    pub(super) collects_garbage: bool,
    pub(super) takes_anonymous: bool,
    pub(super) namespaces: Vec<String>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            absent_groups: BTreeSet::new(),
            history_events_max: HISTORY_EVENTS,
            collects_garbage: true,
            takes_anonymous: true,
            namespaces: ["default", "kube-system", "velero"].map(str::to_owned).to_vec(),
        }
    }
}

impl ServerOptions {
    /// Leaves out an API group, as a cluster without these CRDs does; `ApiServer::install_group` brings it.
    #[must_use]
    pub fn without_group(mut self, group: &str) -> Self {
        self.absent_groups.insert(group.to_owned());
        self
    }

    /// Keeps so many events per kind (for tests of 410).
    #[must_use]
    pub fn history_events(mut self, events_max: usize) -> Self {
        self.history_events_max = events_max;
        self
    }

    /// Switches garbage collection and the end of Namespaces off: the real ones are in kube-controller-manager, and a control plane
    /// without it behaves like this.
    #[must_use]
    pub fn without_garbage_collection(mut self) -> Self {
        self.collects_garbage = false;
        self
    }

    /// Answers 401 to requests without a token. By default they are taken as `system:anonymous`, because kubectl sends no token over plain HTTP.
    #[must_use]
    pub fn without_anonymous(mut self) -> Self {
        self.takes_anonymous = false;
        self
    }

    /// Adds a namespace that exists from the start.
    #[must_use]
    pub fn with_namespace(mut self, name: &str) -> Self {
        self.namespaces.push(name.to_owned());
        self
    }
}
