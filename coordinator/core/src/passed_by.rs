//! Which groups did a Backup pass by: their hooks were announced and never came, or the Backup itself came to nothing?
//!
//! A hook whose binary is missing or built for another machine, or whose container does not exist, never registers: no round
//! opens, and no receipt would tell. So each Backup is followed from before its end, and its end is held against what was announced.

use std::collections::{BTreeMap, BTreeSet};

use shared::identity::GroupKey;
use shared::member_lease::MemberLease;
use shared::time::WallTime;

use crate::notice::Notice;
use crate::objects::{Backup, BackupPhase, ObjectKey, PodKey, PodPhase};
use crate::state::State;
use crate::time::{Mono, Now};
use crate::uid::Uid;
use crate::world::World;

/// From a Backup's end to the judgement, ms: the last registrations come by another watch, which needs a moment to be
/// back after it broke. Nobody waits for the judgement.
const JUDGED_AFTER_MS: u64 = 5_000;

/// How far the clocks of Velero's pod (a Backup's start, to the second) and a workload's pod (a registration) may be apart, ms.
/// It only decides whether a registration that this process did not see come is counted; generous, because a false alarm is worse.
const START_SLACK_MS: i64 = 60_000;

/// The pods of a group whose hooks were announced.
pub(crate) type Announced = BTreeMap<GroupKey, Vec<(PodKey, Uid)>>;

/// A Backup that was seen before its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Followed {
    /// Whose hooks it was to run, as the pods stood when it was first seen to run.
    announced: Option<Announced>,
    /// Groups of which a new attempt registered since.
    came: BTreeSet<GroupKey>,
    over_since: Option<Mono>,
}

impl State {
    /// Takes note of a Backup as it is now: those that end later are followed.
    pub(crate) fn note_backup(&mut self, backup: &Backup) {
        if backup.phase != BackupPhase::CutsOver {
            self.followed.entry(backup.key.clone()).or_default();
        }
    }

    /// Takes note of an attempt that was not known before.
    pub(crate) fn note_arrival(&mut self, group: &GroupKey) {
        for followed in self.followed.values_mut() {
            if followed.announced.as_ref().is_some_and(|announced| announced.contains_key(group)) {
                followed.came.insert(group.clone());
            }
        }
    }

    /// Whether a Backup's end waits for its judgement.
    pub(crate) fn awaits_judgement(&self) -> bool {
        self.followed.values().any(|followed| followed.over_since.is_some())
    }

    /// Brings the followed Backups up to date, and tells of those that ended. Only the leader tells.
    pub(crate) fn judge_ended_backups(&mut self, now: Now, notices: &mut Vec<Notice>) {
        let mut ended = Vec::new();
        for (key, followed) in &mut self.followed {
            // A Backup that was deleted takes its snapshots with it: there is nothing left to tell about.
            let Some(backup) = self.world.backup(key) else {
                ended.push(key.clone());
                continue;
            };
            match backup.phase {
                BackupPhase::Pending => {}
                BackupPhase::InProgress => {
                    followed.announced.get_or_insert_with(|| self.world.announced(backup));
                }
                BackupPhase::CutsOver => {
                    let since = *followed.over_since.get_or_insert(now.mono);
                    if now.mono.ms_since(since) >= JUDGED_AFTER_MS {
                        ended.push(key.clone());
                    }
                }
            }
        }
        for key in ended {
            let followed = self.followed.remove(&key);
            if let (Some(followed), Some(backup), true) = (followed, self.world.backup(&key), self.leading) {
                notices.extend(self.judgement(backup, followed));
            }
        }
    }

    fn judgement(&self, backup: &Backup, followed: Followed) -> Vec<Notice> {
        let Followed { announced, came, over_since: _ } = followed;
        if let Some(failure) = backup.failure {
            let announced = announced.unwrap_or_else(|| self.world.announced(backup));
            let groups: Vec<GroupKey> = announced.into_keys().collect();
            let told = Notice::BackupFailed { backup: backup.key.clone(), failure, groups };
            return if matches!(&told, Notice::BackupFailed { groups, .. } if groups.is_empty()) {
                vec![]
            } else {
                vec![told]
            };
        }
        let missed = announced.unwrap_or_default().into_iter().filter_map(|(group, pods)| {
            let pods = pods.iter().filter(|pod| still_runs(&self.world, pod)).count();
            let passed_by = pods > 0 && !came.contains(&group) && !self.has_come(&group, backup);
            passed_by.then(|| Notice::HooksMissed { group, backup: backup.key.clone(), pods })
        });
        missed.collect()
    }

    /// Whether anything else says that a member of the group came: a round, or a registration that this process did not see come.
    fn has_come(&self, group: &GroupKey, backup: &Backup) -> bool {
        let name = Some(&backup.key.name);
        let round = self.groups.get(group).is_some_and(|record| {
            record.round.is_some() || record.stored.content().is_some_and(|lease| lease.backup.as_ref() == name)
        });
        let since_start = |lease: &MemberLease| backup.started_at.is_none_or(|start| registered_since(lease, start));
        let leases = self.members_of.get(group).into_iter().flatten();
        round || leases.filter_map(|key| self.members.get(key)).any(|member| since_start(&member.lease))
    }
}

fn registered_since(lease: &MemberLease, start: WallTime) -> bool {
    lease.registered_at.plus_ms(START_SLACK_MS) >= start
}

