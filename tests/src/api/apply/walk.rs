//! Walks along an object's shape: what it sets, what differs between two, one merged into another, fields taken out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::field_set::FieldSet;
use super::shape::{Place, Relation, item_key};

/// The parts of a map or of a list that merges, by their `fieldsV1` element; `None` for what is one piece.
fn parts<'a>(place: Place<'_>, value: &'a Value) -> Option<Vec<(String, &'a Value)>> {
    match (value, place.relation(value)) {
        (Value::Object(map), Relation::Granular) => Some(map.iter().map(|(k, v)| (format!("f:{k}"), v)).collect()),
        (Value::Array(items), Relation::Set) => Some(items.iter().map(|v| (format!("v:{v}"), v)).collect()),
        (Value::Array(items), Relation::Keyed(keys)) => {
            items.iter().map(|item| item_key(item, keys).map(|key| (key, item))).collect()
        }
        _ => None,
    }
}

fn into<'a>(place: Place<'a>, element: &'a str) -> Place<'a> {
    element.strip_prefix("f:").map_or(place, |name| place.field(name))
}

/// The fields that an object sets.
pub fn fields_of(place: Place<'_>, value: &Value) -> FieldSet {
    if place.is_unowned() || value.is_null() {
        return FieldSet::default();
    }
    let Some(found) = parts(place, value).filter(|p| !p.is_empty()) else { return FieldSet::leaf() };
    let mut out = FieldSet::default();
    for (element, part) in found {
        let mut below = fields_of(into(place, &element), part);
        // An item is owned as such, beside what is in it: that is what removes it when its last owner lets go.
        below.member |= value.is_array();
        out.put(element, below);
    }
    out
}

/// What differs between two versions of an object.
#[derive(Debug, Default)]
pub struct Difference {
    /// Fields of the second that the first has not, or has otherwise.
    pub changed: FieldSet,
    /// Fields of the first that the second has not.
    pub removed: FieldSet,
}

/// Compares two versions.
pub fn compare(place: Place<'_>, old: &Value, new: &Value) -> Difference {
    if place.is_unowned() || old == new {
        return Difference::default();
    }
    let (Some(before), Some(after)) = (parts(place, old), parts(place, new)) else {
        return replaced(place, old, new);
    };
    let before: BTreeMap<String, &Value> = before.into_iter().collect();
    let after: BTreeMap<String, &Value> = after.into_iter().collect();
    let mut out = Difference::default();
    for element in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
        let below = into(place, element);
        let difference = match (before.get(element), after.get(element)) {
            (Some(old), Some(new)) => compare(below, old, new),
            (Some(old), None) => Difference { changed: FieldSet::default(), removed: whole(below, old, new) },
            (None, Some(new)) => Difference { changed: whole(below, new, old), removed: FieldSet::default() },
            (None, None) => continue,
        };
        out.changed.put(element.clone(), difference.changed);
        out.removed.put(element.clone(), difference.removed);
    }
    out
}

/// The fields of a part that came or went as a whole; an item of a list is one of them itself.
fn whole(place: Place<'_>, part: &Value, sibling: &Value) -> FieldSet {
    let mut out = fields_of(place, part);
    out.member |= sibling.is_array();
    out
}

fn replaced(place: Place<'_>, old: &Value, new: &Value) -> Difference {
    let (before, after) = (fields_of(place, old), fields_of(place, new));
    let removed = before.minus(&after);
    Difference { changed: after, removed }
}

/// Merges what a manager applies into what is there.
pub fn merge(place: Place<'_>, live: &Value, applied: &Value) -> Value {
    let relation = place.relation(applied);
    match (live, applied) {
        (Value::Object(live), Value::Object(applied)) if relation == Relation::Granular => {
            let mut out = live.clone();
            for (name, value) in applied {
                let merged = merge(place.field(name), live.get(name).unwrap_or(&Value::Null), value);
                if merged.is_null() {
                    out.remove(name)
                } else {
                    out.insert(name.clone(), merged)
                };
            }
            Value::Object(out)
        }
        (Value::Array(live), Value::Array(applied)) if relation == Relation::Set => {
            let new = applied.iter().filter(|v| !live.contains(v));
            Value::Array(live.iter().chain(new).cloned().collect())
        }
        (Value::Array(live), Value::Array(applied)) => match relation {
            Relation::Keyed(keys) => Value::Array(merge_items(place, live, applied, keys)),
            _ => Value::Array(applied.clone()),
        },
        (_, Value::Object(applied)) if relation == Relation::Granular => {
            let kept = applied.iter().filter(|(_, v)| !v.is_null());
            Value::Object(kept.map(|(k, v)| (k.clone(), merge(place.field(k), &Value::Null, v))).collect())
        }
        (_, applied) => applied.clone(),
    }
}

fn merge_items(place: Place<'_>, live: &[Value], applied: &[Value], keys: &[&str]) -> Vec<Value> {
    let mut out = live.to_vec();
    for item in applied {
        let key = item_key(item, keys);
        match out.iter_mut().find(|have| key.is_some() && item_key(have, keys) == key) {
            Some(have) => *have = merge(place, have, item),
            None => out.push(merge(place, &Value::Null, item)),
        }
    }
    out
}

/// Takes the fields of `gone` out of a value, except those that somebody in `kept` owns, or owns something below of. `None`: all of it went.
pub fn take_out(place: Place<'_>, value: &Value, gone: &FieldSet, kept: &FieldSet) -> Option<Value> {
    if gone.member && kept.is_empty() {
        return None;
    }
    let Some(found) = parts(place, value) else { return Some(value.clone()) };
    let nothing = FieldSet::default();
    let mut took = false;
    let mut left = Vec::new();
    for (element, part) in found {
        let keep = kept.below.get(&element).unwrap_or(&nothing);
        let rest = match gone.below.get(&element) {
            Some(gone) => take_out(into(place, &element), part, gone, keep),
            None => Some(part.clone()),
        };
        match rest {
            Some(rest) => left.push((element, rest)),
            None => took = true,
        }
    }
    if took && left.is_empty() && !kept.member {
        return None;
    }
    Some(if value.is_object() {
        Value::Object(left.into_iter().map(|(e, v)| (e[2..].to_owned(), v)).collect::<Map<_, _>>())
    } else {
        Value::Array(left.into_iter().map(|(_, v)| v).collect())
    })
}
