//! Strategic merge patch: what `kubectl apply`, `edit` and `patch` send for built-in kinds.
//!
//! Source: `strategicpatch/patch.go` of apimachinery. Which lists merge, and by which key, is the same table as for server-side apply; where
//! apply tells items apart by two fields (ports), this goes by the first one, as `x-kubernetes-patch-merge-key` says.

use serde_json::{Map, Value};

use crate::api::apply::{Place, Relation};
use crate::api::status::ApiError;

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const ELEMENT_ORDER: &str = "$setElementOrder/";
const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList/";

/// Applies a patch to a map. The place says which lists merge.
pub fn apply(place: Place<'_>, target: &Value, patch: &Value) -> Result<Value, ApiError> {
    let Value::Object(patch) = patch else { return Err(refuse("a patch of something other than a map")) };
    let live = target.as_object();
    match patch.get(DIRECTIVE).and_then(Value::as_str) {
        None | Some("merge") => {}
        Some("replace") => return Ok(Value::Object(without_directives(patch))),
        Some("delete") => return Ok(Value::Object(Map::new())),
        Some(_) => return Err(refuse("an unknown $patch directive")),
    }
    let mut out = live.cloned().unwrap_or_default();
    if let Some(retained) = patch.get(RETAIN_KEYS) {
        let retained = retained.as_array().ok_or_else(|| refuse("$retainKeys that is no list"))?;
        out.retain(|key, _| retained.iter().any(|r| r == key));
    }
    for (name, change) in patch {
        if let Some(list) = name.strip_prefix(DELETE_FROM_LIST) {
            let gone = change.as_array().ok_or_else(|| refuse("$deleteFromPrimitiveList that is no list"))?;
            if let Some(items) = out.get_mut(list).and_then(Value::as_array_mut) {
                items.retain(|item| !gone.contains(item));
            }
        }
    }
    for (name, change) in patch.iter().filter(|(name, _)| !name.starts_with('$')) {
        if change.is_null() {
            out.remove(name);
            continue;
        }
        let here = place.field(name);
        let value = match (change, out.get(name)) {
            (Value::Object(_), live) => apply(here, live.unwrap_or(&Value::Null), change)?,
            (Value::Array(items), live) => {
                let live = live.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                Value::Array(lists(here, live, items)?)
            }
            _ => change.clone(),
        };
        out.insert(name.clone(), value);
    }
    for (name, order) in patch {
        if let Some(list) = name.strip_prefix(ELEMENT_ORDER)
            && let (Some(Value::Array(items)), Some(order)) = (out.get_mut(list), order.as_array())
        {
            let before = live.and_then(|live| live.get(list)).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            *items = ordered(std::mem::take(items), order, before, merge_key(place.field(list)));
        }
    }
    Ok(Value::Object(out))
}

fn refuse(what: &str) -> ApiError {
    ApiError::bad_request(format!("invalid strategic merge patch: {what}"))
}

