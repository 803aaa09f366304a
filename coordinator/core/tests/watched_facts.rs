//! What a plan is made from, as the watches' news make it: whole, shared, and told of when it changes.

use coordinator_core::event::Event;
use coordinator_core::inventory::selector_text;
use coordinator_core::objects::{
    Claim, ObjectKey, OwnerKind, OwnerRef, Pod, PodKey, PodPhase, StatefulSet, Volume, name_print,
};
use coordinator_core::settings::{ModeSetting, Settings};
use coordinator_core::step::{State, step};
use coordinator_core::throttle::settings::ThrottleSettings;
use coordinator_core::time::{Mono, Now};
use shared::identity::Namespace;
use shared::names::LABEL_SNAPSHOT_GROUP;
use shared::time::WallTime;

const NOW: Now = Now { mono: Mono(0), wall: WallTime::EPOCH };

fn state(pod_selector: &str) -> State {
    State::new(Settings {
        namespace: Namespace::new("velero").unwrap(),
        identity: "test".into(),
        max_concurrent_snapshots: 5,
        mode: ModeSetting::Auto,
        item_block_workers: None,
        call_within_ms: 10_000,
        policy: coordinator_core::policy::HoldPolicy::default(),
        barrier_stall_ms: 5_000,
        round_duration_s: 14_400,
        round_idle_ms: 30_000,
        clock_error_ms: 50,
        throttle: ThrottleSettings::default(),
        pod_selector: selector_text::parse(pod_selector).unwrap(),
        label_pods: true,
        cuts_visible: false,
        backups_visible: true,
    })
}

fn take(state: &mut State, event: Event) {
    step(state, event, NOW);
}

fn key(name: &str) -> ObjectKey {
    ObjectKey { namespace: "prod".parse().unwrap(), name: name.to_owned() }
}

fn pod(name: &str) -> Pod {
    let mut pod = Pod::new(PodKey { namespace: "prod".parse().unwrap(), name: name.parse().unwrap() }, name.into());
    pod.set_label(LABEL_SNAPSHOT_GROUP, "db");
    pod.set_claims(vec![format!("data-{name}")]);
    pod.set_owners(vec![OwnerRef::controller(OwnerKind::StatefulSet, "db", "uid-db")]);
    pod
}

fn claim(name: &str) -> Claim {
    Claim::new(key(&format!("data-{name}")), Some(&format!("pv-{name}")))
}

fn volume(name: &str) -> Volume {
    Volume {
        name: format!("pv-{name}").as_str().into(),
        ebs: true,
        ebs_id: Some("vol-1".into()),
        claim: Some(key(&format!("data-{name}"))),
    }
}

/// Two pods of a set with a claim and a volume each.
fn filled(pod_selector: &str) -> State {
    let mut state = state(pod_selector);
    for name in ["db-0", "db-1"] {
        take(&mut state, Event::Pod(pod(name)));
        take(&mut state, Event::Claim(claim(name)));
        take(&mut state, Event::Volume(volume(name)));
    }
    take(&mut state, Event::StatefulSet(StatefulSet::new(key("db"), "uid-db".into())));
    take(&mut state, Event::Synced);
    state
}

fn volumes_of_group(state: &State) -> Option<u32> {
    state.known_groups().find(|group| group.key.group.as_str() == "db").map(|group| group.volumes)
}

#[test]
fn facts_are_what_was_told_and_stay_as_they_were() {
    let mut state = filled("");
    let facts = state.facts();
    let expected = ["db-0", "db-1"];
    assert_eq!(facts.pods.values().cloned().collect::<Vec<_>>(), expected.map(pod));
    assert_eq!(facts.claims.values().cloned().collect::<Vec<_>>(), expected.map(claim));
    assert_eq!(facts.volumes.values().cloned().collect::<Vec<_>>(), expected.map(volume));
    assert_eq!((facts.sets.len(), facts.schedules.len(), facts.backups.len()), (1, 0, 0));
    assert_eq!(volumes_of_group(&state), Some(2));
    take(&mut state, Event::PodGone(pod("db-0").key));
    take(&mut state, Event::VolumeGone("pv-db-0".into()));
    assert_eq!((facts.len(), state.facts().len()), (7, 5));
}

#[test]
fn a_pod_that_is_left_to_others_is_planned_around_and_not_decided_about() {
    let mut state = filled("team=a");
    assert_eq!(state.facts().pods.len(), 2, "a plan must know whose their claims are");
    assert_eq!(volumes_of_group(&state), None);
    let mut ours = pod("db-0");
    ours.set_label("team", "a");
    take(&mut state, Event::Pod(ours));
    assert_eq!((state.facts().pods.len(), volumes_of_group(&state)), (2, Some(1)));
    take(&mut state, Event::Pod(pod("db-0")));
    assert_eq!((state.facts().pods.len(), volumes_of_group(&state)), (2, None));
    take(&mut state, Event::PodGone(pod("db-0").key));
    assert_eq!(state.facts().pods.len(), 1);
}

#[test]
fn what_a_new_list_lacks_is_gone_by_the_hash_of_its_name() {
    let mut state = filled("");
    let of = |namespace, name| [name_print(namespace, name), name_print("prod", "somebody")].into();
    take(&mut state, Event::PodsVanished(of("prod", "db-1")));
    take(&mut state, Event::ClaimsVanished(of("prod", "data-db-1")));
    take(&mut state, Event::VolumesVanished(of("", "pv-db-1")));
    let facts = state.facts();
    assert_eq!(facts.pods.keys().map(ToString::to_string).collect::<Vec<_>>(), ["prod/db-0"]);
    assert_eq!(facts.claims.keys().map(ToString::to_string).collect::<Vec<_>>(), ["prod/data-db-0"]);
    assert_eq!(facts.volumes.keys().collect::<Vec<_>>(), ["pv-db-0"]);
    assert_eq!(volumes_of_group(&state), Some(1));
}

#[test]
fn whatever_a_plan_sees_is_told_and_a_pod_s_status_is_not() {
    let mut state = filled("");
    let mut grows = |event: Event| {
        let before = state.inventory_changes();
        take(&mut state, event);
        state.inventory_changes() > before
    };
    let with = |change: &dyn Fn(&mut Pod)| {
        let mut pod = pod("db-0");
        change(&mut pod);
        Event::Pod(pod)
    };
    assert!(!grows(with(&|_| ())) && !grows(with(&|pod| pod.phase = PodPhase::Pending)));
    assert!(grows(with(&|pod| pod.annotations.set("ttl", "48h"))));
    assert!(grows(with(&|pod| pod.deleting = true)));
    assert!(grows(Event::Claim(claim("db-0"))) && grows(Event::Volume(volume("db-0"))));
    assert!(grows(Event::StatefulSet(StatefulSet::new(key("db"), "uid-db".into()))));
    assert!(grows(Event::ClaimGone(key("data-db-0"))) && !grows(Event::Tick));
}
