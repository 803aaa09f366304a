//! Which waiting groups get their share of the budget now: all or nothing, first come first served.

use shared::identity::GroupKey;

/// A group that asks for its share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The group.
    pub group: GroupKey,
    /// Volumes that it needs.
    pub weight: u32,
}

/// How many requests from the head of the queue are granted now.
///
/// - Never more than `limit` volumes in all (I1), except that a group heavier than the whole budget is granted when nothing else is.
/// - Nobody overtakes: the head's turn is kept free until it fits, so nobody starves. Since shares return only when a round ends and
///   every round ends, the head's turn comes.
/// - Snapshots that are `pending` take room like grants, but hold nobody back who would run alone: one that stays pending for hours
///   makes a night narrower and never stops it.
/// - A lowered limit stops new grants; what is granted stays.
pub fn grant_from_head(limit: u32, mut granted: u32, pending: u32, mut grants_left: usize, queue: &[Request]) -> usize {
    let mut count = 0;
    for request in queue {
        let in_use = granted.saturating_add(pending);
        let fits = in_use.checked_add(request.weight).is_some_and(|sum| sum <= limit);
        let alone = granted == 0;
        if grants_left == 0 || !(fits || alone) {
            break;
        }
        granted = granted.saturating_add(request.weight);
        grants_left -= 1;
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn queue(weights: &[u32]) -> Vec<Request> {
        weights.iter().map(|weight| Request { group: "a/b".parse().unwrap(), weight: *weight }).collect()
    }

    #[test]
    fn all_or_nothing_in_order() {
        for (limit, granted, weights, expected) in [
            (5, 0, &[3, 2][..], 2),
            (5, 0, &[3, 3, 1], 1), // the third would fit; the second's turn is kept free
            (5, 5, &[1], 0),
            (5, 0, &[20, 1], 1), // heavier than the budget: alone
            (5, 1, &[20, 1], 0), // … and it waits until nothing else is granted
            (5, 9, &[1], 0),     // the limit was lowered
            (5, 0, &[0, 0, 5], 3),
            (u32::MAX, u32::MAX, &[1], 0),
        ] {
            assert_eq!(
                grant_from_head(limit, granted, 0, 1_000, &queue(weights)),
                expected,
                "{limit} {granted} {weights:?}"
            );
        }
        assert_eq!(grant_from_head(5, 0, 0, 1, &queue(&[1, 1])), 1);
    }

    proptest! {
        #[test]
        fn never_above_the_limit_unless_alone(limit in 1u32..50, pending in prop_oneof![Just(0u32), 0u32..80], weights in prop::collection::vec(0u32..80, 0..20)) {
            let count = grant_from_head(limit, 0, pending, 1_000, &queue(&weights));
            let sum: u32 = weights[..count].iter().sum();
            let alone = weights[..count].iter().filter(|w| **w > 0).count() == 1;
            prop_assert!(sum.saturating_add(pending) <= limit || alone || sum == 0);
            prop_assert!(weights.is_empty() || count > 0, "an idle budget always grants the head");
        }
    }
}
