//! A receipt's two spans, of cuts and of quiesces: neither may be shorter than its facts allow.
//!
//! A longer one claims less and is let be: whoever rounds up rounds up.

use std::collections::BTreeSet;

use shared::receipt::Receipt;

use super::finding::Finding;
use super::proof::{held_from, is_set_meanwhile};

/// The span of cuts.
pub fn cuts(receipt: &Receipt) -> Option<Finding> {
    let says_ms = receipt.skew_ms?;
    let unseen = receipt.members.iter().any(|member| {
        let seen: BTreeSet<&str> = member.cuts.iter().map(|cut| cut.claim.as_str()).collect();
        u32::try_from(seen.len()).is_ok_and(|seen| seen < member.volumes)
    });
    let cuts: Vec<(i128, i128)> = receipt
        .members
        .iter()
        .flat_map(|member| &member.cuts)
        .map(|cut| {
            let earliest = i128::from(cut.at.as_micros());
            (earliest, earliest + i128::from(cut.resolution_ms) * 1_000)
        })
        .collect();
    if unseen || (cuts.is_empty() && receipt.members_omitted == 0) {
        return Some(Finding::CutSkewUnfounded);
    }
    // Any two cuts, the one as late and the other as early as it may have been.
    let mut earliest: Vec<(i128, usize)> = cuts.iter().enumerate().map(|(i, (from, _))| (*from, i)).collect();
    earliest.sort_unstable();
    let apart_us = cuts.iter().enumerate().filter_map(|(i, (_, latest))| {
        let (other, _) = earliest.iter().find(|(_, of)| *of != i)?;
        Some(latest - other)
    });
    let proven_ms = whole_ms(apart_us.max().unwrap_or(0));
    (says_ms < proven_ms).then_some(Finding::CutSkewTooShort { says_ms, proven_ms })
}

/// The span of quiesces.
pub fn quiesces(receipt: &Receipt) -> Option<Finding> {
    let says_ms = receipt.quiesce_skew_ms?;
    let most_apart_ms = receipt.clock_error_ms.unwrap_or(u64::MAX);
    if receipt.members.iter().any(|member| is_set_meanwhile(member, most_apart_ms)) {
        return Some(Finding::QuiesceSkewUnfounded);
    }
    let mut still = Vec::new();
    for member in &receipt.members {
        let Some(from) = held_from(member) else { return Some(Finding::QuiesceSkewUnfounded) };
        still.push(i128::from(from.as_micros()));
    }
    let (Some(first), Some(last)) = (still.iter().min(), still.iter().max()) else {
        return (receipt.members_omitted == 0).then_some(Finding::QuiesceSkewUnfounded);
    };
    if still.len() < 2 {
        return None;
    }
    // Two pods' clocks, each as far from EC2's as it may be.
    let error_us = i128::from(receipt.clock_error_ms.unwrap_or(0)) * 1_000;
    let proven_ms = whole_ms(last - first + 2 * error_us);
    (says_ms < proven_ms).then_some(Finding::QuiesceSkewTooShort { says_ms, proven_ms })
}

/// ms, rounded up; what does not fit is the most that does.
fn whole_ms(us: i128) -> u64 {
    let ms = us.max(0).div_euclid(1_000) + i128::from(us.max(0).rem_euclid(1_000) > 0);
    u64::try_from(ms).unwrap_or(u64::MAX)
}
