//! Starts following all kinds: which objects, how they are cut down, what news they make.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use coordinator_core::event::Event;
use coordinator_core::objects::{AskedCut, BackupPhase, ObjectKey, StatefulSet, Volume};
use coordinator_core::throttle::backups::BackupSeen;
use coordinator_core::throttle::signals::Signal;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::Api;
use kube::runtime::watcher;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use shared::identity::Namespace;
use shared::names::LABEL_ROLE;
use tokio::task::JoinSet;

use super::cut_join::CutJoin;
use super::follow::{Reduced, Source, Told, follow};
use super::known::{Itself, StandsFor};
use super::leases::{LeaseKey, key_of};
use super::snapshots::Asked;
use super::troubles::Troubles;
use super::{backups, claims, pods, snapshot_contents, snapshots, stateful_sets, velero_server, volumes};
use crate::input::{Inbox, Input};
use crate::kind::Kind;

/// What of the cluster is watched.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The coordinator's own namespace.
    pub namespace: Namespace,
    /// Velero's.
    pub velero_namespace: Namespace,
    /// Only pods with these labels.
    pub pod_selector: Option<String>,
    /// Whether Velero's Deployment is asked for its workers.
    pub velero_server: bool,
}

/// The watches that run. They end with this.
pub struct Watches {
    tasks: JoinSet<()>,
    client: Client,
    inbox: Inbox,
    troubles: Arc<Troubles>,
    kinds: BTreeSet<Kind>,
}

/// Starts all watches; [`Watches::kinds`] says which.
pub fn spawn_all(client: Client, inbox: Inbox, troubles: Arc<Troubles>, scope: &Scope) -> Watches {
    let mut watches = Watches { tasks: JoinSet::new(), client, inbox, troubles, kinds: BTreeSet::new() };
    watches.workloads(scope.pod_selector.as_deref());
    watches.leases(scope.namespace.clone());
    watches.backups(&scope.velero_namespace);
    watches.cuts();
    if scope.velero_server {
        watches.velero_server(&scope.velero_namespace);
    }
    watches
}

impl Watches {
    /// What is watched.
    pub fn kinds(&self) -> &BTreeSet<Kind> {
        &self.kinds
    }

    fn workloads(&mut self, pod_selector: Option<&str>) {
        let client = self.client.clone();
        let pods =
            pod_selector.map_or_else(watcher::Config::default, |labels| watcher::Config::default().labels(labels));
        self.start(
            Source {
                kind: Kind::Pods,
                api: Api::all_with(client.clone(), &pods::resource()),
                config: pods,
                reduce: |pod| {
                    pods::reduce(pod).map_or(Reduced::NotOurs, |pod| Reduced::Ours(Itself(pod.key.clone()), pod))
                },
            },
            many(Kind::Pods, Event::Pod, Event::PodGone, Event::PodsVanished),
        );
        self.start(
            Source {
                kind: Kind::Claims,
                api: Api::all_with(client.clone(), &claims::resource()),
                config: watcher::Config::default(),
                reduce: |claim| {
                    claims::reduce(claim)
                        .map_or(Reduced::NotOurs, |claim| Reduced::Ours(Itself(claim.key.clone()), claim))
                },
            },
            many(Kind::Claims, Event::Claim, Event::ClaimGone, Event::ClaimsVanished),
        );
        self.start(
            Source {
                kind: Kind::Volumes,
                api: Api::all_with(client.clone(), &volumes::resource()),
                config: watcher::Config::default(),
                reduce: |volume| {
                    let named = |volume: Volume| Reduced::Ours(Itself(volume.name.to_string()), volume);
                    volumes::reduce(volume).map_or(Reduced::NotOurs, named)
                },
            },
            many(Kind::Volumes, Event::Volume, Event::VolumeGone, Event::VolumesVanished),
        );
        self.start(
            Source {
                kind: Kind::StatefulSets,
                api: Api::all_with(client, &stateful_sets::resource()),
                config: watcher::Config::default(),
                reduce: |set| {
                    stateful_sets::reduce(set).map_or(Reduced::NotOurs, |set| Reduced::Ours(set.key.clone(), set))
                },
            },
            |told: Told<ObjectKey, StatefulSet>| {
                Some(match told {
                    Told::Is(set) => Input::from(Event::StatefulSet(set)),
                    Told::Gone(key) => Input::from(Event::StatefulSetGone(key)),
                    Told::Vanished(_) => return None,
                    Told::Listed => Input::Listed(Kind::StatefulSets),
                    Told::Present(present) => Input::Present(Kind::StatefulSets, present),
                })
            },
        );
    }

