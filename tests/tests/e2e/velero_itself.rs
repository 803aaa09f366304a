//! Does the real Velero behave as the design stands on and as the simulator plays it? Without the product: the suite that both pass.

use testbed::velero_suite::{failing, order, parallel, queue, snapshots};

use crate::run::isolated;

#[test]
fn order_of_hooks_and_cuts() {
    isolated(async || order::SUBJECT.real().await);
}

#[test]
fn failing_hooks() {
    isolated(async || failing::SUBJECT.real().await);
}

#[test]
fn several_workers() {
    isolated(async || parallel::SUBJECT.real().await);
}

#[test]
fn slow_and_failing_snapshots() {
    isolated(async || snapshots::SUBJECT.real().await);
}

#[test]
fn queue_and_restarts() {
    isolated(async || queue::SUBJECT.real().await);
}
