//! `coordinator run`: puts the parts together, and takes them apart in order.

use clap::ValueEnum as _;
use std::sync::Arc;

use coordinator_core::policy::HoldPolicy;
use coordinator_core::settings::Settings;
use coordinator_core::throttle::settings::{CloudWatchSettings, ThrottleSettings};
use serde_json::{Value, json};
use shared::identity::Namespace;
use tokio::runtime;
use tokio::sync::{Notify, watch as signal};
use tokio::task::JoinSet;

use crate::api;
use crate::cli::{RunFlags, SchedulesMode, ThrottleFlags};
use crate::clock::Clock;
use crate::election::{Candidate, Voice};
use crate::engine_loop::{EngineLoop, Told, Tools};
use crate::error_chain::chain;
use crate::execute::Executor;
use crate::exit::Exit;
use crate::health::Health;
use crate::http::{Listener, PageSources, Sources};
use crate::input;
use crate::log::{EventType, Fields, Log, listen_to_libraries};
use crate::metrics::Metrics;
use crate::other_installs::Lookout;
use crate::own_place;
use crate::page;
use crate::publish::Publisher;
use crate::scheduler::Scheduler;
use crate::signals::{self, Stop};
use crate::throttle;
use crate::watch::{Scope, Troubles, spawn_all};
use crate::watched;

/// Threads for calls and watches. Decisions are one task; two threads keep a long list from delaying them, and more would
/// only be memory on nodes with many processors.
const THREADS: usize = 2;

/// Writes under way may take this long to end after the process was asked to stop, ms. With the leader Lease's release
/// (1.5 s) and the log's last lines (1 s) the process ends within 5 s.
const LAST_WRITES_MS: u64 = 2_000;