    fn leases(&mut self, own_namespace: Namespace) {
        self.start(
            Source {
                kind: Kind::Leases,
                api: Api::all(self.client.clone()),
                config: watcher::Config::default().labels(LABEL_ROLE),
                reduce: move |lease: Lease| match key_of(&lease, &own_namespace) {
                    Ok(key) => Reduced::Ours(Some(key.clone()), Ok(key.observed(&lease))),
                    Err(stray) => Reduced::Ours(None, Err(stray)),
                },
            },
            |told: Told<Option<LeaseKey>, Result<Event, String>>| match told {
                Told::Is(Ok(event)) => Some(Input::from(event)),
                Told::Is(Err(stray)) => Some(Input::StrayLease(stray)),
                Told::Gone(key) => key.map(|key| Input::from(key.gone())),
                Told::Vanished(_) => None,
                Told::Listed => Some(Input::Listed(Kind::Leases)),
                Told::Present(present) => Some(Input::Present(Kind::Leases, present)),
            },
        );
    }

    fn backups(&mut self, velero_namespace: &Namespace) {
        self.start(
            Source {
                kind: Kind::Backups,
                api: Api::namespaced_with(self.client.clone(), velero_namespace.as_str(), &backups::resource()),
                config: watcher::Config::default(),
                reduce: |backup| {
                    let counts = backups::native_snapshots(&backup);
                    let reduced = backups::reduce(backup);
                    reduced.map_or(Reduced::NotOurs, |backup| Reduced::Ours(backup.key.clone(), (backup, counts)))
                },
            },
            |told| match told {
                Told::Is((backup, (attempted, completed))) => {
                    let over = backup.phase == BackupPhase::CutsOver;
                    let seen = BackupSeen { backup: backup.key.clone(), over, attempted, completed };
                    Some(Input::Events(vec![Event::Backup(backup), Event::Signal(Signal::Backup(seen))]))
                }
                Told::Gone(key) => {
                    let gone = Event::Signal(Signal::BackupGone(key.clone()));
                    Some(Input::Events(vec![Event::BackupGone(key), gone]))
                }
                Told::Vanished(_) => None,
                Told::Listed => Some(Input::Listed(Kind::Backups)),
                Told::Present(present) => Some(Input::Present(Kind::Backups, present)),
            },
        );
    }

