//! All metrics, and how they are moved and written out.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use coordinator_core::step::Gauges;
use coordinator_core::throttle::evidence::{Level, Source};
use coordinator_core::throttle::signals::{Health, Reading};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use shared::admission::Admission;
use shared::verdict::Verdict;

use super::labels::{
    AdjustmentLabels, AdmissionLabel, BuildLabels, RequestLabels, ResourceLabel, SignalLabels, SourceLabel,
    VerdictLabel, WhyLabel,
};
use super::schedules::ScheduleSet;
use crate::api::{Answer, Observer, RequestLine};
use crate::kind::Kind;
use crate::log::dropped_lines;
use crate::publish::Dropped;

/// Waiting: from a request's round trip to Velero's own cap for one hook, s.
const WAIT_BUCKETS_S: [f64; 11] = [0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0];
/// Skew between the first and the last cut: 0.07 s a volume natively, 5 s in CSI mode (seen on 1.18.3), s.
const SKEW_BUCKETS_S: [f64; 10] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0];
/// How long a member is held still, s.
const HELD_BUCKETS_S: [f64; 10] = [0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0];

/// All metrics. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Set>);

pub(super) struct Set {
    registry: Registry,
    pub(super) rounds: Family<VerdictLabel, Counter>,
    pub(super) admissions: Family<AdmissionLabel, Counter>,
    pub(super) round_wait_seconds: Histogram,
    pub(super) skew_seconds: Histogram,
    pub(super) held_seconds: Histogram,
    pub(super) budget_adjustments: Family<AdjustmentLabels, Counter>,
    pub(super) quiesce_skew_seconds: Histogram,
    pub(super) barriers_degraded: Counter,
    pub(super) calls_unanswered: Counter,
    pub(super) holds_ended: Counter,
    pub(super) pods_labelled: Counter,
    pub(super) members_expired: Counter,
    pub(super) members_gone: Counter,
    pub(super) groups_without_hooks: Counter,
    pub(super) groups_not_backed_up: Counter,
    pub(super) leases_invalid: Counter,
    pub(super) leases_collected: Counter,
    pub(super) write_failures: Counter,
    api_requests: Family<RequestLabels, Counter>,
    watch_restarts: Family<ResourceLabel, Counter>,
    dropped_log_lines: Counter<u64, AtomicU64>,
    events_written: Counter,
    events_dropped: Family<WhyLabel, Counter>,
    kinds_unreadable: Family<ResourceLabel, Gauge>,
    leader: Gauge,
    stands_back: Gauge,
    synced: Gauge,
    groups: Gauge,
    rounds_open: Gauge,
    rounds_queued: Gauge,
    members_waiting: Gauge,
    budget_limit: Gauge,
    budget_granted: Gauge,
    budget_max: Gauge,
    snapshots_pending: Gauge,
    throttled: Gauge,
    signal_level: Family<SignalLabels, Gauge>,
    signal_failing: Family<SourceLabel, Gauge>,
    pub(super) schedules: ScheduleSet,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut set = Set {
            registry: Registry::with_prefix("snapshot_coordinator"),
            rounds: Family::default(),
            admissions: Family::default(),
            round_wait_seconds: Histogram::new(WAIT_BUCKETS_S),
            skew_seconds: Histogram::new(SKEW_BUCKETS_S),
            held_seconds: Histogram::new(HELD_BUCKETS_S),
            budget_adjustments: Family::default(),
            quiesce_skew_seconds: Histogram::new(SKEW_BUCKETS_S),
            barriers_degraded: Counter::default(),
            calls_unanswered: Counter::default(),
            holds_ended: Counter::default(),
            pods_labelled: Counter::default(),
            members_expired: Counter::default(),
            members_gone: Counter::default(),
            groups_without_hooks: Counter::default(),
            groups_not_backed_up: Counter::default(),
            leases_invalid: Counter::default(),
            leases_collected: Counter::default(),
            write_failures: Counter::default(),
            api_requests: Family::default(),
            watch_restarts: Family::default(),
            dropped_log_lines: Counter::default(),
            events_written: Counter::default(),
            events_dropped: Family::default(),
            kinds_unreadable: Family::default(),
            leader: Gauge::default(),
            stands_back: Gauge::default(),
            synced: Gauge::default(),
            groups: Gauge::default(),
            rounds_open: Gauge::default(),
            rounds_queued: Gauge::default(),
            members_waiting: Gauge::default(),
            budget_limit: Gauge::default(),
            budget_granted: Gauge::default(),
            budget_max: Gauge::default(),
            snapshots_pending: Gauge::default(),
            throttled: Gauge::default(),
            signal_level: Family::default(),
            signal_failing: Family::default(),
            schedules: ScheduleSet::default(),
        };
        set.begin_at_zero();
        set.register_protocol();
        set.register_limit();
        set.register_process();
        set.schedules.register(&mut set.registry);
        Self(Arc::new(set))
    }

    pub(super) fn set(&self) -> &Set {
        &self.0
    }

    /// Whether this process leads.
    pub fn leading(&self, leads: bool) {
        self.0.leader.set(i64::from(leads));
    }

    /// Whether an older install serves the cluster in place of this one.
    pub fn stands_back(&self, stands_back: bool) {
        self.0.stands_back.set(i64::from(stands_back));
    }

    /// All first lists are in.
    pub fn synced(&self) {
        self.0.synced.set(1);
    }

    /// What the core counts now.
    pub fn gauges(&self, gauges: Gauges) {
        let Gauges {
            groups,
            rounds_open,
            rounds_queued,
            members_waiting,
            volumes_granted,
            volumes_limit,
            volumes_max,
            snapshots_pending,
            level,
        } = gauges;
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.0.groups.set(count(groups));
        self.0.rounds_open.set(count(rounds_open));
        self.0.rounds_queued.set(count(rounds_queued));
        self.0.members_waiting.set(count(members_waiting));
        self.0.budget_granted.set(i64::from(volumes_granted));
        self.0.budget_limit.set(i64::from(volumes_limit));
        self.0.budget_max.set(i64::from(volumes_max));
        self.0.snapshots_pending.set(count(snapshots_pending));
        self.0.throttled.set(i64::from(level == Level::Throttled));
    }

    /// What each source of throttle signals says now.
    pub fn signals(&self, readings: &[Reading]) {
        for reading in readings {
            let source = reading.source.as_str();
            for level in [Level::Calm, Level::Throttled, Level::Unknown] {
                let labels = SignalLabels { source, level: level.as_str() };
                self.0.signal_level.get_or_create(&labels).set(i64::from(reading.level == level));
            }
            let failing = i64::from(reading.health() == Health::Failing);
            self.0.signal_failing.get_or_create(&SourceLabel { source }).set(failing);
        }
    }

    /// A watch broke.
    pub fn watch_restarted(&self, kind: Kind) {
        self.0.watch_restarts.get_or_create(&ResourceLabel { resource: kind.resource() }).inc();
    }

    /// An optional kind can be read, or cannot.
    pub fn readable(&self, kind: Kind, readable: bool) {
        let label = ResourceLabel { resource: kind.resource() };
        self.0.kinds_unreadable.get_or_create(&label).set(i64::from(!readable));
    }

    /// A Kubernetes Event was written.
    pub fn event_written(&self) {
        self.0.events_written.inc();
    }

    /// One was not, and will not be.
    pub fn event_dropped(&self, why: Dropped) {
        self.0.events_dropped.get_or_create(&WhyLabel { why: why.as_str() }).inc();
    }

    /// A Lease with our role label stands for nothing.
    pub fn stray_lease(&self) {
        self.0.leases_invalid.inc();
    }

    /// All of them in `OpenMetrics` text.
    pub fn text(&self) -> String {
        let dropped = &self.0.dropped_log_lines;
        dropped.inc_by(dropped_lines().saturating_sub(dropped.get()));
        let mut text = String::new();
        // Writing into a String cannot fail; a metric that cannot be encoded would show in the unit test.
        let _written = encode(&mut text, &self.0.registry).is_ok();
        text
    }
}

