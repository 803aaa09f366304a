use super::*;
use crate::fixtures::{bind, group, grouped_pod};
use proptest::prelude::*;

#[test]
fn weight_counts_each_ebs_volume_once() {
    let mut world = World::default();
    world.put_pod(grouped_pod("prod", "db-0", "g", &["a", "shared"]));
    world.put_pod(grouped_pod("prod", "db-1", "g", &["b", "shared", "nfs", "unbound"]));
    for claim in ["a", "b", "shared"] {
        bind(&mut world, "prod", claim, true);
    }
    bind(&mut world, "prod", "nfs", false);
    assert_eq!(world.weight(&group("prod", "g")), 3);
    world.remove_volume("pv-prod-a");
    assert_eq!(world.weight(&group("prod", "g")), 2);
}

#[test]
fn the_newest_cuts_that_were_asked_for_are_remembered() {
    let claim = ObjectKey { namespace: "prod".parse().unwrap(), name: "data".to_owned() };
    let asked = |i: usize| AskedCut {
        claim: claim.clone(),
        snapshot: format!("s-{i}"),
        backup: (i != 1).then(|| format!("b-{i}")),
    };
    let mut world = World::default();
    assert!(!world.is_cut_asked(&claim, None));
    world.put_asked_cut(asked(0));
    assert!(world.is_cut_asked(&claim, None) && world.is_cut_asked(&claim, Some("b-0")));
    assert!(!world.is_cut_asked(&claim, Some("b-9")));
    world.put_asked_cut(asked(1));
    assert!(world.is_cut_asked(&claim, Some("b-9")), "a snapshot without a Backup's name may be of any");
    for i in 2..=CUTS_PER_CLAIM_MAX + 1 {
        // Seen again and again, it counts once.
        world.put_asked_cut(asked(i));
        world.put_asked_cut(asked(i));
    }
    assert!(!world.is_cut_asked(&claim, Some("b-0")) && world.is_cut_asked(&claim, Some("b-2")));
    world.remove_claim(&claim);
    assert!(!world.is_cut_asked(&claim, None));
}

proptest! {
    /// Whatever comes and goes, the indexes say what a scan of all pods would say.
    #[test]
    fn indexes_agree_with_a_scan(ops in prop::collection::vec((0u8..3, 0u8..4, 0u8..3), 0..60)) {
        let mut world = World::default();
        for (op, pod, g) in ops {
            let name = format!("p-{pod}");
            if op == 0 {
                world.remove_pod(&grouped_pod("prod", &name, "x", &[]).key);
            } else {
                world.put_pod(grouped_pod("prod", &name, &format!("g{g}"), &[&format!("c{g}")]));
            }
        }
        for g in 0..3 {
            let key = group("prod", &format!("g{g}"));
            let scan: Vec<_> = world.pods().filter(|p| group_of(p).as_ref() == Some(&key)).map(|p| p.key.clone()).collect();
            let indexed: Vec<_> = world.pods_of(&key).map(|p| p.key.clone()).collect();
            prop_assert_eq!(scan, indexed);
        }
    }
}
