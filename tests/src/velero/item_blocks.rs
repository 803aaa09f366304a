//! In which blocks does Velero process a Backup's pods and claims?
//!
//! A block is the unit inside which all pre hooks come before all cuts and all cuts before all post hooks. Rules: Velero
//! `backup.go` (`addNextToBlock`, `executeItemBlockActions`), `item_collector.go` (`sortResourcesByOrder`),
//! `itemblock/actions/{pod,pvc}_action.go`.

use std::collections::{BTreeMap, BTreeSet};

use kube::core::SelectorExt;

use super::backup::{BackupSpec, DEFAULT_VOLUME_GROUP_LABEL};
use super::inventory::{ClaimItem, Inventory, PodItem};
use super::object_name::ObjectName;
use super::selection::{Kind, Selection};
use super::version::VeleroVersion;

/// One member of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Hooked, and its claims cut when its turn comes.
    Pod(PodItem),
    /// Cut when its turn comes, unless a pod before it has had it cut.
    Claim(ClaimItem),
}

impl Item {
    /// The object's name.
    pub fn name(&self) -> &ObjectName {
        match self {
            Self::Pod(pod) => &pod.name,
            Self::Claim(claim) => &claim.name,
        }
    }
}

/// What is processed together, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemBlock {
    /// In the order of processing. A pod that two selectors match is there twice.
    pub items: Vec<Item>,
}

impl ItemBlock {
    /// The pods, in the order in which their hooks run.
    pub fn pods(&self) -> impl Iterator<Item = &PodItem> {
        self.items.iter().filter_map(|item| match item {
            Item::Pod(pod) => Some(pod),
            Item::Claim(_) => None,
        })
    }

    /// The claims in the order in which they are cut. A pod has its claims cut at its own turn, in the order of its
    /// volumes; the claims of a pod whose pre hook failed wait for their own turn (`backup.go`: such a pod counts as done).
    pub fn cut_order(&self, failed: &BTreeSet<ObjectName>) -> Vec<&ClaimItem> {
        let claims: BTreeMap<&ObjectName, &ClaimItem> = self
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Claim(claim) => Some((&claim.name, claim)),
                Item::Pod(_) => None,
            })
            .collect();
        let mut done = BTreeSet::new();
        let mut order = Vec::new();
        for item in &self.items {
            let due = match item {
                Item::Pod(pod) if failed.contains(&pod.name) => vec![],
                Item::Pod(pod) => pod.claims.iter().filter_map(|name| claims.get(name).copied()).collect(),
                Item::Claim(claim) => vec![claim],
            };
            for claim in due {
                if done.insert(&claim.name) {
                    order.push(claim);
                }
            }
        }
        order
    }
}

/// The blocks of a Backup and what Velero warns of while making them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockPlan {
    /// In the order in which they are handed to the workers.
    pub blocks: Vec<ItemBlock>,
    /// Lines of the Backup's log at level warning.
    pub warnings: Vec<String>,
}

/// Makes the blocks of one Backup.
pub fn plan_blocks(
    version: VeleroVersion,
    spec: &BackupSpec,
    selection: &Selection,
    inventory: &Inventory,
) -> BlockPlan {
    let mut warnings = Vec::new();
    let listed = list_items(selection, inventory, spec, &mut warnings);
    let maker = BlockMaker::new(version, spec, selection, inventory);
    let blocks = if version.has_blocks() { maker.joined(listed) } else { maker.each_alone(&listed) };
    BlockPlan { blocks, warnings }
}

/// An object that the Backup's filters list.
struct Listed {
    item: Item,
    /// Named in `orderedResources`.
    ordered: bool,
    /// In a block already, or left out.
    placed: bool,
}

/// Pods, then claims, each as the API server lists them, pods sorted by `orderedResources`.
fn list_items(
    selection: &Selection,
    inventory: &Inventory,
    spec: &BackupSpec,
    warnings: &mut Vec<String>,
) -> Vec<Listed> {
    let pods = inventory.pods.iter().filter(|p| selection.takes_namespace(&p.name.namespace));
    let claims = inventory.claims.iter().filter(|c| selection.takes_namespace(&c.name.namespace));
    let mut listed = Vec::new();
    if selection.takes_kind(Kind::Pods) {
        let pods = as_listed(selection, &pods.map(|pod| (&pod.labels, Item::Pod(pod.clone()))).collect::<Vec<_>>());
        listed.extend(sort_by_order(pods, spec.ordered_resources.get("pods"), warnings));
    }
    if selection.takes_kind(Kind::Claims) {
        let claims = as_listed(selection, &claims.map(|c| (&c.labels, Item::Claim(c.clone()))).collect::<Vec<_>>());
        listed.extend(sort_by_order(claims, spec.ordered_resources.get("persistentvolumeclaims"), warnings));
    }
    listed
}

