//! One coordinator of the model: the engine, a watch that lags, and commands that are on their way.

use std::collections::VecDeque;

use coordinator_core::command::{Command, Target};
use coordinator_core::event::{Event, Outcome};
use coordinator_core::notice::Notice;
use coordinator_core::settings::{ModeSetting, Settings};
use coordinator_core::step::{State, step};
use coordinator_core::throttle::settings::ThrottleSettings;
use coordinator_core::time::Now;

use super::api::{Api, seen};

pub struct Coordinator {
    pub state: State,
    /// How much of the API's log it has read.
    read: usize,
    on_the_way: VecDeque<Command>,
    pub notices: Vec<Notice>,
}

pub fn settings(identity: &str, budget: u32) -> Settings {
    Settings {
        namespace: "velero".parse().unwrap(),
        identity: identity.to_owned(),
        max_concurrent_snapshots: budget,
        mode: ModeSetting::Auto,
        item_block_workers: None,
        call_within_ms: 10_000,
        policy: coordinator_core::policy::HoldPolicy::default(),
        barrier_stall_ms: 5_000,
        round_duration_s: 14_400,
        round_idle_ms: 30_000,
        clock_error_ms: 0,
        throttle: ThrottleSettings::default(),
        pod_selector: vec![],
        label_pods: true,
        cuts_visible: false,
        backups_visible: true,
    }
}

impl Coordinator {
    pub fn start(settings: Settings, api: &Api, now: Now) -> Self {
        let mut new =
            Self { state: State::new(settings), read: api.log.len(), on_the_way: VecDeque::new(), notices: vec![] };
        for event in api.list() {
            new.take(event, now);
        }
        new.take(Event::Synced, now);
        new.take(Event::Leading(true), now);
        new
    }

    pub fn take(&mut self, event: Event, now: Now) {
        let done = step(&mut self.state, event, now);
        self.on_the_way.extend(done.commands);
        self.notices.extend(done.notices);
    }

    /// Its watch delivers the next change; false when it is up to date.
    pub fn read_one(&mut self, api: &Api, now: Now) -> bool {
        let Some(event) = api.log.get(self.read).cloned() else { return false };
        self.read += 1;
        self.take(event, now);
        true
    }

    /// One of its calls reaches the API server. `answered` is false when the answer is lost on the way back.
    pub fn call_one(&mut self, api: &mut Api, pick: usize, answered: bool, now: Now) -> bool {
        if self.on_the_way.is_empty() {
            return false;
        }
        let command = self.on_the_way.remove(pick % self.on_the_way.len()).unwrap();
        let target = command.target();
        let mut outcome = execute(api, command);
        if !answered {
            outcome = Outcome::Failed { refused: false, message: "timed out".into() };
        }
        if !matches!(outcome, Outcome::Written(_)) {
            // The shell reads the object again before it tells of the failure.
            if let Some(event) = read_again(api, &target) {
                self.take(event, now);
            }
        }
        self.take(Event::Outcome(target, outcome), now);
        true
    }
}

fn execute(api: &mut Api, command: Command) -> Outcome {
    match command {
        Command::CreateBudget(budget) => api.write_budget(&budget, None),
        Command::UpdateBudget(budget, version) => api.write_budget(&budget, Some(&version)),
        Command::CreateLimiter(lease) => api.write_limiter(&lease, None),
        Command::UpdateLimiter(lease, version) => api.write_limiter(&lease, Some(&version)),
        Command::CreateGroup(lease) => api.write_group(&lease, None),
        Command::UpdateGroup(lease, version) => api.write_group(&lease, Some(&version)),
        Command::LabelPod { pod, uid, group, instead_of } => {
            let label = shared::names::LABEL_SNAPSHOT_GROUP;
            let is_meant = |p: &&coordinator_core::objects::Pod| {
                p.uid == *uid && p.label(label) == instead_of.as_ref().map(shared::identity::GroupId::as_str)
            };
            let Some(mut known) = api.pods.get(&pod).filter(is_meant).cloned() else {
                return Outcome::Conflict;
            };
            known.set_label(label, group.as_str());
            known.own_label = true;
            api.put_pod(known);
            Outcome::Conflict
        }
        Command::DeleteLease(key, version) => {
            if api.members.get(&key).is_some_and(|(known, _)| *known == version) {
                api.members.remove(&key);
                api.log.push(Event::MemberLeaseGone(key));
            }
            Outcome::Conflict
        }
        Command::AnnotateBackup { backup, group, receipt } => api.annotate(&backup, &group, &receipt),
    }
}

fn read_again(api: &Api, target: &Target) -> Option<Event> {
    match target {
        Target::Budget => Some(api.budget.as_ref().map_or(Event::BudgetGone, |stored| Event::Budget(seen(stored)))),
        Target::Limiter => Some(api.limiter.as_ref().map_or(Event::LimiterGone, |stored| Event::Limiter(seen(stored)))),
        Target::Group(key) => {
            Some(api.groups.get(key).map_or_else(
                || Event::GroupLeaseGone(key.clone()),
                |stored| Event::GroupLease(key.clone(), seen(stored)),
            ))
        }
        Target::Pod(_) | Target::StaleLease(_) | Target::Receipt(..) => None,
    }
}
