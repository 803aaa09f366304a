//! What the two operations answer.

use ciborium::Value;

use super::cbor::{at, map, moment, read, seconds, text};
use super::{Metric, Refusal, Settings};

/// Answers an operation.
pub fn to(operation: &str, body: &[u8], settings: &Settings) -> Result<Value, Refusal> {
    let request = read(body).ok_or(Refusal::Unreadable)?;
    match operation {
        "ListMetrics" => Ok(list(&request, settings)),
        "GetMetricData" => data(&request, settings),
        _ => Err(Refusal::UnknownOperation),
    }
}

/// Where a page begins; a token is the number of the first thing on it.
fn from(request: &Value) -> usize {
    text(request, "NextToken").and_then(|token| token.parse().ok()).unwrap_or(0)
}

fn next(from: usize, page: usize, of: usize) -> Option<Value> {
    let next = from.saturating_add(page);
    (next < of).then(|| Value::from(next.to_string()))
}

fn list(request: &Value, settings: &Settings) -> Value {
    let asked = |metric: &&Metric| {
        text(request, "Namespace").is_none_or(|namespace| namespace == metric.namespace)
            && text(request, "MetricName").is_none_or(|name| name == metric.name)
    };
    let found: Vec<&Metric> = settings.metrics.iter().filter(asked).collect();
    let from = from(request);
    let page = found.iter().skip(from).take(settings.page).map(|metric| {
        map([
            ("Namespace", Some(Value::from(metric.namespace.clone()))),
            ("MetricName", Some(Value::from(metric.name.clone()))),
            ("Dimensions", Some(Value::Array(metric.dimensions.iter().map(dimension).collect()))),
        ])
    });
    let page = Value::Array(page.collect());
    map([("Metrics", Some(page)), ("NextToken", next(from, settings.page, found.len()))])
}

fn dimension((name, value): &(String, String)) -> Value {
    map([("Name", Some(Value::from(name.clone()))), ("Value", Some(Value::from(value.clone())))])
}

fn data(request: &Value, settings: &Settings) -> Result<Value, Refusal> {
    let missing = |what: &str| Refusal::MissingParameter(what.to_owned());
    let query = at(request, "MetricDataQueries").and_then(Value::as_array).and_then(|queries| queries.first());
    let query = query.ok_or_else(|| missing("MetricDataQueries"))?;
    let id = text(query, "Id").ok_or_else(|| missing("Id"))?;
    let stat = at(query, "MetricStat").ok_or_else(|| missing("MetricStat"))?;
    let asked = at(stat, "Metric").ok_or_else(|| missing("Metric"))?;
    let period = at(stat, "Period").and_then(Value::as_integer).and_then(|period| i64::try_from(period).ok());
    let period = period.filter(|period| *period > 0).ok_or_else(|| missing("Period"))?;
    if text(stat, "Stat") != Some("Sum") {
        return Err(missing("Stat"));
    }
    let from_s = seconds(request, "StartTime").ok_or_else(|| missing("StartTime"))?;
    let until_s = seconds(request, "EndTime").ok_or_else(|| missing("EndTime"))?;
    let dimensions = at(asked, "Dimensions").and_then(Value::as_array).cloned().unwrap_or_default();
    // All dimensions must match, as in CloudWatch.
    let fits = |metric: &&Metric| {
        text(asked, "Namespace") == Some(metric.namespace.as_str())
            && text(asked, "MetricName") == Some(metric.name.as_str())
            && metric.dimensions.len() == dimensions.len()
            && metric.dimensions.iter().all(|known| dimensions.contains(&dimension(known)))
    };
    let minutes = settings.metrics.iter().find(fits).map(|metric| metric.points.clone()).unwrap_or_default();
    let mut sums: Vec<(i64, f64)> = Vec::new();
    for (at, sum) in minutes.into_iter().filter(|(at, _)| (from_s..until_s).contains(at)) {
        let begin = at - at.rem_euclid(period);
        match sums.iter_mut().find(|(known, _)| *known == begin) {
            Some((_, known)) => *known += sum,
            None => sums.push((begin, sum)),
        }
    }
    sums.sort_by_key(|(at, _)| -at);
    if text(request, "ScanBy") == Some("TimestampAscending") {
        sums.reverse();
    }
    let from = from(request);
    let page: Vec<_> = sums.iter().skip(from).take(settings.page).collect();
    let result = map([
        ("Id", Some(Value::from(id))),
        ("Label", Some(Value::from("RequestLimitExceeded"))),
        ("Timestamps", Some(Value::Array(page.iter().map(|(at, _)| moment(*at)).collect()))),
        ("Values", Some(Value::Array(page.iter().map(|(_, sum)| Value::Float(*sum)).collect()))),
        ("StatusCode", Some(Value::from("Complete"))),
    ]);
    Ok(map([
        ("MetricDataResults", Some(Value::Array(vec![result]))),
        ("Messages", Some(Value::Array(vec![]))),
        ("NextToken", next(from, settings.page, sums.len())),
    ]))
}
