//! Each way in which a Backup may take a group: what does the receipt say, and is it true?

use serde_json::json;
use shared::verdict::Verdict;
use testbed::pair::{HookPlan, Pair, PairOptions, group_of_set};
use testbed::velero::backup::Phase;
use testbed::velero::cluster::Workload;

use crate::run::isolated;

#[test]
fn an_ordered_block_of_three_is_group_consistent() {
    isolated(async || {
        let pair = Pair::start_real(PairOptions::real("ordered-3", 5)).await?;
        let made = pair.with(Workload::stateful_set("shop", "db", 3), &HookPlan::default()).await?;
        let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}});
        let night = pair.back_up("b", spec).await?;
        println!("{}", night.seen);
        assert!(night.phase == Phase::Completed && night.seen.is_one_block(), "{}", night.seen);
        let receipt = pair.receipt("b", &group_of_set("shop", "db")).await?;
        assert_eq!(receipt.verdict, Verdict::GroupConsistent, "{receipt:?}");
        assert_eq!(night.truth(&made).consistency.as_str(), receipt.verdict.as_str(), "{}", night.seen);
        pair.nothing_granted().await
    });
}
