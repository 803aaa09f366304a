//! Pods that go, or come again under the same name, while their group is cut.

use testbed::pair::{Pair, PairOptions, stories};

use crate::run::isolated;

#[test]
fn a_pod_deleted_in_mid_round_frees_its_share() {
    isolated(async || {
        stories::a_pod_is_deleted_in_mid_round(Pair::start_real(PairOptions::real("pod-deleted", 5)).await?).await
    });
}

#[test]
fn a_pod_that_comes_again_in_mid_round_is_another_pod() {
    isolated(async || {
        stories::a_pod_comes_again_in_mid_round(Pair::start_real(PairOptions::real("pod-replaced", 5)).await?).await
    });
}
