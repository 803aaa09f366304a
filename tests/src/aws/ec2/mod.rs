//! The EC2 stand-in: what does a test hold in its hand?
//!
//! The EC2 Query protocol (form POST, XML answers, version 2016-11-15) for volumes, snapshots and their tags, with the limits that make
//! snapshots fail: [`account::limits`]. What is decided is decided in [`account`], which knows no network and no clock; check and cut are one step under
//! one lock. The truth of it is [`Log`]: every call, every cut, by this server's clock. Limits and faults change at run time through [`Ec2::change`].
//!
//! Unlike EC2: one region (us-east-1) with one account; states change at once (no eventual consistency); only `CreateSnapshot` has a request
//! bucket; filters match whole values, without wildcards; parameters that are not known here are refused (`UnknownParameter`).

pub mod account;
mod action;
mod authorization;
mod describe;
mod documents;
mod filters;
mod form;
pub mod log;
mod refusal;
mod respond;
mod settings;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use jiff::Timestamp;
use tokio::sync::watch;

pub use account::limits::{Limits, RequestBucket};
pub use account::snapshot::SnapshotId;
pub use account::volume::{NewVolume, VolumeId, VolumeType};
pub use log::{Call, Cut, Log, Outcome};
pub use refusal::Refusal;
pub use settings::{Settings, StartTimes};

use super::loopback::{Answer, Loopback, Service};
use account::Account;

/// A running stand-in. It ends when this is dropped.
#[derive(Debug)]
pub struct Ec2 {
    core: Arc<Core>,
    loopback: Loopback,
}

/// What the server's thread and the test share.
#[derive(Debug)]
struct Core {
    state: Mutex<State>,
    /// Changes with the log; waiters look again then.
    changed: watch::Sender<()>,
}

/// What is decided upon, with the truth about it: one lock, so that the order of the log is the order of decisions.
#[derive(Debug, Default)]
struct State {
    account: Account,
    settings: Settings,
    log: Log,
    requests: u64,
}

/// A condition did not come true in time. The text shows the calls that there were.
#[derive(Debug, thiserror::Error)]
#[error("waited {limit:?} in vain until {what}; EC2 saw:\n{log}")]
pub struct Ec2Timeout {
    /// What was waited for.
    pub what: String,
    /// How long.
    pub limit: Duration,
    /// All calls by then.
    pub log: Log,
}

impl Ec2 {
    /// Starts a stand-in without limits and faults on a free loopback port.
    ///
    /// # Panics
    /// When no loopback port or thread is to be had.
    pub fn start() -> Self {
        let core = Arc::new(Core { state: Mutex::default(), changed: watch::Sender::new(()) });
        let loopback = Loopback::start("ec2-stand-in", Arc::clone(&core))
            .unwrap_or_else(|e| panic!("the EC2 stand-in cannot listen on a loopback port: {e}"));
        Self { core, loopback }
    }

    /// `http://127.0.0.1:<port>`, for `AWS_ENDPOINT_URL_EC2` or `AWS_EC2_ENDPOINT`.
    pub fn url(&self) -> String {
        self.loopback.url()
    }

    /// Changes limits and faults from now on. A request bucket that is changed begins full.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) {
        let mut state = self.core.lock();
        let State { account, settings, .. } = &mut *state;
        change(settings);
        account.set_limits(settings.limits, Timestamp::now());
    }

    /// Makes a volume, without a call.
    pub fn create_volume(&self, volume: NewVolume) -> VolumeId {
        let mut state = self.core.lock();
        state.account.add_volume(volume, Timestamp::now()).id.clone()
    }

    /// Makes a volume of a given id, without a call; one of that id is replaced.
    pub fn lay_volume(&self, id: VolumeId, what: NewVolume) {
        self.core.lock().account.lay_volume(id, what, Timestamp::now());
    }

    /// Every call and every cut so far.
    pub fn log(&self) -> Log {
        self.core.lock().log.clone()
    }

    /// Every call so far, in the order of decisions.
    pub fn calls(&self) -> Vec<Call> {
        self.log().calls
    }

    /// Every cut so far, in order.
    pub fn cuts(&self) -> Vec<Cut> {
        self.log().cuts
    }

    /// Waits until a condition gives something for what EC2 has seen, and returns that.
    ///
    /// `what` completes the sentence "waited in vain until …".
    pub async fn until<T>(
        &self,
        what: &str,
        limit: Duration,
        condition: impl Fn(&Log) -> Option<T>,
    ) -> Result<T, Ec2Timeout> {
        let mut changed = self.core.changed.subscribe();
        let met = async {
            loop {
                changed.mark_unchanged();
                if let Some(found) = condition(&self.log()) {
                    return found;
                }
                // The sender lives as long as `self`, so this cannot fail while we wait.
                let _ = changed.changed().await;
            }
        };
        let met = tokio::time::timeout(limit, met).await;
        met.map_err(|_| Ec2Timeout { what: what.to_owned(), limit, log: self.log() })
    }
}

impl Core {
    /// A panicking test must not hide what happened.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a call has arrived.
    fn note_arrival(&self) {
        self.lock().log.arrived += 1;
        self.changed.send_replace(());
    }

    /// Notes a call, and a cut if it made one.
    fn note(&self, state: &mut State, call: Call) {
        state.log.add(call);
        self.changed.send_replace(());
    }
}

impl Service for Core {
    async fn answer(self: Arc<Self>, request: Request<Bytes>) -> Answer {
        respond::respond(&self, &request).await
    }
}