fn still_runs(world: &World, (key, uid): &(PodKey, Uid)) -> bool {
    world.pod(key).is_some_and(|pod| pod.uid == *uid && pod.phase == PodPhase::Running)
}

/// Followed Backups by key.
pub(crate) type FollowedBackups = BTreeMap<ObjectKey, Followed>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::fixtures::{backup, group, grouped_pod, settings};
    use crate::objects::{BackupFailure, Pod, PreHook};
    use crate::step::step;

    fn now(ms: u64) -> Now {
        Now { mono: Mono(ms), wall: WallTime::EPOCH.plus_ms(i64::try_from(ms).unwrap()) }
    }

    fn hooked(name: &str, of: &str) -> Pod {
        let mut pod = grouped_pod("prod", name, of, &[]);
        pod.pre_hook = PreHook::Ours;
        pod
    }

    /// A leader that knows two hooked groups and one without hooks.
    fn leader() -> State {
        let mut state = State::new(settings());
        for pod in [hooked("db-0", "db"), hooked("db-1", "db"), hooked("web-0", "web")] {
            step(&mut state, Event::Pod(pod), now(0));
        }
        step(&mut state, Event::Pod(grouped_pod("prod", "plain-0", "plain", &[])), now(0));
        step(&mut state, Event::Synced, now(0));
        step(&mut state, Event::Leading(true), now(0));
        state
    }

    fn told(state: &mut State, event: Event, at: u64) -> Vec<Notice> {
        step(state, event, now(at)).notices
    }

    fn missed(notices: &[Notice]) -> Vec<(String, usize)> {
        let of = |notice: &Notice| match notice {
            Notice::HooksMissed { group, pods, .. } => Some((group.to_string(), *pods)),
            _ => None,
        };
        notices.iter().filter_map(of).collect()
    }

    /// Runs a Backup; gives what is told once its end is judged. `meanwhile` happens while it runs.
    fn run(state: &mut State, end: Backup, meanwhile: Vec<Event>) -> Vec<Notice> {
        let mut running = end.clone();
        running.phase = BackupPhase::InProgress;
        running.failure = None;
        told(state, Event::Backup(running), 1_000);
        for event in meanwhile {
            told(state, event, 2_000);
        }
        told(state, Event::Backup(end), 3_000);
        told(state, Event::Tick, 3_000 + JUDGED_AFTER_MS)
    }

    #[test]
    fn announced_hooks_that_never_came_are_told_by_group() {
        let over = backup("b", BackupPhase::CutsOver, &["prod"]);
        let mut state = leader();
        let notices = run(&mut state, over.clone(), vec![]);
        assert_eq!(missed(&notices), [("prod/db".to_owned(), 2), ("prod/web".to_owned(), 1)]);
        assert!(!state.awaits_judgement() && told(&mut state, Event::Tick, 60_000).is_empty(), "said once");

        let gone = Event::PodGone(hooked("web-0", "web").key);
        let late = Event::Pod(hooked("late-0", "late"));
        assert_eq!(missed(&run(&mut leader(), over, vec![gone, late])), [("prod/db".to_owned(), 2)]);
    }

    #[test]
    fn a_backup_that_covers_nothing_or_was_deleted_tells_nothing() {
        let elsewhere = backup("b", BackupPhase::CutsOver, &["test"]);
        assert_eq!(run(&mut leader(), elsewhere, vec![]), []);
        let mut state = leader();
        let running = backup("b", BackupPhase::InProgress, &[]);
        let key = running.key.clone();
        told(&mut state, Event::Backup(running), 1_000);
        told(&mut state, Event::BackupGone(key), 2_000);
        assert_eq!(told(&mut state, Event::Tick, 60_000), []);
        assert!(state.followed.is_empty());
    }

    #[test]
    fn who_came_is_not_passed_by() {
        let over = backup("b", BackupPhase::CutsOver, &["prod"]);
        let mut state = leader();
        let mut running = over.clone();
        running.phase = BackupPhase::InProgress;
        told(&mut state, Event::Backup(running), 1_000);
        state.note_arrival(&group("prod", "db"));
        told(&mut state, Event::Backup(over), 3_000);
        let notices = told(&mut state, Event::Tick, 60_000);
        assert_eq!(missed(&notices), [("prod/web".to_owned(), 1)]);
    }

    #[test]
    fn a_refused_backup_is_told_with_the_groups_that_it_was_for() {
        let mut refused = backup("b", BackupPhase::CutsOver, &["prod"]);
        refused.failure = Some(BackupFailure::Refused);
        let mut state = leader();
        told(&mut state, Event::Backup(backup("b", BackupPhase::Pending, &["prod"])), 1_000);
        told(&mut state, Event::Backup(refused.clone()), 2_000);
        let groups = vec![group("prod", "db"), group("prod", "web")];
        let expected = Notice::BackupFailed { backup: refused.key.clone(), failure: BackupFailure::Refused, groups };
        assert_eq!(told(&mut state, Event::Tick, 60_000), std::slice::from_ref(&expected));

        // One that failed in the middle is told the same, whoever came.
        assert_eq!(run(&mut leader(), refused, vec![]), [expected]);
    }

    #[test]
    fn only_the_leader_tells() {
        let mut state = leader();
        step(&mut state, Event::Leading(false), now(500));
        assert_eq!(run(&mut state, backup("b", BackupPhase::CutsOver, &["prod"]), vec![]), []);
        assert!(state.followed.is_empty(), "and a follower forgets");
    }
}
