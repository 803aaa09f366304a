//! Unit tests of [`super`]: with the texts and timings that were seen behind the real driver.

use super::*;

const STARVED: &str = r#"Failed to create snapshot: failed to take snapshot of the volume vol-1: "rpc error: code = DeadlineExceeded desc = context deadline exceeded""#;
const PER_VOLUME: &str = r#"Failed to create snapshot: "… api error SnapshotCreationPerVolumeRateExceeded: The maximum per volume CreateSnapshot request rate has been exceeded.""#;

fn key(name: &str) -> ObjectKey {
    ObjectKey { namespace: "prod".parse().unwrap(), name: name.to_owned() }
}

fn content(name: &str) -> Content {
    Content { snapshot: key(name), being_created: true, handle: false, ready: None, error: None }
}

fn cut(name: &str, ready: bool) -> Content {
    Content { being_created: false, handle: true, ready: Some(ready), ..content(name) }
}

fn with_error(name: &str, text: &str) -> Content {
    Content { error: Some(text.to_owned()), ..content(name) }
}

fn at(s: u64) -> Mono {
    Mono(s * 1_000)
}

/// Contents that are seen at these seconds, and what is said at another.
fn level(seen: &[(u64, Content)], now_s: u64) -> (Level, Evidence, Option<Mono>) {
    let mut contents = Contents::default();
    contents.set_visible(true);
    for (s, content) in seen {
        contents.put(content.clone(), at(*s));
    }
    let reading = contents.reading(at(now_s));
    (reading.level, reading.evidence, reading.at)
}

#[test]
fn no_snapshot_is_no_calm() {
    assert_eq!(level(&[], 100).1, Evidence::Nothing(Silence::Idle));
    assert_eq!(level(&[], 100).0, Level::Unknown);
    // One that was cut before it was first seen says nothing either.
    assert_eq!(level(&[(99, cut("a", true)), (99, cut("b", false))], 100).0, Level::Unknown);
    let mut hidden = Contents::default();
    hidden.put(content("a"), at(0));
    assert!(matches!(hidden.reading(at(60)).evidence, Evidence::Nothing(Silence::Unreadable(_))));
}

#[test]
fn handles_in_time_are_calm_for_a_while() {
    let seen = [(0, content("a")), (1, cut("a", false)), (1, content("b")), (2, cut("b", true))];
    assert_eq!(level(&seen, 3), (Level::Calm, Evidence::HandlesInTime { count: 2, slowest_ms: 1_000 }, Some(at(2))));
    assert_eq!(level(&seen, 33).0, Level::Unknown);
}

#[test]
fn mild_throttling_shows_in_ages_alone_and_each_snapshot_counts_once() {
    let seen = [(0, content("a")), (0, content("b")), (4, content("c")), (5, cut("a", false))];
    assert_eq!(level(&seen, 14).0, Level::Calm);
    let (level_15, evidence, moment) = level(&seen, 20);
    assert_eq!((level_15, moment), (Level::Throttled, Some(at(19))), "c became late at 19 s");
    assert_eq!(evidence, Evidence::ContentsWithoutHandle { count: 2, longest_ms: 20_000, snapshot: key("b") });
    // Standing there for longer is no new evidence.
    assert_eq!(level(&seen, 300).2, Some(at(19)));
    // The handle came: late, and that counts for a while.
    let seen = [(0, content("a")), (36, cut("a", true))];
    let late = Evidence::HandleLate { after_ms: 36_000, snapshot: key("a") };
    assert_eq!(level(&seen, 40), (Level::Throttled, late, Some(at(15))));
    assert_eq!(level(&seen, 67).0, Level::Unknown);
}

#[test]
fn a_starved_call_s_text_stands_for_throttling_until_it_cannot_be_that() {
    let seen = [(0, content("a")), (60, with_error("a", STARVED)), (62, with_error("a", STARVED))];
    let error = Evidence::ContentErrors { error: SnapshotError::Starved, count: 1, snapshot: key("a") };
    assert_eq!(level(&seen, 200), (Level::Throttled, error, Some(at(60))), "a repeated text is no new evidence");
    assert_eq!(level(&seen, 901), (Level::Unknown, Evidence::ContentsStuck { count: 1 }, None));
    // The stale error stays beside the handle; it means nothing then.
    let seen = [
        (0, content("a")),
        (3, with_error("a", STARVED)),
        (5, Content { error: Some(STARVED.into()), ..cut("a", false) }),
    ];
    assert_eq!(level(&seen, 6).0, Level::Calm);
}

#[test]
fn what_one_volume_s_own_limit_holds_up_says_nothing_of_the_account() {
    let seen = [(0, content("a")), (1, with_error("a", PER_VOLUME)), (18, cut("a", true))];
    assert_eq!(level(&seen[..2], 17).0, Level::Unknown);
    assert_eq!(level(&seen, 19).0, Level::Unknown);
    let mut contents = Contents::default();
    contents.set_visible(true);
    contents.put(with_error("a", PER_VOLUME), at(1));
    assert_eq!(contents.refused(&key("a")), Some((SnapshotError::SnapshotCreationPerVolumeRateExceeded, at(1))));
}

#[test]
fn a_sidecar_that_does_not_run_is_no_throttling() {
    let untouched = Content { being_created: false, ..content("a") };
    let (level, evidence, _) = level(&[(0, untouched)], 20);
    assert_eq!((level, evidence), (Level::Unknown, Evidence::ContentsNotTakenUp { count: 1, longest_ms: 20_000 }));
}

#[test]
fn pending_is_what_is_not_ready() {
    let mut contents = Contents::default();
    contents.set_visible(true);
    contents.put(content("asked"), at(0));
    contents.put(cut("uploading", false), at(0));
    contents.put(cut("ready", true), at(0));
    contents.put(Content { ready: None, ..cut("says nothing", true) }, at(0));
    let pending = |now| contents.pending(now).map(|key| key.name.clone()).collect::<Vec<_>>();
    assert_eq!(pending(at(1)), ["asked", "uploading"]);
    assert!(pending(Mono(PENDING_MS_MAX)).is_empty());
    contents.remove(&key("asked"), at(2));
    contents.put(cut("uploading", true), at(2));
    assert!(!contents.is_pending(&key("asked")) && !contents.is_pending(&key("uploading")));
}
