//! Which groups may never run at the same time: those of one namespace, and those that share a volume.

use std::collections::BTreeSet;

use super::demand::{Demand, VolumeId};
use super::finding::Finding;

/// For every demand (in the order of their keys) the number of its domain, and whether it shares a volume with another.
#[derive(Clone, Debug)]
pub(super) struct Domains {
    /// By demand: its namespace, as a number.
    pub namespaces: Vec<usize>,
    /// By demand: its domain, which is the first of the namespaces that it joins.
    pub of: Vec<usize>,
    /// How many there are.
    pub count: usize,
    /// Demands that share a volume with another one.
    pub sharing: BTreeSet<usize>,
}

/// Domains are namespaces; where groups of two namespaces share a volume (two PersistentVolumes of one handle), both are one domain.
pub(super) fn domains(demands: &[&Demand], findings: &mut Vec<Finding>) -> Domains {
    let mut of = Vec::with_capacity(demands.len());
    let mut count = 0;
    for (n, demand) in demands.iter().enumerate() {
        if n == 0 || demands[n - 1].key.namespace != demand.key.namespace {
            count += 1;
        }
        of.push(count - 1);
    }
    let namespaces = of.clone();
    let mut leaders: Vec<usize> = (0..count).collect();
    let mut sharing = BTreeSet::new();
    for (a, b) in sharing_pairs(demands) {
        sharing.extend([a, b]);
        let (x, y) = (leader(&leaders, of[a]), leader(&leaders, of[b]));
        if of[a] != of[b] {
            findings.push(Finding::SharedVolume { group: demands[a].key.clone(), other: demands[b].key.clone() });
        }
        leaders[x.max(y)] = x.min(y);
    }
    if !sharing.is_empty() {
        for domain in &mut of {
            *domain = leader(&leaders, *domain);
        }
    }
    Domains { namespaces, of, count, sharing }
}

fn leader(leaders: &[usize], mut domain: usize) -> usize {
    while leaders[domain] != domain {
        domain = leaders[domain];
    }
    domain
}

/// Pairs of demands that name the same volume; of three, the neighbours.
fn sharing_pairs(demands: &[&Demand]) -> BTreeSet<(usize, usize)> {
    // Nearly always there is none. Folded ids are quick to sort; those that come twice are looked up exactly.
    let mut folded: Vec<u64> = demands.iter().flat_map(|d| d.volume_ids.iter().map(|id| id.folded())).collect();
    folded.sort_unstable();
    let twice: BTreeSet<u64> = folded.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    if twice.is_empty() {
        return BTreeSet::new();
    }
    let mut named: Vec<(VolumeId, usize)> = demands
        .iter()
        .enumerate()
        .flat_map(|(n, d)| d.volume_ids.iter().filter(|id| twice.contains(&id.folded())).map(move |id| (*id, n)))
        .collect();
    named.sort_unstable();
    let shared = |pair: &&[(VolumeId, usize)]| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1;
    named.windows(2).filter(shared).map(|pair| (pair[0].1, pair[1].1)).collect()
}