impl Observer for Metrics {
    fn answered(&self, request: &RequestLine, answer: Answer) {
        let RequestLine { verb, resource } = request;
        let code = match answer {
            Answer::Status(code) => code.to_string(),
            Answer::None => "none".to_owned(),
        };
        self.0.api_requests.get_or_create(&RequestLabels { verb, resource: resource.clone(), code }).inc();
    }
}

impl Set {
    /// A counter that appears with its first event shows Prometheus no increase: what alerts ask for is there from the start.
    fn begin_at_zero(&self) {
        for verdict in Verdict::ALL {
            drop(self.rounds.get_or_create(&VerdictLabel { verdict: verdict.as_str() }));
        }
        for admission in Admission::ALL {
            drop(self.admissions.get_or_create(&AdmissionLabel { admission: admission.as_str() }));
        }
        for source in Source::ALL.map(Source::as_str) {
            let labels = AdjustmentLabels { direction: "lowered", reason: "throttled", source };
            drop(self.budget_adjustments.get_or_create(&labels));
        }
        for kind in [Kind::Backups, Kind::Snapshots, Kind::SnapshotContents, Kind::VeleroServer] {
            drop(self.kinds_unreadable.get_or_create(&ResourceLabel { resource: kind.resource() }));
        }
    }

    fn register_protocol(&mut self) {
        let registry = &mut self.registry;
        registry.register("rounds", "Rounds that ended, by what is proven about their cuts", self.rounds.clone());
        registry.register(
            "admissions",
            "Members of ended rounds, by how they got past the gate",
            self.admissions.clone(),
        );
        registry.register_with_unit(
            "round_wait",
            "From a round's first arrival to its grant",
            Unit::Seconds,
            self.round_wait_seconds.clone(),
        );
        registry.register_with_unit(
            "skew",
            "From the first to the last cut of a round, where every cut was seen",
            Unit::Seconds,
            self.skew_seconds.clone(),
        );
        registry.register_with_unit(
            "held",
            "How long members were held still",
            Unit::Seconds,
            self.held_seconds.clone(),
        );
        registry.register_with_unit(
            "quiesce_skew",
            "From the first to the last member's hold, where all members were held still",
            Unit::Seconds,
            self.quiesce_skew_seconds.clone(),
        );
        registry.register("barriers_degraded", "Barriers that stalled", self.barriers_degraded.clone());
        let calls = "Rounds in lead mode in which residents did not answer";
        registry.register("calls_unanswered", calls, self.calls_unanswered.clone());
        let holds = "Rounds whose members were told to let go because the group was held for as long as it may be";
        registry.register("holds_ended", holds, self.holds_ended.clone());
        registry.register("pods_labelled", "Pods that were put into a group", self.pods_labelled.clone());
        registry.register("members_expired", "Hooks that gave no sign of life", self.members_expired.clone());
        registry.register("members_gone", "Members whose pods went in mid-round", self.members_gone.clone());
        registry.register(
            "groups_without_hooks",
            "Groups that were backed up though none of their announced hooks came",
            self.groups_without_hooks.clone(),
        );
        registry.register(
            "groups_not_backed_up",
            "Groups whose Backup was refused or failed",
            self.groups_not_backed_up.clone(),
        );
        registry.register("groups", "Groups that have pods", self.groups.clone());
        registry.register("rounds_open", "Rounds that are open", self.rounds_open.clone());
        registry.register("rounds_queued", "Open rounds that wait for their grant", self.rounds_queued.clone());
        registry.register("members_waiting", "Hooks that wait", self.members_waiting.clone());
        registry.register(
            "budget_limit",
            "Volumes that may be between release and cut at once",
            self.budget_limit.clone(),
        );
        registry.register("budget_granted", "Volumes that grants count now", self.budget_granted.clone());
        registry.register("lease_invalid", "Leases seen that say something impossible", self.leases_invalid.clone());
        registry.register(
            "leases_collected",
            "Leases deleted because nobody needs them",
            self.leases_collected.clone(),
        );
    }