/// Without selectors every object once; else selector by selector, so that what two of them match is there twice.
fn as_listed(selection: &Selection, objects: &[(&BTreeMap<String, String>, Item)]) -> Vec<Listed> {
    let fresh = |item: &Item| Listed { item: item.clone(), ordered: false, placed: false };
    if selection.selectors().is_empty() {
        return objects.iter().map(|(_, item)| fresh(item)).collect();
    }
    let matching = |selector: &kube::core::Selector| -> Vec<Listed> {
        objects.iter().filter(|(labels, _)| selector.matches(labels)).map(|(_, item)| fresh(item)).collect()
    };
    selection.selectors().iter().flat_map(matching).collect()
}

/// Puts the named objects first, in the order of the list. The list is cut at commas and not trimmed (up to 1.18), so a
/// name after a space matches nothing: a warning, no error.
fn sort_by_order(listed: Vec<Listed>, order: Option<&String>, warnings: &mut Vec<String>) -> Vec<Listed> {
    let Some(order) = order.filter(|text| !text.is_empty()) else { return listed };
    // Of an object that is listed twice, the last copy is the one that can be named (a map by name in the original).
    let mut by_name: BTreeMap<String, usize> =
        listed.iter().enumerate().map(|(at, l)| (l.item.name().to_string(), at)).collect();
    let mut slots: Vec<Option<Listed>> = listed.into_iter().map(Some).collect();
    let mut sorted = Vec::new();
    let mut named = BTreeSet::new();
    for name in order.split(',') {
        let found = by_name.remove(name).and_then(|at| slots[at].take());
        if let Some(found) = found {
            named.insert(found.item.name().clone());
            sorted.push(Listed { ordered: true, ..found });
        } else {
            warnings.push(format!("Cannot find resource '{name}'."));
        }
    }
    sorted.extend(slots.into_iter().flatten().filter(|l| !named.contains(l.item.name())));
    sorted
}

/// What makes the blocks: the rules' inputs, and indexes over the cluster.
struct BlockMaker<'a> {
    version: VeleroVersion,
    spec: &'a BackupSpec,
    selection: &'a Selection,
    pods: BTreeMap<&'a ObjectName, &'a PodItem>,
    claims: BTreeMap<&'a ObjectName, &'a ClaimItem>,
    /// Running pods by the claims they mount, in listing order.
    mounters: BTreeMap<&'a ObjectName, Vec<&'a ObjectName>>,
}

/// An object's kind and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Pod(ObjectName),
    Claim(ObjectName),
}

impl Key {
    fn of(item: &Item) -> Self {
        match item {
            Item::Pod(pod) => Self::Pod(pod.name.clone()),
            Item::Claim(claim) => Self::Claim(claim.name.clone()),
        }
    }
}

/// What has been placed so far, over all blocks of the Backup.
struct Placement {
    listed: Vec<Listed>,
    by_key: BTreeMap<Key, Vec<usize>>,
    /// Objects that the filters do not list, once they were fetched for some block.
    fetched: BTreeSet<Key>,
    block: ItemBlock,
}

impl<'a> BlockMaker<'a> {
    fn new(version: VeleroVersion, spec: &'a BackupSpec, selection: &'a Selection, inventory: &'a Inventory) -> Self {
        let mut mounters: BTreeMap<&ObjectName, Vec<&ObjectName>> = BTreeMap::new();
        for pod in inventory.pods.iter().filter(|pod| pod.is_running()) {
            for claim in &pod.claims {
                mounters.entry(claim).or_default().push(&pod.name);
            }
        }
        Self {
            version,
            spec,
            selection,
            pods: inventory.pods.iter().map(|pod| (&pod.name, pod)).collect(),
            claims: inventory.claims.iter().map(|claim| (&claim.name, claim)).collect(),
            mounters,
        }
    }

    /// Up to 1.14: a pod with its claims, the next pod with its own; at last the claims that the filters list themselves
    /// (for claims that no pod mounts, and for those of pods whose pre hook failed).
    fn each_alone(&self, listed: &[Listed]) -> Vec<ItemBlock> {
        let mut seen = BTreeSet::new();
        let mut blocks = Vec::new();
        for item in listed.iter().map(|l| &l.item).filter(|item| self.may_enter(item)) {
            if !seen.insert(Key::of(item)) {
                continue;
            }
            let mut block = ItemBlock { items: vec![item.clone()] };
            if let Item::Pod(pod) = item {
                let claims =
                    pod.claims.iter().filter_map(|name| self.claims.get(name)).map(|c| Item::Claim((*c).clone()));
                block.items.extend(claims.filter(|claim| self.may_enter(claim)));
            }
            blocks.push(block);
        }
        blocks
    }

