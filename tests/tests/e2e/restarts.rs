//! The server or a coordinator dies in the middle: does the round end, and is the next night as any other?

use testbed::pair::{Pair, PairOptions, stories};

use crate::run::isolated;

#[test]
fn velero_killed_in_mid_backup_leaves_nothing_held() {
    isolated(async || {
        stories::velero_dies_in_mid_backup(Pair::start_real(PairOptions::real("velero-dies", 5)).await?).await
    });
}

#[test]
fn a_coordinator_killed_in_mid_round_loses_nothing() {
    isolated(async || {
        let pair = Pair::start_real(PairOptions::real("coordinator-dies", 5)).await?;
        stories::a_coordinator_is_killed_in_mid_round(pair).await
    });
}

#[test]
fn the_second_coordinator_takes_over_in_mid_round() {
    isolated(async || {
        let pair = Pair::start_real(PairOptions::real("takes-over", 5)).await?;
        stories::the_second_coordinator_takes_over(pair).await
    });
}
