//! One question: which periods does CloudWatch have of the metric?

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric as AwsMetric, MetricDataQuery, MetricStat, ScanBy, StatusCode};
use coordinator_core::throttle::cloudwatch::{Answer, POINT_OLD_MS, Point};
use shared::time::WallTime;

use super::dimensions::{Dimensions, Finder};
use super::trouble::said;
use super::{Metric, Operation};
use crate::clock::Clock;

/// Pages of one question: a page holds 100,800 values, and some dozen are asked for.
const PAGES_MAX: usize = 5;
/// Values that are kept of one question.
const POINTS_MAX: usize = 1_000;
/// The id of the one query.
const QUERY: &str = "throttled";

/// Asks.
pub struct Asker {
    client: Client,
    metric: Metric,
    finder: Finder,
}

impl Asker {
    /// One that has not asked yet.
    pub fn new(client: Client, metric: Metric) -> Self {
        Self { finder: Finder::new(metric.clone()), client, metric }
    }

    /// Asks once.
    pub async fn ask(&mut self) -> Answer {
        match self.finder.find(&self.client).await {
            Err(why) => Answer::Failed(why),
            Ok(Dimensions::None(what)) => Answer::NoSuchMetric(what),
            Ok(Dimensions::Are(dimensions)) => self.points(&dimensions).await,
        }
    }

    async fn points(&self, dimensions: &[Dimension]) -> Answer {
        let now_s = Clock::wall().as_micros() / 1_000_000;
        let period_s = i64::from(self.metric.period_s);
        // Whole periods, as CloudWatch aligns them: one that has begun is not asked for.
        let end_s = now_s - now_s.rem_euclid(period_s);
        let start_s = end_s - (POINT_OLD_MS / 1_000).max(period_s) - period_s;
        let metric = AwsMetric::builder()
            .namespace(&self.metric.namespace)
            .metric_name(&self.metric.name)
            .set_dimensions(Some(dimensions.to_vec()))
            .build();
        let period = i32::try_from(self.metric.period_s).unwrap_or(i32::MAX);
        let stat = MetricStat::builder().metric(metric).period(period).stat("Sum").build();
        let query = MetricDataQuery::builder().id(QUERY).metric_stat(stat).return_data(true).build();
        let mut points = Vec::new();
        let mut token = None;
        for _page in 0..PAGES_MAX {
            let call =
                self.client.get_metric_data().metric_data_queries(query.clone()).scan_by(ScanBy::TimestampDescending);
            let call = call.start_time(DateTime::from_secs(start_s)).end_time(DateTime::from_secs(end_s));
            let page = match call.set_next_token(token).send().await {
                Ok(page) => page,
                Err(error) => return Answer::Failed(said(Operation::GetMetricData, &error)),
            };
            for result in page.metric_data_results().iter().filter(|result| result.id() == Some(QUERY)) {
                if matches!(result.status_code(), Some(StatusCode::Forbidden | StatusCode::InternalError)) {
                    let why = result.messages().iter().find_map(|message| message.value()).unwrap_or("no reason given");
                    return Answer::Failed(format!("CloudWatch does not read the metric: {why}"));
                }
                let values = result.timestamps().iter().zip(result.values());
                points.extend(values.map(|(at, value)| point(*at, period_s, *value)).take(POINTS_MAX));
            }
            points.truncate(POINTS_MAX);
            token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        if points.is_empty() { Answer::NoSuchMetric(self.nothing()) } else { Answer::Points(points) }
    }

    fn nothing(&self) -> String {
        format!(
            "CloudWatch has no value of {} in the last minutes (for a metric that does not exist it says the same)",
            self.metric.shown()
        )
    }
}

/// A period by its start, as CloudWatch names it.
fn point(start: DateTime, period_s: i64, value: f64) -> Point {
    let until = WallTime::from_micros(start.secs().saturating_add(period_s).saturating_mul(1_000_000));
    Point::new(until, value)
}
