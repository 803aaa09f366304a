//! Does every panel of the Kibana dashboard find what a night's documents hold, under the index template?
//!
//! A visualization's aggregations are turned into the request that Kibana makes of them; only the kinds that the dashboard uses are
//! known here.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::metric_names::read;
use crate::opensearch::Store;

/// The panels that the original named, by its ids, and its dashboard.
const ORIGINAL: [&str; 4] =
    ["velero-backup-status", "velero-throttling-events", "velero-snapshot-duration", "velero-backup-logs"];
const DASHBOARD: &str = "velero-backups";

/// The panel of Backups' ends, and the key under which Kibana puts what has no verdict: a Backup that failed, a group without its hooks.
const STATUS: &str = "velero-backup-status";
const MISSING: &str = "__missing__";

const INDEX: &str = "velero-backups-2026.11.23";

fn saved_objects() -> Vec<Value> {
    read("elastic/kibana.ndjson").lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

/// The template; `OpenSearch` has no setting for Elasticsearch's lifecycle policies, so that one is looked at and taken out.
fn template() -> Value {
    let mut template: Value = serde_json::from_str(&read("elastic/index-template.json")).expect("JSON");
    let settings = template["template"]["settings"].as_object_mut().expect("settings");
    assert_eq!(settings.remove("index.lifecycle.name"), Some(json!("velero-backups")));
    template
}

/// The type of a mapped field, `keyword` for instance.
fn mapped(template: &Value, path: &str) -> Option<String> {
    let mut at = &template["template"]["mappings"];
    for part in path.split('.') {
        at = match (&at["properties"][part], &at["fields"][part]) {
            (Value::Null, Value::Null) => return None,
            (Value::Null, field) => field,
            (property, _) => property,
        };
    }
    at["type"].as_str().map(str::to_owned)
}

fn parsed(text: &Value) -> Value {
    serde_json::from_str(text.as_str().expect("text")).expect("JSON in a text")
}

fn query(object: &Value) -> String {
    let source = parsed(&object["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"]);
    assert_eq!(source["query"]["language"], "lucene", "only that language is known here: {object}");
    source["query"]["query"].as_str().expect("a query").to_owned()
}

/// Fields that a lucene query names.
fn asked_fields(query: &str) -> BTreeSet<&str> {
    query.split(|c: char| c.is_whitespace() || c == '(').filter_map(|word| Some(word.split_once(':')?.0)).collect()
}

/// Kibana's request for a visualization: its buckets nested in their order, its metrics inside the innermost.
fn request(state: &Value) -> Value {
    let (mut buckets, mut metrics) = (Vec::new(), Map::new());
    for agg in state["aggs"].as_array().expect("aggs") {
        let (id, params) = (agg["id"].as_str().expect("an id"), &agg["params"]);
        let field = &params["field"];
        match agg["type"].as_str().expect("a type") {
            "count" => {}
            kind @ ("max" | "avg") => drop(metrics.insert(id.to_owned(), json!({kind: {"field": field}}))),
            "percentiles" => {
                let percents = &params["percents"];
                metrics.insert(id.to_owned(), json!({"percentiles": {"field": field, "percents": percents}}));
            }
            "date_histogram" => {
                let of = json!({"field": field, "fixed_interval": "1m", "min_doc_count": params["min_doc_count"]});
                buckets.push((id, json!({"date_histogram": of})));
            }
            "terms" => {
                let order = json!({"_count": params["order"]});
                let mut of = json!({"field": field, "size": params["size"], "order": order});
                if params["missingBucket"] == true {
                    of["missing"] = json!(MISSING);
                }
                buckets.push((id, json!({"terms": of})));
            }
            other => panic!("aggregation {other}: teach this test what Kibana asks for it"),
        }
    }
    let mut inner = Value::Object(metrics);
    for (id, mut bucket) in buckets.into_iter().rev() {
        if inner.as_object().is_some_and(|aggs| !aggs.is_empty()) {
            bucket["aggs"] = inner;
        }
        inner = json!({id: bucket});
    }
    inner
}

/// The first path down: every level has a bucket, and the metrics inside have values.
fn filled(aggregations: &Value, title: &str) {
    for (id, found) in aggregations.as_object().expect("aggregations") {
        if let Some(buckets) = found["buckets"].as_array() {
            let first = buckets.first().unwrap_or_else(|| panic!("{title}: aggregation {id} has no bucket"));
            let nested: Map<String, Value> =
                first.as_object().expect("a bucket").iter().filter(|(_, v)| v.is_object()).map(owned).collect();
            filled(&Value::Object(nested), title);
        } else if let Some(values) = found.get("values") {
            assert!(values.as_object().is_some_and(|values| values.values().any(Value::is_number)), "{title}: {found}");
        } else {
            assert!(found["value"].is_number(), "{title}: metric {id} has no value: {found}");
        }
    }
}

fn owned((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

/// Indexes `documents` and asks what each panel asks.
pub async fn check(store: &Store, documents: &[Value]) {
    let template = template();
    store.ask("PUT", "/_index_template/velero-backups", &template.to_string()).await;
    let into = json!({"index": {"_index": INDEX}});
    let bulk = documents.iter().flat_map(|document| [into.to_string(), document.to_string()]);
    let bulk = bulk.map(|line| line + "\n").collect::<String>();
    let answer = store.ask("POST", "/_bulk?refresh=true", &bulk).await;
    assert_eq!(answer["errors"], false, "{answer}");
    let mut shown = 0;
    for object in saved_objects() {
        let (kind, title) = (object["type"].as_str().expect("a type"), &object["attributes"]["title"]);
        let title = title.as_str().expect("a title");
        let aggs = match kind {
            "visualization" => request(&parsed(&object["attributes"]["visState"])),
            "search" => json!({}),
            _ => continue,
        };
        let query = query(&object);
        let text = if query.is_empty() { json!({"match_all": {}}) } else { json!({"query_string": {"query": query}}) };
        let body = json!({"size": 0, "track_total_hits": true, "query": text, "aggs": aggs});
        let answer = store.ask("POST", "/velero-backups-*/_search", &body.to_string()).await;
        assert_eq!(answer["_shards"]["failed"], 0, "{title}: {answer}");
        assert!(answer["hits"]["total"]["value"].as_u64() > Some(0), "{title} finds nothing: {body}");
        let aggregations = answer.get("aggregations").cloned().unwrap_or_else(|| json!({}));
        filled(&aggregations, title);
        if object["id"] == STATUS {
            assert!(aggregations.to_string().contains(MISSING), "{title} shows no group without its hooks: {answer}");
        }
        shown += 1;
    }
    assert!(shown > ORIGINAL.len(), "{shown}");
}

#[test]
fn the_dashboard_has_all_its_panels_and_the_original_s_four() {
    let objects = saved_objects();
    let ids: BTreeSet<(String, String)> = objects.iter().map(key).collect();
    assert_eq!(ids.len(), objects.len(), "two objects of one id");
    for object in &objects {
        for reference in object["references"].as_array().expect("references") {
            assert!(ids.contains(&key(reference)), "{}: {reference} is not in the file", object["id"]);
        }
    }
    let dashboard = objects.iter().find(|o| o["id"] == DASHBOARD && o["type"] == "dashboard").expect("the dashboard");
    let panels = parsed(&dashboard["attributes"]["panelsJSON"]);
    let named: BTreeSet<&str> =
        panels.as_array().expect("panels").iter().filter_map(|p| p["panelRefName"].as_str()).collect();
    let references = dashboard["references"].as_array().expect("references");
    assert_eq!((named.len(), panels.as_array().map(Vec::len)), (references.len(), Some(references.len())));
    for reference in references {
        let name = reference["name"].as_str().expect("a name");
        let (_, panel) = name.split_once(':').expect("<index>:<panel>");
        assert!(named.contains(panel), "{name}");
    }
    let shown: BTreeSet<&str> = references.iter().filter_map(|r| r["id"].as_str()).collect();
    assert!(ORIGINAL.iter().all(|id| shown.contains(id)), "{shown:?}");
}

fn key(object: &Value) -> (String, String) {
    let text = |field: &str| object[field].as_str().expect("text").to_owned();
    (text("type"), text("id"))
}

/// A field that is not mapped is kept and cannot be asked for: a panel would be empty for ever.
#[test]
fn every_field_that_a_panel_asks_for_is_mapped() {
    let template = template();
    let mut asked = BTreeSet::from(["@timestamp".to_owned()]);
    for object in saved_objects() {
        match object["type"].as_str() {
            Some("visualization") => {
                let state = parsed(&object["attributes"]["visState"]);
                let aggs = state["aggs"].as_array().expect("aggs");
                asked.extend(aggs.iter().filter_map(|agg| agg["params"]["field"].as_str()).map(str::to_owned));
                for field in
                    aggs.iter().filter(|agg| agg["type"] == "terms").filter_map(|a| a["params"]["field"].as_str())
                {
                    assert_eq!(mapped(&template, field).as_deref(), Some("keyword"), "{field}");
                }
            }
            Some("search") => {
                let columns = object["attributes"]["columns"].as_array().expect("columns");
                asked.extend(columns.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            _ => continue,
        }
        asked.extend(asked_fields(&query(&object)).into_iter().map(str::to_owned));
    }
    assert!(asked.len() > 8, "{asked:?}");
    for field in asked {
        assert!(mapped(&template, &field).is_some(), "{field} is not in elastic/index-template.json");
    }
}

#[test]
fn the_lifecycle_policy_has_an_end() {
    let policy: Value = serde_json::from_str(&read("elastic/lifecycle-policy.json")).expect("JSON");
    assert_eq!(policy["policy"]["phases"]["delete"]["actions"]["delete"], json!({}));
}
