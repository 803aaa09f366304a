//! Puts together what two objects say of one cut: the claim stands in the `VolumeSnapshot`, the time in its content.

use std::collections::BTreeMap;

use coordinator_core::objects::{Cut, ObjectKey};

use super::snapshot_contents::Made;
use super::snapshots::Asked;

/// Halves of cuts, by snapshot.
#[derive(Debug, Default)]
pub struct CutJoin {
    halves: BTreeMap<ObjectKey, (Option<Asked>, Option<Made>)>,
}

impl CutJoin {
    /// A snapshot appeared or changed; gives the cut when that completes it.
    pub fn asked(&mut self, asked: Asked) -> Option<Cut> {
        let halves = self.halves.entry(asked.snapshot.clone()).or_default();
        halves.0 = Some(asked);
        whole(halves)
    }

    /// A content got its handle; gives the cut when that completes it.
    pub fn made(&mut self, made: Made) -> Option<Cut> {
        let halves = self.halves.entry(made.snapshot.clone()).or_default();
        halves.1 = Some(made);
        whole(halves)
    }

    /// A snapshot is gone.
    pub fn asked_gone(&mut self, snapshot: &ObjectKey) {
        self.forget(snapshot, |halves| halves.0 = None);
    }

    /// A content is gone.
    pub fn made_gone(&mut self, snapshot: &ObjectKey) {
        self.forget(snapshot, |halves| halves.1 = None);
    }

    fn forget(&mut self, snapshot: &ObjectKey, half: impl Fn(&mut (Option<Asked>, Option<Made>))) {
        if let Some(halves) = self.halves.get_mut(snapshot) {
            half(halves);
            if matches!(halves, (None, None)) {
                self.halves.remove(snapshot);
            }
        }
    }
}

fn whole((asked, made): &(Option<Asked>, Option<Made>)) -> Option<Cut> {
    let (Asked { snapshot, claim, backup }, Made { snapshot: _, at, resolution_ms }) =
        (asked.as_ref()?, made.as_ref()?);
    Some(Cut {
        claim: claim.clone(),
        snapshot: snapshot.name.clone(),
        backup: backup.clone(),
        at: *at,
        resolution_ms: *resolution_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::identity::Namespace;
    use shared::time::WallTime;

    fn key(name: &str) -> ObjectKey {
        ObjectKey { namespace: Namespace::new("prod").unwrap(), name: name.to_owned() }
    }

    fn halves() -> (Asked, Made) {
        (
            Asked { snapshot: key("s"), claim: key("data"), backup: Some("b".to_owned()) },
            Made { snapshot: key("s"), at: WallTime::from_micros(5), resolution_ms: 1 },
        )
    }

    #[test]
    fn either_half_may_come_first() {
        let (asked, made) = halves();
        let mut join = CutJoin::default();
        assert_eq!(join.asked(asked.clone()), None);
        let cut = join.made(made.clone()).unwrap();
        assert_eq!((cut.claim, cut.snapshot.as_str(), cut.backup.as_deref()), (key("data"), "s", Some("b")));
        let mut join = CutJoin::default();
        assert_eq!(join.made(made), None);
        assert!(join.asked(asked).is_some());
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let (asked, made) = halves();
        let mut join = CutJoin::default();
        join.asked(asked);
        join.asked_gone(&key("s"));
        assert_eq!(join.made(made), None);
        join.made_gone(&key("s"));
        join.made_gone(&key("never seen"));
        assert!(join.halves.is_empty());
    }
}
