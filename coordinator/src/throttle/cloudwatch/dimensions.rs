//! Which dimensions has the metric? Set by the user, or found by `ListMetrics`: AWS documents the metric and not its dimensions' names.

use std::time::{Duration, Instant};

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::Dimension;

use super::trouble::said;
use super::{Metric, Operation};

/// What was found is looked for anew after this long: dimensions do not change.
const FOUND_FOR: Duration = Duration::from_hours(24);
/// What was not found, after this long: a metric appears in the list with its first value, some 15 minutes late.
const MISSING_FOR: Duration = Duration::from_mins(10);
/// Pages of one list: a page holds 500 metrics, and EC2 has some hundred actions.
const PAGES_MAX: usize = 20;
/// The call whose throttling is looked for: the value of one of the dimensions.
const ACTION: &str = "CreateSnapshot";

/// What is known of the dimensions.
#[derive(Clone, Debug)]
pub enum Dimensions {
    /// These.
    Are(Vec<Dimension>),
    /// There is no such metric; what was looked for, and what to do.
    None(String),
}

/// Finds them, and remembers.
pub struct Finder {
    metric: Metric,
    known: Option<(Instant, Dimensions)>,
}

impl Finder {
    /// One that has not looked yet.
    pub fn new(metric: Metric) -> Self {
        Self { metric, known: None }
    }

    /// The dimensions; errs with why they cannot be found out.
    pub async fn find(&mut self, client: &Client) -> Result<Dimensions, String> {
        if !self.metric.dimensions.is_empty() {
            let dimension = |(name, value): &(String, String)| Dimension::builder().name(name).value(value).build();
            return Ok(Dimensions::Are(self.metric.dimensions.iter().map(dimension).collect()));
        }
        let fresh = |(at, known): &(Instant, Dimensions)| {
            at.elapsed() < if matches!(known, Dimensions::Are(_)) { FOUND_FOR } else { MISSING_FOR }
        };
        if let Some((_, known)) = self.known.as_ref().filter(|known| fresh(known)) {
            return Ok(known.clone());
        }
        let found = self.list(client).await?;
        self.known = Some((Instant::now(), found.clone()));
        Ok(found)
    }

    async fn list(&self, client: &Client) -> Result<Dimensions, String> {
        let mut best: Option<Vec<Dimension>> = None;
        let mut token = None;
        for _page in 0..PAGES_MAX {
            let call = client.list_metrics().namespace(&self.metric.namespace).metric_name(&self.metric.name);
            let page = call.set_next_token(token).send().await.map_err(|error| said(Operation::ListMetrics, &error))?;
            for metric in page.metrics() {
                let dimensions = metric.dimensions();
                let is_ours = dimensions.iter().any(|dimension| dimension.value() == Some(ACTION));
                // The fewest dimensions: what is split further says less.
                if is_ours && best.as_ref().is_none_or(|best| dimensions.len() < best.len()) {
                    best = Some(dimensions.to_vec());
                }
            }
            token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        Ok(best.map_or_else(|| Dimensions::None(self.missing()), Dimensions::Are))
    }

    fn missing(&self) -> String {
        format!(
            "CloudWatch lists no {} with a dimension {ACTION}: AWS Support switches EC2's API metrics on for each account and Region; \
             or name another metric (--cloudwatch-namespace, --cloudwatch-metric, --cloudwatch-dimensions)",
            self.metric.shown()
        )
    }
}
