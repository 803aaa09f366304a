//! JSON patch (RFC 6902), all six operations.

use serde_json::Value;

use crate::api::status::ApiError;

/// Applies the operations in order, all or nothing.
pub fn apply(target: &Value, patch: &Value) -> Result<Value, ApiError> {
    let Some(operations) = patch.as_array() else {
        return Err(ApiError::bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ));
    };
    // The real server says no more than this when an operation cannot be carried out, a failed `test` included.
    let refused = || {
        let mut error = ApiError::new(422, "Invalid", "the server rejected our request due to an error in our request");
        error.details = Some(serde_json::json!({}));
        error
    };
    let mut out = target.clone();
    for operation in operations {
        step(&mut out, operation).ok_or_else(refused)?;
    }
    Ok(out)
}

fn step(document: &mut Value, operation: &Value) -> Option<()> {
    let path = operation["path"].as_str()?;
    let value = || operation.get("value").cloned();
    match operation["op"].as_str()? {
        "add" => add(document, path, value()?),
        "remove" => remove(document, path).map(drop),
        "replace" => replace(document, path, value()?),
        "test" => (document.pointer(path) == operation.get("value")).then_some(()),
        "move" => {
            let moved = remove(document, operation["from"].as_str()?)?;
            add(document, path, moved)
        }
        "copy" => {
            let copied = document.pointer(operation["from"].as_str()?)?.clone();
            add(document, path, copied)
        }
        _ => None,
    }
}

fn split(path: &str) -> Option<(&str, String)> {
    let (parent, last) = path.rsplit_once('/')?;
    Some((parent, last.replace("~1", "/").replace("~0", "~")))
}

fn add(document: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        *document = value;
        return Some(());
    }
    let (parent, last) = split(path)?;
    match document.pointer_mut(parent)? {
        Value::Object(map) => drop(map.insert(last, value)),
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => {
            let at: usize = last.parse().ok().filter(|at| *at <= items.len())?;
            items.insert(at, value);
        }
        _ => return None,
    }
    Some(())
}

/// Unlike RFC 6902, the real server lets a map's key be replaced that is not there (seen on v1.35.4).
fn replace(document: &mut Value, path: &str, value: Value) -> Option<()> {
    if let Some(slot) = document.pointer_mut(path) {
        *slot = value;
        return Some(());
    }
    let (parent, last) = split(path)?;
    document.pointer_mut(parent)?.as_object_mut()?.insert(last, value);
    Some(())
}

fn remove(document: &mut Value, path: &str) -> Option<Value> {
    let (parent, last) = split(path)?;
    match document.pointer_mut(parent)? {
        Value::Object(map) => map.remove(&last),
        Value::Array(items) => last.parse().ok().filter(|at: &usize| *at < items.len()).map(|at| items.remove(at)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(target: &Value, patch: &Value, expected: Option<&Value>) {
        assert_eq!(apply(target, patch).ok().as_ref(), expected, "{target} + {patch}");
    }

    #[test]
    fn operations() {
        let t = json!({"a": {"b/c": 1}, "l": [1, 2]});
        check(&t, &json!([{"op": "add", "path": "/l/1", "value": 9}]), Some(&json!({"a": {"b/c": 1}, "l": [1, 9, 2]})));
        check(&t, &json!([{"op": "add", "path": "/l/-", "value": 9}]), Some(&json!({"a": {"b/c": 1}, "l": [1, 2, 9]})));
        check(&t, &json!([{"op": "remove", "path": "/a/b~1c"}]), Some(&json!({"a": {}, "l": [1, 2]})));
        check(&t, &json!([{"op": "replace", "path": "/a", "value": 0}]), Some(&json!({"a": 0, "l": [1, 2]})));
        check(
            &t,
            &json!([{"op": "move", "from": "/l/0", "path": "/m"}]),
            Some(&json!({"a": {"b/c": 1}, "l": [2], "m": 1})),
        );
        check(
            &t,
            &json!([{"op": "copy", "from": "/l/0", "path": "/m"}]),
            Some(&json!({"a": {"b/c": 1}, "l": [1, 2], "m": 1})),
        );
        check(&t, &json!([{"op": "test", "path": "/l/0", "value": 1}]), Some(&t));
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let t = json!({"l": [1]});
        for operation in [
            json!({"op": "test", "path": "/l/0", "value": 2}),
            json!({"op": "remove", "path": "/x"}),
            json!({"op": "replace", "path": "/x/y", "value": 1}),
            json!({"op": "replace", "path": "/l/1", "value": 1}),
            json!({"op": "add", "path": "/x/y", "value": 1}),
            json!({"op": "add", "path": "/l/2", "value": 1}),
            json!({"op": "add", "path": "/x"}),
            json!({"op": "swap", "path": "/x"}),
        ] {
            check(&t, &json!([operation]), None);
        }
        check(&t, &json!({}), None);
    }
}