    fn register_limit(&mut self) {
        let registry = &mut self.registry;
        registry.register("budget_max", "The most that the budget may be, volumes", self.budget_max.clone());
        registry.register(
            "budget_adjustments",
            "Changes of the budget's limit, by direction, reason and source of the evidence",
            self.budget_adjustments.clone(),
        );
        registry.register(
            "snapshots_pending",
            "CSI snapshots of EBS volumes that are seen not to be ready",
            self.snapshots_pending.clone(),
        );
        registry.register("throttled", "1 while EC2 is seen to throttle snapshots", self.throttled.clone());
        registry.register("signal_level", "1 for what each source of throttle signals says", self.signal_level.clone());
        registry.register(
            "signal_failing",
            "1 where a source of throttle signals is set up and does not work",
            self.signal_failing.clone(),
        );
    }

    fn register_process(&mut self) {
        let registry = &mut self.registry;
        registry.register("leader", "1 when this process leads", self.leader.clone());
        registry.register(
            "stands_back",
            "1 when an older install in another namespace serves the cluster, and this one does not",
            self.stands_back.clone(),
        );
        registry.register("synced", "1 once all first lists are in", self.synced.clone());
        registry.register("api_requests", "Requests to the API server", self.api_requests.clone());
        registry.register("api_write_failures", "Writes that did not succeed", self.write_failures.clone());
        registry.register("watch_restarts", "Watches that broke and were started again", self.watch_restarts.clone());
        registry.register("log_lines_dropped", "Log lines that nobody read in time", self.dropped_log_lines.clone());
        registry.register("kubernetes_events", "Kubernetes Events that were written", self.events_written.clone());
        registry.register(
            "kubernetes_events_dropped",
            "Kubernetes Events that were not written",
            self.events_dropped.clone(),
        );
        registry.register("kind_unreadable", "1 where an optional kind cannot be read", self.kinds_unreadable.clone());
        let build: Family<BuildLabels, Gauge> = Family::default();
        build.get_or_create(&BuildLabels { version: env!("CARGO_PKG_VERSION") }).set(1);
        registry.register("build_info", "Always 1; the labels say which build this is", build);
    }
}

#[cfg(test)]
#[path = "set_tests.rs"]
mod tests;