/// A map of the patch as it is stored when there is nothing to merge it into.
fn without_directives(patch: &Map<String, Value>) -> Map<String, Value> {
    patch.iter().filter(|(k, v)| !k.starts_with('$') && !v.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect()
}

/// The field that tells the items of a list apart; `None` for lists of scalars and lists that do not merge.
fn merge_key(place: Place<'_>) -> Option<&'static str> {
    match place.list() {
        Relation::Keyed(keys) => keys.first().copied(),
        _ => None,
    }
}

fn lists(place: Place<'_>, live: &[Value], patch: &[Value]) -> Result<Vec<Value>, ApiError> {
    match place.list() {
        Relation::Set => {
            let new = patch.iter().filter(|item| !live.contains(item));
            Ok(live.iter().chain(new).cloned().collect())
        }
        Relation::Keyed(keys) => items(place, live, patch, keys[0]),
        Relation::Atomic | Relation::Granular => Ok(patch.to_vec()),
    }
}

fn items(place: Place<'_>, live: &[Value], patch: &[Value], key: &str) -> Result<Vec<Value>, ApiError> {
    let replaces = patch.iter().any(|item| item[DIRECTIVE] == "replace");
    let mut out = if replaces { Vec::new() } else { live.to_vec() };
    for item in patch.iter().filter(|item| item[DIRECTIVE] != "replace") {
        let wanted =
            item.get(key).ok_or_else(|| refuse(&format!("map: {item} does not contain declared merge key: {key}")))?;
        let found = out.iter().position(|have| have.get(key) == Some(wanted));
        match (item[DIRECTIVE] == "delete", found) {
            (true, Some(at)) => drop(out.remove(at)),
            (true, None) => {}
            (false, Some(at)) => out[at] = apply(place, &out[at], item)?,
            (false, None) => out.push(apply(place, &Value::Null, item)?),
        }
    }
    Ok(ordered(out, patch, live, Some(key)))
}

/// Brings merged items into order (`mergeSortedSlice`): those that the patch names in the patch's order, each of the others before the first
/// named one that it preceded in the live list, else at the end.
fn ordered(items: Vec<Value>, order: &[Value], live: &[Value], key: Option<&str>) -> Vec<Value> {
    let name = |item: &Value| key.map_or_else(|| item.clone(), |k| item[k].clone());
    let rank = |list: &[Value], item: &Value| list.iter().position(|other| name(other) == name(item));
    let (mut named, others): (Vec<Value>, Vec<Value>) = items.into_iter().partition(|item| rank(order, item).is_some());
    named.sort_by_key(|item| rank(order, item));
    let precedes = |a: &Value, b: &Value| matches!((rank(live, a), rank(live, b)), (Some(a), Some(b)) if a < b);
    let mut others = others.into_iter().peekable();
    let mut out = Vec::new();
    for item in named {
        while let Some(other) = others.next_if(|other| precedes(other, &item)) {
            out.push(other);
        }
        out.push(item);
    }
    out.extend(others);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::kinds::Origin;

    fn check(target: &Value, patch: &Value, expected: &Value) {
        let got = apply(Place::root(Origin::BuiltIn), target, patch).unwrap_or_else(|e| panic!("{patch}: {e}"));
        assert_eq!(got, *expected, "{target} + {patch}");
    }

    fn pod(containers: &Value) -> Value {
        json!({"spec": {"containers": containers}})
    }

    #[test]
    fn maps_merge_and_null_removes() {
        let live = json!({"metadata": {"labels": {"a": "1", "b": "1"}}});
        check(
            &live,
            &json!({"metadata": {"labels": {"a": null, "c": "1"}}}),
            &json!({"metadata": {"labels": {"b": "1", "c": "1"}}}),
        );
        check(
            &live,
            &json!({"metadata": {"labels": {"$patch": "replace", "c": "1"}}}),
            &json!({"metadata": {"labels": {"c": "1"}}}),
        );
        let strategy = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {}}}});
        let recreate = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}});
        check(&strategy, &recreate, &json!({"spec": {"strategy": {"type": "Recreate"}}}));
    }

    #[test]
    fn items_merge_by_their_key() {
        let live = pod(
            &json!([{"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}, {"name": "b", "image": "1"}]),
        );
        check(
            &live,
            &pod(&json!([{"name": "a", "env": [{"name": "Y", "value": "2"}]}])),
            &pod(
                &json!([{"name": "a", "image": "1", "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}]}, {"name": "b", "image": "1"}]),
            ),
        );
        check(&live, &pod(&json!([{"name": "a", "$patch": "delete"}])), &pod(&json!([{"name": "b", "image": "1"}])));
        check(&live, &pod(&json!([{"$patch": "replace"}, {"name": "c"}])), &pod(&json!([{"name": "c"}])));
        let reordered = json!({"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "c"}], "containers": [{"name": "c"}]}});
        let got = apply(Place::root(Origin::BuiltIn), &live, &reordered).expect("patched");
        let names: Vec<&str> =
            got["spec"]["containers"].as_array().into_iter().flatten().filter_map(|c| c["name"].as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    fn other_lists_are_replaced_and_lists_of_scalars_may_merge() {
        check(
            &json!({"spec": {"tolerations": [{"key": "a"}]}}),
            &json!({"spec": {"tolerations": [{"key": "b"}]}}),
            &json!({"spec": {"tolerations": [{"key": "b"}]}}),
        );
        check(
            &json!({"metadata": {"finalizers": ["x/a"]}}),
            &json!({"metadata": {"finalizers": ["x/b"]}}),
            &json!({"metadata": {"finalizers": ["x/a", "x/b"]}}),
        );
        check(
            &json!({"metadata": {"finalizers": ["x/a", "x/b"]}}),
            &json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["x/a"]}}),
            &json!({"metadata": {"finalizers": ["x/b"]}}),
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for patch in [json!({"$patch": "twist"}), pod(&json!([{"image": "no key"}])), json!([])] {
            let refusal =
                apply(Place::root(Origin::BuiltIn), &pod(&json!([{"name": "a"}])), &patch).expect_err("refused");
            assert_eq!(refusal.code, 400);
        }
    }
}
