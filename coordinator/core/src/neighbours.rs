//! Whether another install of this product serves the cluster: two coordinators' Deployments in two namespaces have two budgets, and would
//! release twice what EC2 takes and write over each other's group Leases.
//!
//! Of two installs the older one serves: the one whose leader Lease was created first, by the API server's clock alone; in the same second
//! the one whose namespace comes first. It counts as long as its leader Lease is held and is seen to be renewed, by this process's own clock.

use std::collections::BTreeMap;

use shared::identity::Namespace;
use shared::time::WallTime;

use crate::election::{BELIEVED_LEASE_S_MAX, Record};
use crate::time::Mono;

/// Other installs are looked for this often, ms: one small list.
pub const NEIGHBOURS_EVERY_MS: u64 = 10_000;

/// A leader Lease, in whichever namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Install {
    /// Its namespace: that of the install.
    pub namespace: Namespace,
    /// `metadata.creationTimestamp`.
    pub created: WallTime,
    /// What it says.
    pub record: Record,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Neighbour {
    created: WallTime,
    record: Record,
    changed: Mono,
}

/// Another install that serves the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serving {
    /// Where it is.
    pub namespace: Namespace,
    /// Its leader.
    pub holder: String,
}

/// All installs, as one process sees them.
#[derive(Clone, Debug)]
pub struct Neighbours {
    own: Namespace,
    /// When our own leader Lease was created; nothing as long as there is none.
    own_created: Option<WallTime>,
    others: BTreeMap<Namespace, Neighbour>,
    looked: Option<Mono>,
}

impl Neighbours {
    /// Nobody has looked yet.
    pub const fn new(own: Namespace) -> Self {
        Self { own, own_created: None, others: BTreeMap::new(), looked: None }
    }

    /// Whether it is time to look again.
    pub fn must_look(&self, now: Mono) -> bool {
        self.looked.is_none_or(|at| now.ms_since(at) >= NEIGHBOURS_EVERY_MS)
    }

    /// Takes in all leader Leases of the cluster, our own among them.
    pub fn observe(&mut self, installs: Vec<Install>, now: Mono) {
        let before = std::mem::take(&mut self.others);
        self.own_created = None;
        for Install { namespace, created, record } in installs {
            if namespace == self.own {
                self.own_created = Some(created);
                continue;
            }
            let same = before.get(&namespace).filter(|known| known.record == record && known.created == created);
            let changed = same.map_or(now, |known| known.changed);
            self.others.insert(namespace, Neighbour { created, record, changed });
        }
        self.looked = Some(now);
    }

