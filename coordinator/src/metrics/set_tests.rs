use super::*;

#[test]
fn names_follow_the_conventions_and_end_with_eof() {
    let metrics = Metrics::new();
    metrics.answered(&RequestLine { verb: "list", resource: "pods".to_owned() }, Answer::Status(200));
    metrics.watch_restarted(Kind::Pods);
    metrics.leading(true);
    let text = metrics.text();
    for line in [
        "snapshot_coordinator_leader 1",
        "snapshot_coordinator_api_requests_total{verb=\"list\",resource=\"pods\",code=\"200\"} 1",
        "snapshot_coordinator_watch_restarts_total{resource=\"pods\"} 1",
        "# TYPE snapshot_coordinator_round_wait_seconds histogram",
        "# UNIT snapshot_coordinator_skew_seconds seconds",
        "# TYPE snapshot_coordinator_lease_invalid counter",
        "snapshot_coordinator_rounds_total{verdict=\"crash-consistent\"} 0",
        "snapshot_coordinator_admissions_total{admission=\"unreachable\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}