    fn cuts(&mut self) {
        let join = Arc::new(Mutex::new(CutJoin::default()));
        let (asked, made) = (Arc::clone(&join), join);
        self.start(
            Source {
                kind: Kind::Snapshots,
                api: Api::all_with(self.client.clone(), &snapshots::resource()),
                config: watcher::Config::default(),
                reduce: |snapshot| match snapshots::reduce(snapshot) {
                    Ok(Some(asked)) => Reduced::Ours(asked.snapshot.clone(), asked),
                    Ok(None) | Err(_) => Reduced::NotOurs,
                },
            },
            move |told| {
                let mut join = asked.lock().unwrap_or_else(PoisonError::into_inner);
                match told {
                    Told::Is(asked) => {
                        let Asked { snapshot, claim, backup } = asked.clone();
                        let asked_cut = AskedCut { claim, snapshot: snapshot.name, backup };
                        let event = join.asked(asked).map_or(Event::CutAsked(asked_cut), Event::Cut);
                        Some(Input::from(event))
                    }
                    Told::Gone(snapshot) => {
                        join.asked_gone(&snapshot);
                        None
                    }
                    Told::Vanished(_) => None,
                    Told::Listed => Some(Input::Listed(Kind::Snapshots)),
                    Told::Present(present) => Some(Input::Present(Kind::Snapshots, present)),
                }
            },
        );
        self.start(
            Source {
                kind: Kind::SnapshotContents,
                api: Api::all_with(self.client.clone(), &snapshot_contents::resource()),
                config: watcher::Config::default(),
                reduce: |content| {
                    snapshot_contents::reduce(content)
                        .map_or(Reduced::NotOurs, |seen| Reduced::Ours(seen.snapshot.clone(), seen))
                },
            },
            move |told| {
                let mut join = made.lock().unwrap_or_else(PoisonError::into_inner);
                match told {
                    Told::Is(snapshot_contents::Seen { snapshot: _, made, content }) => {
                        let cut = made.and_then(|made| join.made(made)).map(Event::Cut);
                        let signal = content.map(|content| Event::Signal(Signal::Content(content)));
                        Some(Input::Events(cut.into_iter().chain(signal).collect()))
                    }
                    Told::Gone(snapshot) => {
                        join.made_gone(&snapshot);
                        Some(Input::from(Event::Signal(Signal::ContentGone(snapshot))))
                    }
                    Told::Vanished(_) => None,
                    Told::Listed => Some(Input::Listed(Kind::SnapshotContents)),
                    Told::Present(present) => Some(Input::Present(Kind::SnapshotContents, present)),
                }
            },
        );
    }

    fn velero_server(&mut self, velero_namespace: &Namespace) {
        let named = format!("metadata.name={}", velero_server::DEPLOYMENT);
        self.start(
            Source {
                kind: Kind::VeleroServer,
                api: Api::namespaced_with(self.client.clone(), velero_namespace.as_str(), &velero_server::resource()),
                config: watcher::Config::default().fields(&named),
                reduce: |deployment| Reduced::Ours((), velero_server::reduce(deployment)),
            },
            |told| match told {
                Told::Is(workers) => Some(Input::Workers(workers)),
                Told::Gone(()) => Some(Input::Workers(None)),
                Told::Vanished(_) => None,
                Told::Listed => Some(Input::Listed(Kind::VeleroServer)),
                Told::Present(present) => Some(Input::Present(Kind::VeleroServer, present)),
            },
        );
    }

    fn start<R, G, T, F>(
        &mut self,
        source: Source<R, F>,
        tell: impl Fn(Told<G, T>) -> Option<Input> + Send + Sync + 'static,
    ) where
        R: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
        G: StandsFor<Kept: Send> + Send + 'static,
        T: Debug + Send + 'static,
        F: FnMut(R) -> Reduced<G, T> + Send + 'static,
    {
        self.kinds.insert(source.kind);
        self.tasks.spawn(follow(source, tell, self.inbox.clone(), Arc::clone(&self.troubles)));
    }
}

/// News of a kind of which there are many, and whose objects the core takes as they are.
fn many<G, T>(
    kind: Kind,
    is: fn(T) -> Event,
    gone: fn(G) -> Event,
    vanished: fn(BTreeSet<u64>) -> Event,
) -> impl Fn(Told<Itself<G>, T>) -> Option<Input> {
    move |told| {
        Some(match told {
            Told::Is(value) => Input::from(is(value)),
            Told::Gone(Itself(key)) => Input::from(gone(key)),
            Told::Vanished(names) => Input::from(vanished(names)),
            Told::Listed => Input::Listed(kind),
            Told::Present(present) => Input::Present(kind, present),
        })
    }
}
