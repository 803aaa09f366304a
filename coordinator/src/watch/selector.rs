//! How a label selector of the API becomes the core's.

use std::collections::BTreeSet;

use coordinator_core::objects::{Requirement, Selector};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

/// All terms of both halves, as one conjunction.
pub fn reduce(selector: LabelSelector) -> Selector {
    let LabelSelector { match_labels, match_expressions } = selector;
    let labels = match_labels.unwrap_or_default().into_iter();
    let equal = labels.map(|(key, value)| Requirement::In(key, BTreeSet::from([value])));
    equal.chain(match_expressions.unwrap_or_default().into_iter().map(requirement)).collect()
}

fn requirement(expression: LabelSelectorRequirement) -> Requirement {
    let LabelSelectorRequirement { key, operator, values } = expression;
    let values: BTreeSet<String> = values.unwrap_or_default().into_iter().collect();
    match operator.as_str() {
        "NotIn" => Requirement::NotIn(key, values),
        "Exists" => Requirement::Exists(key),
        "DoesNotExist" => Requirement::DoesNotExist(key),
        "In" => Requirement::In(key, values),
        // Velero fails such a Backup: it selects nothing.
        _ => Requirement::In(key, BTreeSet::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_operator_is_read() {
        let selector = json!({
            "matchLabels": {"a": "1"},
            "matchExpressions": [
                {"key": "b", "operator": "In", "values": ["2", "3"]},
                {"key": "c", "operator": "NotIn", "values": ["4"]},
                {"key": "d", "operator": "Exists"},
                {"key": "e", "operator": "DoesNotExist"},
                {"key": "f", "operator": "Near", "values": ["5"]},
            ],
        });
        let set = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(
            reduce(serde_json::from_value(selector).unwrap()),
            [
                Requirement::In("a".to_owned(), set(&["1"])),
                Requirement::In("b".to_owned(), set(&["2", "3"])),
                Requirement::NotIn("c".to_owned(), set(&["4"])),
                Requirement::Exists("d".to_owned()),
                Requirement::DoesNotExist("e".to_owned()),
                Requirement::In("f".to_owned(), set(&[])),
            ]
        );
        assert!(reduce(LabelSelector::default()).is_empty());
    }
}