/// What keeps the process from running at all.
#[derive(Debug, thiserror::Error)]
enum RunError {
    /// No way to the API server is configured.
    #[error(transparent)]
    Config(#[from] api::ConfigError),
    /// What is configured cannot be used.
    #[error(transparent)]
    Client(#[from] api::ClientError),
    /// Nothing can be served.
    #[error(transparent)]
    Listen(#[from] crate::http::ListenError),
}

impl RunError {
    const fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Client(_) => Exit::Kubeconfig,
            Self::Listen(_) => Exit::Listen,
        }
    }
}

/// Runs until the process is asked to stop.
pub fn run(flags: RunFlags) -> Exit {
    let started =
        Log::start(flags.log_level, flags.log_format).and_then(|log| Ok((log, signals::listen()?))).and_then(|parts| {
            Ok((parts, runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?))
        });
    let ((log, stop), runtime) = match started {
        Ok(parts) => parts,
        Err(error) => {
            eprintln!("coordinator: cannot start: {error}");
            return Exit::Internal;
        }
    };
    let exit = match runtime.block_on(until_stopped(flags, log.clone(), stop)) {
        Ok(()) => {
            log.say(EventType::Shutdown, "stopped", &Fields::new());
            Exit::Ok
        }
        Err(error) => {
            log.say(EventType::Error, &chain(&error), &Fields::new());
            error.exit()
        }
    };
    // Calls that are still under way are not waited for.
    runtime.shutdown_background();
    log.flush();
    exit
}

async fn until_stopped(flags: RunFlags, log: Log, stop: Stop) -> Result<(), RunError> {
    listen_to_libraries(&log);
    let clock = Clock::start();
    let namespace = flags.namespace.clone().unwrap_or_else(own_place::namespace);
    let identity = flags.identity.clone().unwrap_or_else(own_place::host_name);
    let settings = settings(&flags, namespace.clone(), own_place::this_process(&identity));
    announce(&log, &flags, &settings, &identity);

    let config = api::load(flags.kubeconfig.as_deref()).await?;
    let metrics = Metrics::new();
    let client = api::client(&config, Arc::new(metrics.clone()))?;
    let listener = Listener::bind(flags.http_address).await?;
    let at = Fields::from_iter([("address".to_owned(), Value::from(listener.address().to_string()))]);
    log.say(EventType::HttpListening, &format!("listens at http://{}", listener.address()), &at);

    let publisher = Publisher::start(client.clone(), &identity, log.clone(), metrics.clone());
    let own_pod = own_place::pod(&namespace, &identity);
    let troubles = Arc::new(Troubles::new(log.clone(), metrics.clone(), publisher.clone(), own_pod));
    let health = Health::new(clock, Arc::clone(&troubles));
    let mut served = JoinSet::new();
    let (onlooker, shown) = page::channel();
    let (told_leader, leader) = signal::channel(page::LeaderSeen::default());
    let (told_word, word) = signal::channel(page::SchedulerWord::default());
    let looks = Arc::new(Notify::new());
    served.spawn(listener.serve(Sources {
        health: health.clone(),
        metrics: metrics.clone(),
        page: PageSources {
            identity: identity.clone(),
            namespace: namespace.to_string(),
            onlooker,
            leader,
            scheduler: word,
            looks: Arc::clone(&looks),
            troubles: Arc::clone(&troubles),
        },
    }));

    let (inbox, news) = input::channel();
    let scope = Scope {
        namespace: namespace.clone(),
        velero_namespace: flags.schedule.velero_namespace.clone(),
        // Who plans must see whose claims the others' pods use.
        pod_selector: flags
            .schedule
            .resource_label_selector
            .as_ref()
            .filter(|_| flags.schedules == SchedulesMode::Off)
            .map(|selector| selector.text.clone()),
        velero_server: flags.item_block_workers.is_none(),
    };
    let watches = spawn_all(client.clone(), inbox.clone(), Arc::clone(&troubles), &scope);
    let executor = Executor::new(client.clone(), namespace.clone(), inbox.clone());
    let (cluster, asked) = watched::channel(Arc::clone(&troubles));
    let voice =
        Voice { inbox: inbox.clone(), log: log.clone(), metrics: metrics.clone(), troubles, leader: told_leader };
    let lookout = Lookout::new(client.clone(), namespace.clone(), flags.other_installs);
    let candidate = Candidate::new(client.clone(), namespace, identity, clock, lookout, voice);

    let (told_synced, synced) = signal::channel(false);
    let (told_leading, leading) = signal::channel(false);
    let (told_inventory, inventory) = signal::channel(0);
    let (told_budget, budget) = signal::channel(settings.max_concurrent_snapshots);
    let told = Told { synced: told_synced, leading: told_leading, inventory: told_inventory, plan_budget: told_budget };
    let scheduler = Scheduler {
        client: client.clone(),
        flags: Arc::new(flags.schedule),
        mode: flags.schedules,
        every_ms: u64::from(flags.check_interval_seconds) * 1_000,
        log: log.clone(),
        metrics: metrics.clone(),
        publisher: publisher.clone(),
        leading: leading.clone(),
        inventory,
        watched: cluster,
        budget,
        word: told_word,
        looks,
    };
    let mut planning = JoinSet::new();
    planning.spawn(scheduler.run(stop.clone()));
    let mut elected = JoinSet::new();
    elected.spawn(stand(candidate, synced, stop.clone()));
    let tools = Tools { clock, executor: executor.clone(), log, metrics, health, publisher, shown, asked };
    let _outsiders = ask_outsiders(&flags.throttle, &client, &inbox, &leading);
    EngineLoop::new(settings, tools, watches.kinds().clone(), told).run(news, stop).await;

    executor.finish(LAST_WRITES_MS).await;
    if let Some(Ok(mut candidate)) = elected.join_next().await {
        candidate.release().await;
    }
    Ok(())
}

/// Starts what asks the driver and CloudWatch, as far as that is wanted. It ends with what is given back.
fn ask_outsiders(
    flags: &ThrottleFlags,
    client: &kube::Client,
    inbox: &input::Inbox,
    leading: &signal::Receiver<bool>,
) -> JoinSet<()> {
    let mut asked = JoinSet::new();
    if let Some(targets) = flags.driver_targets() {
        asked.spawn(throttle::Scraper::new(client.clone(), targets, inbox.clone()).run(leading.clone()));
    }
    if let Some(metric) = flags.metric() {
        asked.spawn(throttle::cloudwatch::run(metric, inbox.clone(), leading.clone()));
    }
    asked
}

/// Stands for election once the cluster is known: a replica that cannot read it must not take the lead from one that can.
async fn stand(mut candidate: Candidate, mut synced: signal::Receiver<bool>, stop: Stop) -> Candidate {
    let known = tokio::select! {
        ready = synced.wait_for(|synced| *synced) => ready.is_ok(),
        () = signals::stopped(stop.clone()) => false,
    };
    if known {
        candidate.run(stop).await;
    }
    candidate
}

fn settings(flags: &RunFlags, namespace: Namespace, writer: String) -> Settings {
    Settings {
        namespace,
        identity: writer,
        max_concurrent_snapshots: flags.schedule.max_concurrent_snapshots,
        mode: flags.mode,
        item_block_workers: flags.item_block_workers,
        call_within_ms: flags.hold.call_within.0,
        policy: HoldPolicy {
            thaw: flags.hold.thaw_on_cut,
            frozen_max: flags.hold.frozen_max,
            frozen_time_max_ms: flags.hold.frozen_time_max.map(|time| time.0),
        },
        barrier_stall_ms: flags.barrier_stall.0,
        round_duration_s: flags.round_duration.0,
        round_idle_ms: flags.round_idle.0,
        clock_error_ms: flags.clock_error.0,
        throttle: ThrottleSettings {
            cool_down_ms: flags.throttle.throttle_cool_down.0,
            calm_period_ms: flags.throttle.throttle_calm_period.0,
            driver_metrics: flags.throttle.driver_targets().is_some(),
            cloudwatch: flags.throttle.metric().map(|metric| CloudWatchSettings {
                metric: metric.shown(),
                threshold: u64::from(flags.throttle.cloudwatch_threshold),
            }),
        },
        pod_selector: flags
            .schedule
            .resource_label_selector
            .as_ref()
            .map(|selector| selector.selector.clone())
            .unwrap_or_default(),
        label_pods: flags.schedule.ensure_backup_consistency,
        // Found out by watching; see [`EngineLoop`].
        cuts_visible: false,
        backups_visible: false,
    }
}

fn announce(log: &Log, flags: &RunFlags, settings: &Settings, identity: &str) {
    let version = env!("CARGO_PKG_VERSION");
    let fields = json!({
        "version": version,
        "namespace": settings.namespace,
        "identity": identity,
        "writer": settings.identity,
        "velero_namespace": flags.schedule.velero_namespace,
        "max_concurrent_snapshots": settings.max_concurrent_snapshots,
        "driver_metrics": flags.throttle.driver_metrics.to_string(),
        "cloudwatch": settings.throttle.cloudwatch.as_ref().map(|cloudwatch| cloudwatch.metric.clone()),
        "throttle_cool_down_ms": settings.throttle.cool_down_ms,
        "throttle_calm_period_ms": settings.throttle.calm_period_ms,
        "label_pods": settings.label_pods,
        "resource_label_selector": flags.schedule.resource_label_selector.as_ref().map(|selector| &selector.text),
        "schedules": flags.schedules.to_possible_value().map(|value| value.get_name().to_owned()),
        "check_interval_seconds": flags.check_interval_seconds,
    });
    let fields =
        fields.as_object().cloned().unwrap_or_default().into_iter().filter(|(_, value)| !value.is_null()).collect();
    log.say(EventType::Startup, &format!("coordinator {version} starts"), &fields);
}
