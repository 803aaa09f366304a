//! What the EBS CSI driver's counters tell, and what an endpoint that is none may answer.

use testbed::driver_metrics::{Answer, DriverMetrics};

use crate::place::{SOON, bed, leading, limiter, signal};

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_call_that_shows_nowhere_else_halves_the_budget() {
    let bed = bed().await;
    let driver = DriverMetrics::start(Answer::Counts { throttles: 0, calls: 5 }).await;
    let _coordinator =
        leading(&bed, &["--max-concurrent-snapshots", "8", "--driver-metrics", &driver.url()], &[]).await;
    let idle = signal(&bed, "driver-metrics", |note| note.health == "working" && note.heard_at.is_some()).await;
    assert_eq!(idle.level, "unknown", "{idle:?}");
    driver.change(Answer::Counts { throttles: 3, calls: 9 });
    let lease = limiter(&bed, "a halved limit", |lease| lease.limit == 4).await;
    assert!(lease.why.contains("the EBS CSI driver had 3 throttled CreateSnapshot calls"), "{}", lease.why);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_endpoint_of_the_driver_is_named_and_nothing_waits_for_it() {
    for (answer, part) in [
        (Answer::Text("<!DOCTYPE html><html></html>".to_owned()), "no metrics text"),
        (Answer::Text(String::new()), "answers with nothing"),
        (Answer::Text("go_goroutines 7\n".to_owned()), "none of the EBS CSI driver"),
        (
            Answer::Text("aws_ebs_csi_api_request_throttles_total{operation_name=\"CreateSnapshot\"} NaN\n".to_owned()),
            "`NaN`, which is no count",
        ),
        (Answer::Bytes(100 * 1024 * 1024), "more than 8 MiB"),
        (Answer::Status(404), "HTTP 404"),
        (Answer::Status(429), "asked too often"),
        (Answer::Silence, "no answer within 5 s"),
    ] {
        let bed = bed().await;
        let driver = DriverMetrics::start(answer.clone()).await;
        let coordinator = leading(&bed, &["--driver-metrics", &driver.url()], &[]).await;
        let note = signal(&bed, "driver-metrics", |note| note.health == "failing").await;
        assert!(note.evidence.contains(part) && note.evidence.contains("127.0.0.1"), "{answer:?}: {note:?}");
        let line = coordinator.line("signal_health", SOON, |line| line["source"] == "driver-metrics").await;
        assert_eq!(line["works"], false, "{line}");
        assert_eq!(limiter(&bed, "the Lease", |_| true).await.limit, 5);
        assert_eq!(coordinator.get("/readyz").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_pod_of_the_driver_discovery_says_what_it_looked_for() {
    let bed = bed().await;
    let _coordinator = leading(&bed, &["--driver-metrics", "discover"], &[]).await;
    let note = signal(&bed, "driver-metrics", |note| note.health == "failing").await;
    assert!(note.evidence.contains("kube-system") && note.evidence.contains("app=ebs-csi-controller"), "{note:?}");
}