    /// 1.15 and later.
    fn joined(&self, listed: Vec<Listed>) -> Vec<ItemBlock> {
        let mut by_key: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
        for (at, l) in listed.iter().enumerate() {
            by_key.entry(Key::of(&l.item)).or_default().push(at);
        }
        let mut placement = Placement { listed, by_key, fetched: BTreeSet::new(), block: ItemBlock::default() };
        let mut blocks = Vec::new();
        for at in 0..placement.listed.len() {
            let here = &placement.listed[at];
            let next_belongs_here = placement
                .listed
                .get(at + 1)
                .is_some_and(|next| here.ordered && next.ordered && same_kind(&here.item, &next.item));
            if !here.placed {
                let key = Key::of(&here.item);
                self.place(&key, &mut placement);
            }
            if !next_belongs_here && !placement.block.items.is_empty() {
                blocks.push(std::mem::take(&mut placement.block));
            }
        }
        blocks
    }

    /// Puts an object into the block, then what belongs to it, then what belongs to that. Objects that the filters do not
    /// list are fetched from the cluster: selectors do not apply to them.
    fn place(&self, key: &Key, placement: &mut Placement) {
        let mut placed = None;
        if let Some(copies) = placement.by_key.get(key) {
            for at in copies {
                let copy = &mut placement.listed[*at];
                if !std::mem::replace(&mut copy.placed, true) && self.may_enter(&copy.item) {
                    placement.block.items.push(copy.item.clone());
                    placed = Some(copy.item.clone());
                }
            }
        } else if placement.fetched.insert(key.clone()) {
            placed = self.fetch(key).filter(|item| self.may_enter(item));
            placement.block.items.extend(placed.clone());
        }
        for related in placed.iter().flat_map(|item| self.related(item)) {
            self.place(&related, placement);
        }
    }

    fn fetch(&self, key: &Key) -> Option<Item> {
        match key {
            Key::Pod(name) => self.pods.get(name).map(|pod| Item::Pod((*pod).clone())),
            Key::Claim(name) => self.claims.get(name).map(|claim| Item::Claim((*claim).clone())),
        }
    }

    /// Claims of a pod; running pods that mount a claim; claims with the same volume-group label.
    fn related(&self, item: &Item) -> Vec<Key> {
        match item {
            Item::Pod(pod) => pod.claims.iter().cloned().map(Key::Claim).collect(),
            Item::Claim(claim) if claim.volume.is_none() => vec![],
            Item::Claim(claim) => {
                let pods = self.mounters.get(&claim.name).into_iter().flatten().map(|pod| Key::Pod((*pod).clone()));
                pods.chain(self.grouped_with(claim).into_iter().map(Key::Claim)).collect()
            }
        }
    }

    fn grouped_with(&self, claim: &ClaimItem) -> Vec<ObjectName> {
        let Some((key, group)) = volume_group(self.version, self.spec, claim) else { return vec![] };
        let same = |other: &&&ClaimItem| {
            other.name.namespace == claim.name.namespace
                && other.name != claim.name
                && other.labels.get(key).map(String::as_str) == Some(group)
        };
        self.claims.values().filter(same).map(|other| other.name.clone()).collect()
    }

    fn may_enter(&self, item: &Item) -> bool {
        let (kind, left_out) = match item {
            Item::Pod(pod) => (Kind::Pods, pod.is_left_out()),
            Item::Claim(claim) => (Kind::Claims, claim.is_left_out()),
        };
        !left_out && self.selection.takes_namespace(&item.name().namespace) && self.selection.takes_kind(kind)
    }
}

/// The volume-group label of a claim (key and value), where the version looks at it. It joins claims in both volume modes,
/// but in CSI mode such a claim's snapshot fails with a driver that has no group controller, as EBS has none.
pub fn volume_group<'a>(
    version: VeleroVersion,
    spec: &'a BackupSpec,
    claim: &'a ClaimItem,
) -> Option<(&'a str, &'a str)> {
    let key =
        spec.volume_group_snapshot_label_key.as_deref().filter(|k| !k.is_empty()).unwrap_or(DEFAULT_VOLUME_GROUP_LABEL);
    let group = claim.labels.get(key).filter(|value| !value.is_empty() && version.groups_claims_by_label())?;
    Some((key, group))
}

fn same_kind(a: &Item, b: &Item) -> bool {
    matches!((a, b), (Item::Pod(_), Item::Pod(_)) | (Item::Claim(_), Item::Claim(_)))
}

#[cfg(test)]
#[path = "item_blocks_tests.rs"]
mod tests;
