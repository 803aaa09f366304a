//! Asks CloudWatch about one metric of throttled calls, once a minute while this process leads.
//!
//! Two actions, [`Operation::ALL`], and no other: the IAM policy in docs/cloudwatch.md is made from them.

mod ask;
mod dimensions;
mod trouble;

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_cloudwatch::Client;
use aws_smithy_http_client::tls;
use coordinator_core::throttle::cloudwatch::Answer;
use coordinator_core::throttle::signals::Signal;
use tokio::time::{sleep, timeout};

use super::{Leading, tell, until_leading};
use crate::input::Inbox;
use ask::Asker;

/// Between two questions: the metric has a value a minute. 43,800 metrics a month.
const EVERY: Duration = Duration::from_mins(1);
/// One call, all its tries together: a question that takes longer is asked again.
const CALL: Duration = Duration::from_secs(15);
/// One question with all its pages.
const QUESTION: Duration = Duration::from_secs(45);
/// Tries of one call.
const TRIES_MAX: u32 = 2;

/// What of CloudWatch is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Finds the metric's dimensions.
    ListMetrics,
    /// Reads it.
    GetMetricData,
}

impl Operation {
    /// All that is ever called.
    #[cfg(test)]
    pub const ALL: [Self; 2] = [Self::GetMetricData, Self::ListMetrics];

    /// The IAM action that it needs.
    pub const fn action(self) -> &'static str {
        match self {
            Self::ListMetrics => "cloudwatch:ListMetrics",
            Self::GetMetricData => "cloudwatch:GetMetricData",
        }
    }
}

/// The metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its dimensions; without any they are looked for.
    pub dimensions: Vec<(String, String)>,
    /// The length of a period, s.
    pub period_s: u32,
    /// The region; without one, as the AWS SDKs find it.
    pub region: Option<String>,
}

impl Metric {
    /// For people.
    pub fn shown(&self) -> String {
        format!("{} {}", self.namespace, self.name)
    }
}

/// Asks while this process leads, until nobody listens any more.
pub async fn run(metric: Metric, inbox: Inbox, mut leading: Leading) {
    let mut asker: Option<Asker> = None;
    while until_leading(&mut leading).await {
        // Credentials are looked for when they are needed first: without them everything else goes on.
        let asker = match &mut asker {
            Some(asker) => asker,
            None => asker.insert(Asker::new(client(metric.region.clone()).await, metric.clone())),
        };
        let answer = timeout(QUESTION, asker.ask()).await.unwrap_or_else(|_elapsed| {
            Answer::Failed(format!("CloudWatch gives no answer within {} s", QUESTION.as_secs()))
        });
        if !tell(&inbox, Signal::CloudWatch(answer)).await {
            return;
        }
        sleep(EVERY).await;
    }
}

async fn client(region: Option<String>) -> Client {
    let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    let http = aws_smithy_http_client::Builder::new().tls_provider(ring).build_https();
    let timeouts = TimeoutConfig::builder().operation_timeout(CALL).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .retry_config(RetryConfig::standard().with_max_attempts(TRIES_MAX))
        .timeout_config(timeouts);
    if let Some(region) = region {
        loader = loader.region(Region::new(region));
    }
    Client::new(&loader.load().await)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const DOCUMENT: &str = include_str!("../../../../docs/cloudwatch.md");

    /// The policy that lets exactly these calls through.
    fn policy() -> Value {
        let actions: Vec<&str> = Operation::ALL.iter().map(|operation| operation.action()).collect();
        // Neither action knows resources (Service Authorization Reference, "Actions, resources, and condition keys for CloudWatch").
        let statement = json!({"Sid": "ReadThrottleMetric", "Effect": "Allow", "Action": actions, "Resource": "*"});
        json!({"Version": "2012-10-17", "Statement": [statement]})
    }

    #[test]
    fn the_documented_policy_allows_what_is_called_and_nothing_else() {
        let blocks =
            DOCUMENT.split("```json\n").skip(1).filter_map(|rest| rest.split_once("\n```").map(|(json, _)| json));
        let documents: Vec<Value> =
            blocks.map(|block| serde_json::from_str(block).expect("JSON in the documentation")).collect();
        assert!(documents.contains(&policy()), "docs/cloudwatch.md lacks {:#}", policy());
        // The other documents trust; none of them allows anything of CloudWatch.
        let others = documents.iter().filter(|document| **document != policy());
        assert!(
            others.clone().count() >= 2 && others.clone().all(|document| !document.to_string().contains("cloudwatch:"))
        );
    }

    #[test]
    fn the_documented_cost_is_what_the_calls_cost() {
        let a_month = Duration::from_hours(730).as_secs() / EVERY.as_secs();
        assert_eq!(a_month, 43_800);
        assert!(DOCUMENT.contains("43,800") && DOCUMENT.contains("$0.44"));
    }
}
