//! What CloudWatch tells, through the real SDK, and what it may refuse.

use testbed::aws::cloudwatch::{CloudWatch, Metric, Refusal, Settings};
use testbed::coordinator_bed::CoordinatorBed;
use testbed::coordinator_process::CoordinatorProcess;

use crate::place::{SOON, bed, leading, limiter, signal};

/// What a test sets in the stand-in.
type Change = Box<dyn FnOnce(&mut Settings)>;

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "secret")];

async fn asking(bed: &CoordinatorBed, cloudwatch: &CloudWatch, flags: &[&str]) -> CoordinatorProcess {
    let url = cloudwatch.url();
    let variables = [KEYS[0], KEYS[1], ("AWS_REGION", "us-east-1"), ("AWS_ENDPOINT_URL_CLOUDWATCH", &url)];
    leading(bed, &[&["--cloudwatch", "true", "--max-concurrent-snapshots", "8"], flags].concat(), &variables).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_account_halves_the_budget_and_only_two_actions_are_called() {
    let bed = bed().await;
    let others =
        ["CreateTags", "DeleteSnapshot", "DescribeVolumes"].map(|action| Metric::throttled(&[9.0]).of_action(action));
    let cloudwatch = CloudWatch::start(others.into_iter().chain([Metric::throttled(&[12.0, 0.0, 0.0])]).collect());
    // One metric a page, and one value: the one that is meant is on the last.
    cloudwatch.change(|settings| settings.page = 1);
    let _coordinator = asking(&bed, &cloudwatch, &[]).await;
    let lease = limiter(&bed, "a halved limit", |lease| lease.limit == 4).await;
    assert!(lease.why.contains("CloudWatch AWS/EC2/API RequestLimitExceeded was 12"), "{}", lease.why);
    let mut calls = cloudwatch.calls();
    assert!(calls.len() >= 4 + 3, "pages were turned: {calls:?}");
    calls.sort_unstable();
    calls.dedup();
    assert_eq!(calls, ["GetMetricData", "ListMetrics"], "docs/cloudwatch.md allows these and no other");
}

#[tokio::test(flavor = "multi_thread")]
async fn zero_is_calm_and_nothing_is_not() {
    for (metrics, level, part) in [
        (vec![Metric::throttled(&[0.0, 5.0])], "calm", "was 0"),
        (vec![Metric::throttled(&[])], "unknown", "has no value"),
        (vec![], "unknown", "AWS Support switches EC2's API metrics on"),
        (vec![Metric::throttled(&[f64::NAN])], "unknown", "NaN"),
        (vec![Metric::throttled(&[-3.0])], "unknown", "-3"),
        (vec![Metric::throttled(&[1e300])], "unknown", "not a count"),
    ] {
        let bed = bed().await;
        let cloudwatch = CloudWatch::start(metrics);
        let _coordinator = asking(&bed, &cloudwatch, &[]).await;
        let note = signal(&bed, "cloudwatch", |note| note.heard_at.is_some()).await;
        assert!(note.level == level && note.evidence.contains(part), "{note:?}");
        assert_eq!(limiter(&bed, "the Lease", |_| true).await.limit, 8);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_says_what_to_do_and_nobody_waits() {
    let refuse = |refusal: Refusal| move |settings: &mut Settings| settings.refusal = Some(refusal);
    let denied_data = |settings: &mut Settings| {
        settings.refusal = Some(Refusal::AccessDenied);
        settings.refused = vec!["GetMetricData".to_owned()];
    };
    let cases: [(Change, &str); 5] = [
        (Box::new(refuse(Refusal::AccessDenied)), "cloudwatch:ListMetrics"),
        (Box::new(denied_data), "cloudwatch:GetMetricData"),
        (Box::new(refuse(Refusal::Expired)), "expired"),
        (Box::new(refuse(Refusal::Throttled)), "asked again in a minute"),
        (Box::new(refuse(Refusal::Internal)), "InternalServiceFault"),
    ];
    for (change, part) in cases {
        let bed = bed().await;
        let cloudwatch = CloudWatch::start(vec![Metric::throttled(&[4.0])]);
        cloudwatch.change(change);
        let coordinator = asking(&bed, &cloudwatch, &[]).await;
        let note = signal(&bed, "cloudwatch", |note| note.health == "failing").await;
        assert!(note.evidence.contains(part), "{part}: {note:?}");
        coordinator.line("signal_health", SOON, |line| line["source"] == "cloudwatch" && line["works"] == false).await;
        assert_eq!(limiter(&bed, "the Lease", |_| true).await.limit, 8);
        assert_eq!(coordinator.get("/readyz").await.status, 200);
    }
}

/// The SDK may take the service's clock from its refusal and sign anew; where it does not, the clock is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_an_hour_off_hides_no_throttling() {
    let bed = bed().await;
    let cloudwatch = CloudWatch::start(vec![Metric::throttled(&[4.0])]);
    cloudwatch.change(|settings| settings.ahead_s = 3_600);
    let _coordinator = asking(&bed, &cloudwatch, &[]).await;
    let note = signal(&bed, "cloudwatch", |note| note.heard_at.is_some()).await;
    let is_named = note.health == "failing" && note.evidence.contains("clock");
    assert!(is_named || note.level == "throttled", "{note:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_or_in_another_region_it_says_so() {
    let bed = bed().await;
    let cloudwatch = CloudWatch::start(vec![Metric::throttled(&[4.0])]);
    let url = cloudwatch.url();
    let endpoint = ("AWS_ENDPOINT_URL_CLOUDWATCH", url.as_str());
    for (variables, part) in [
        (vec![("AWS_REGION", "us-east-1"), endpoint], "no AWS credentials"),
        (vec![KEYS[0], KEYS[1], ("AWS_REGION", "eu-central-1"), endpoint], "AWS_REGION"),
        (vec![KEYS[0], KEYS[1], endpoint], "set AWS_REGION"),
    ] {
        let mut coordinator = leading(&bed, &["--cloudwatch", "true"], &variables).await;
        let said = |line: &serde_json::Value| {
            line["source"] == "cloudwatch" && line["message"].as_str().is_some_and(|message| message.contains(part))
        };
        coordinator.line("signal_health", SOON, said).await;
        coordinator.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_metric_is_asked_as_it_is_named() {
    let bed = bed().await;
    let text = str::to_owned;
    let own = Metric {
        namespace: text("Team"),
        name: text("Throttles"),
        dimensions: vec![(text("Cluster"), text("a")), (text("Api"), text("CreateSnapshot"))],
        ..Metric::throttled(&[7.0])
    };
    let cloudwatch = CloudWatch::start(vec![own, Metric::throttled(&[0.0])]);
    let flags = ["--cloudwatch-namespace", "Team", "--cloudwatch-metric", "Throttles"];
    let flags =
        [&flags[..], &["--cloudwatch-dimensions", "Cluster=a,Api=CreateSnapshot", "--cloudwatch-threshold", "8"]]
            .concat();
    let _coordinator = asking(&bed, &cloudwatch, &flags).await;
    // Below the threshold.
    let note = signal(&bed, "cloudwatch", |note| note.heard_at.is_some()).await;
    assert_eq!(note.level, "calm", "{note:?}");
    assert_eq!(cloudwatch.calls(), ["GetMetricData"], "what is named is not looked for");
}
