//! Does the simulated Velero behave as the real one? The suite that both pass; `e2e` plays it on the real server.

use testbed::velero_suite::{failing, order, parallel, queue, snapshots};

#[tokio::test]
async fn order_of_hooks_and_cuts() {
    order::SUBJECT.simulated().await;
}

#[tokio::test]
async fn failing_hooks() {
    failing::SUBJECT.simulated().await;
}

#[tokio::test]
async fn several_workers() {
    parallel::SUBJECT.simulated().await;
}

#[tokio::test]
async fn slow_and_failing_snapshots() {
    snapshots::SUBJECT.simulated().await;
}

#[tokio::test]
async fn queue_and_restarts() {
    queue::SUBJECT.simulated().await;
}
