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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::kinds::Origin;

    fn built_in() -> Place<'static> {
        Place::root(Origin::BuiltIn)
    }

    #[test]
    fn fields_are_those_of_leaves_items_and_empty_maps_but_not_of_the_server() {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "uid": "u", "labels": {"a": "b"}, "finalizers": ["x/y"]},
            "spec": {"containers": [{"name": "c", "image": "i"}], "tolerations": [{"key": "k"}], "nodeSelector": {"a": "b"}},
        });
        let expected = json!({
            "f:metadata": {"f:labels": {"f:a": {}}, "f:finalizers": {"v:\"x/y\"": {}}},
            "f:spec": {
                "f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:name": {}, "f:image": {}}},
                "f:tolerations": {},
                "f:nodeSelector": {},
            },
        });
        assert_eq!(fields_of(built_in(), &pod).to_json(), expected);
    }

    #[test]
    fn a_difference_names_what_changed_and_what_went() {
        let old = json!({"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b"}], "nodeName": "n"}});
        let new = json!({"spec": {"containers": [{"name": "a", "image": "2"}, {"name": "c"}]}});
        let Difference { changed, removed } = compare(built_in(), &old, &new);
        assert_eq!(
            changed.paths(),
            [".spec.containers[name=\"a\"].image", ".spec.containers[name=\"c\"]", ".spec.containers[name=\"c\"].name"]
        );
        assert_eq!(
            removed.paths(),
            [".spec.containers[name=\"b\"]", ".spec.containers[name=\"b\"].name", ".spec.nodeName"]
        );
        let same = compare(built_in(), &old, &old);
        assert!(same.changed.is_empty() && same.removed.is_empty());
    }

    #[test]
    fn applied_fields_merge_by_their_relation() {
        let live = json!({"spec": {
            "containers": [{"name": "a", "image": "1", "args": ["x"]}], "tolerations": [{"key": "k"}], "nodeSelector": {"a": "b"},
        }});
        let applied = json!({"spec": {
            "containers": [{"name": "b"}, {"name": "a", "args": ["y"]}], "tolerations": [], "nodeSelector": {"c": "d"},
        }});
        let expected = json!({"spec": {
            "containers": [{"name": "a", "image": "1", "args": ["y"]}, {"name": "b"}], "tolerations": [], "nodeSelector": {"c": "d"},
        }});
        assert_eq!(merge(built_in(), &live, &applied), expected);
        // The lists of a custom kind are of one piece, whatever they are called.
        let custom = merge(Place::root(Origin::Custom), &live, &applied);
        assert_eq!(custom["spec"]["containers"], applied["spec"]["containers"]);
        assert_eq!(custom["spec"]["nodeSelector"], json!({"a": "b", "c": "d"}));
    }

    #[test]
    fn what_is_taken_out_leaves_what_others_keep() {
        let object = json!({"metadata": {"labels": {"mine": "1", "ours": "1"}}, "spec": {"containers": [{"name": "a", "image": "1"}]}});
        let all = fields_of(built_in(), &object);
        let kept = fields_of(built_in(), &json!({"metadata": {"labels": {"ours": "1"}}}));
        assert_eq!(take_out(built_in(), &object, &all, &kept), Some(json!({"metadata": {"labels": {"ours": "1"}}})));
        assert_eq!(take_out(built_in(), &object, &all, &FieldSet::default()), None);
        assert_eq!(take_out(built_in(), &object, &FieldSet::default(), &kept), Some(object.clone()));
        // Who owns a field of an item keeps the item.
        let image = FieldSet::from_json(&json!({"f:spec": {"f:containers": {"k:{\"name\":\"a\"}": {"f:image": {}}}}}));
        let left = take_out(built_in(), &object, &all, &image);
        assert_eq!(left, Some(json!({"spec": {"containers": [{"image": "1"}]}})));
    }
}