    /// The install that serves in our place, if there is one.
    pub fn serving(&self, now: Mono) -> Option<Serving> {
        let older = |(namespace, it): &(&Namespace, &Neighbour)| {
            self.own_created.is_none_or(|own| (it.created, *namespace) < (own, &self.own))
        };
        let serves = |(namespace, it): (&Namespace, &Neighbour)| {
            let holder = it.record.holder.clone()?;
            // Between two looks it may have been renewed right after the first and never again.
            let lease_ms = u64::from(it.record.duration_s.clamp(1, BELIEVED_LEASE_S_MAX)) * 1_000;
            let lives = now.ms_since(it.changed) < lease_ms + NEIGHBOURS_EVERY_MS;
            lives.then(|| Serving { namespace: namespace.clone(), holder })
        };
        let mut before_us: Vec<_> = self.others.iter().filter(older).collect();
        before_us.sort_by_key(|(namespace, it)| (it.created, (*namespace).clone()));
        before_us.into_iter().find_map(serves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(name: &str) -> Namespace {
        name.parse().unwrap()
    }

    fn at(second: i64) -> WallTime {
        WallTime::from_micros(second * 1_000_000)
    }

    fn install(name: &str, created: i64, holder: Option<&str>, renewed: i64) -> Install {
        let record = Record {
            holder: holder.map(str::to_owned),
            duration_s: 15,
            acquired_at: at(created),
            renewed_at: at(renewed),
            transitions: 0,
        };
        Install { namespace: namespace(name), created: at(created), record }
    }

    fn ms(ms: u64) -> Mono {
        Mono(ms)
    }

    fn serving(neighbours: &Neighbours, now: Mono) -> Option<String> {
        neighbours.serving(now).map(|it| it.namespace.to_string())
    }

    #[test]
    fn the_older_one_serves_and_the_younger_one_stands_back() {
        let both = || vec![install("backup", 200, Some("b-0"), 300), install("velero", 100, Some("v-0"), 300)];
        let mut younger = Neighbours::new(namespace("backup"));
        younger.observe(both(), ms(0));
        assert_eq!(younger.serving(ms(0)), Some(Serving { namespace: namespace("velero"), holder: "v-0".to_owned() }));
        let mut older = Neighbours::new(namespace("velero"));
        older.observe(both(), ms(0));
        assert_eq!(older.serving(ms(0)), None);
    }

    #[test]
    fn one_that_has_no_lease_yet_is_the_youngest_and_alone_everybody_serves() {
        let mut ours = Neighbours::new(namespace("backup"));
        assert!(ours.must_look(ms(0)));
        ours.observe(vec![install("velero", 100, Some("v-0"), 300)], ms(0));
        assert_eq!(serving(&ours, ms(0)).as_deref(), Some("velero"));
        ours.observe(vec![], ms(10));
        assert_eq!(serving(&ours, ms(10)), None);
        assert!(!ours.must_look(ms(10_009)) && ours.must_look(ms(10_010)));
    }

    #[test]
    fn of_two_that_are_as_old_the_namespace_decides() {
        let both = || vec![install("a", 100, Some("a-0"), 300), install("b", 100, Some("b-0"), 300)];
        let of = |own: &str| {
            let mut neighbours = Neighbours::new(namespace(own));
            neighbours.observe(both(), ms(0));
            serving(&neighbours, ms(0))
        };
        assert_eq!((of("a"), of("b").as_deref()), (None, Some("a")));
    }

    #[test]
    fn one_that_is_not_renewed_any_more_or_was_given_up_serves_nobody() {
        let mut ours = Neighbours::new(namespace("backup"));
        let old = |renewed| vec![install("velero", 100, Some("v-0"), renewed)];
        ours.observe(old(300), ms(0));
        ours.observe(old(300), ms(24_999));
        assert_eq!(serving(&ours, ms(24_999)).as_deref(), Some("velero"));
        assert_eq!(serving(&ours, ms(25_000)), None, "nothing changed for its time and a look");
        ours.observe(old(310), ms(30_000));
        assert_eq!(serving(&ours, ms(30_000)).as_deref(), Some("velero"), "it is back");
        ours.observe(vec![install("velero", 100, None, 311)], ms(40_000));
        assert_eq!(serving(&ours, ms(40_000)), None, "it gave the lead up");
    }

    #[test]
    fn the_oldest_of_three_is_named_and_a_dead_one_is_passed_over() {
        let mut ours = Neighbours::new(namespace("c"));
        let three = |holder| {
            vec![install("a", 100, holder, 300), install("b", 200, Some("b-0"), 300), install("c", 300, None, 1)]
        };
        ours.observe(three(Some("a-0")), ms(0));
        assert_eq!(serving(&ours, ms(0)).as_deref(), Some("a"));
        ours.observe(three(None), ms(1));
        assert_eq!(serving(&ours, ms(1)).as_deref(), Some("b"));
    }

    /// Whatever each of the installs sees of the same Leases: at most one of those that are held serves.
    #[test]
    fn never_do_two_of_those_that_hold_a_lease_serve() {
        let names = ["a", "b", "c"];
        for times in [[1, 2, 3], [3, 2, 1], [2, 2, 2], [1, 1, 2], [2, 1, 1]] {
            let all = || -> Vec<Install> {
                names.iter().zip(times).map(|(name, created)| install(name, created, Some("x"), 300)).collect()
            };
            let serve = names.iter().filter(|own| {
                let mut neighbours = Neighbours::new(namespace(own));
                neighbours.observe(all(), ms(0));
                neighbours.serving(ms(0)).is_none()
            });
            assert_eq!(serve.count(), 1, "{times:?}");
        }
    }
}
