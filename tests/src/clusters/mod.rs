//! Real-looking clusters as Kubernetes JSON, by rules and a seed: 10 to 100,000 workloads with the odd things that clusters have.
//!
//! What is made is written object by object, so that a dump of a gigabyte needs no memory. The maker keeps its own count of what
//! it made ([`Made`]), which owes nothing to the product's reading of it.

mod dice;
mod names;
mod objects;
mod workload;

use std::io::{self, Write};

pub use dice::Dice;
use names::Names;
use serde_json::Value;

/// What is made.
#[derive(Clone, Copy, Debug)]
pub struct ClusterRules {
    /// The same seed makes the same cluster.
    pub seed: u64,
    /// Workloads with EBS volumes.
    pub workloads: usize,
    /// Whether the odd things are among them: orphans, shared claims, hand-set labels, unreadable annotations, scaled-down sets.
    pub odd: bool,
}

/// What was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// Objects in all.
    pub objects: usize,
    /// Workloads that a plan has a group for.
    pub groups: usize,
    /// EBS volumes that a claim holds.
    pub claimed_volumes: usize,
    /// EBS volumes without a claim.
    pub orphans: usize,
    /// Claims without a volume.
    pub unbound: usize,
    /// Claims that sets left behind when they were scaled down.
    pub left_behind: usize,
    /// Annotations that cannot be read.
    pub unreadable: usize,
}

/// How a dump is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One `List`, as `kubectl get … -o json`.
    List,
    /// One object a document.
    Documents,
}

/// Writes the cluster.
pub fn write(rules: ClusterRules, form: Form, to: &mut impl Write) -> io::Result<Made> {
    let mut out = Out { to, form, objects: 0 };
    if form == Form::List {
        out.to.write_all(b"{\"apiVersion\":\"v1\",\"items\":[")?;
    }
    let mut dice = Dice::new(rules.seed);
    let mut names = Names::new(rules.workloads);
    let mut made = Made::default();
    let mut volumes_groups = std::collections::BTreeSet::new();
    for number in 0..rules.workloads {
        let place = names.next(&mut dice);
        let kind = workload::Kind::pick(&mut dice);
        workload::write(&place, kind, rules.odd, number, &mut dice, &mut made, &mut |object| out.object(&object))?;
        // All workloads of a namespace that are no StatefulSet share its one group.
        match kind {
            workload::Kind::Set => made.groups += 1,
            workload::Kind::Deployment => {
                volumes_groups.insert(place.namespace.clone());
            }
        }
    }
    made.groups += volumes_groups.len();
    if rules.odd {
        odd_ones(rules.workloads, &mut made, &mut |object| out.object(&object))?;
    }
    made.objects = out.objects;
    if form == Form::List {
        out.to.write_all(b"],\"kind\":\"List\",\"metadata\":{\"resourceVersion\":\"\"}}\n")?;
    }
    Ok(made)
}

/// Things that belong to no workload.
fn odd_ones(workloads: usize, made: &mut Made, put: &mut impl FnMut(Value) -> io::Result<()>) -> io::Result<()> {
    for number in 0..=workloads / 50 {
        put(objects::volume(&format!("pv-orphan-{number}"), 0xffff_0000 + number as u64, None))?;
        put(objects::unbound_claim("odd-things", &format!("waiting-{number}")))?;
        made.orphans += 1;
        made.unbound += 1;
    }
    put(objects::foreign_schedule("nightly-by-hand"))
}

struct Out<'a, W> {
    to: &'a mut W,
    form: Form,
    objects: usize,
}

impl<W: Write> Out<'_, W> {
    fn object(&mut self, object: &Value) -> io::Result<()> {
        if self.objects > 0 {
            self.to.write_all(if self.form == Form::List { b",\n" } else { b"\n" })?;
        }
        self.objects += 1;
        serde_json::to_writer(&mut *self.to, object).map_err(io::Error::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_cluster() {
        let cluster_of = |seed| {
            let mut text = Vec::new();
            let made = write(ClusterRules { seed, workloads: 40, odd: true }, Form::List, &mut text).unwrap();
            (made, text)
        };
        assert_eq!(cluster_of(7), cluster_of(7));
        assert_ne!(cluster_of(7).1, cluster_of(8).1);
        let (made, text) = cluster_of(7);
        let list: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(list["items"].as_array().map(Vec::len), Some(made.objects));
    }
}
