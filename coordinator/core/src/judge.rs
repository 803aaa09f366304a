//! What a round's evidence proves. Every doubt counts against the better verdict (invariant I3).

use shared::receipt::MemberReceipt;
use shared::verdict::{Verdict, VerdictReason};

/// One member's evidence: its receipt, and how many of its volumes should have been cut.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// What is written into the receipt about it.
    pub member: &'a MemberReceipt,
    /// Its EBS volumes without any observed cut.
    pub uncut: usize,
}

/// A span of wall-clock time in µs, both ends included.
#[derive(Clone, Copy)]
struct Span {
    from: i64,
    to: i64,
}

/// The earliest and latest moment at which a cut may have happened, as seen from the pods' clocks.
fn possible(cut: &shared::receipt::CutReceipt, clock_error_us: i64) -> Span {
    let resolution_us = i64::try_from(cut.resolution_ms).unwrap_or(i64::MAX / 2).saturating_mul(1_000);
    Span {
        from: cut.at.as_micros() - clock_error_us,
        to: cut.at.as_micros().saturating_add(resolution_us).saturating_add(clock_error_us),
    }
}

fn quiesce(member: &MemberReceipt) -> Option<Span> {
    Some(Span { from: member.quiesced_at?.as_micros(), to: member.thawed_at?.as_micros() })
}

/// Both ends of a hold are known by the steady clock to the ms, and rounded down, ms.
const STEADY_RESOLUTION_MS: u64 = 2;

/// By how much the pod's wall clock was set while it was held, ms, if that is more than clocks may be apart anyway. Its times prove nothing then.
fn jumped_ms(member: &MemberReceipt, error_us: i64) -> Option<u64> {
    let held = quiesce(member)?;
    let steady_us = i64::try_from(member.steady_ms?.saturating_mul(1_000)).unwrap_or(i64::MAX);
    let by_us = (held.to - held.from).saturating_sub(steady_us).unsigned_abs();
    let allowed_us = error_us.unsigned_abs().saturating_add(STEADY_RESOLUTION_MS * 1_000);
    (by_us > allowed_us).then_some(by_us / 1_000)
}

/// The strongest verdict that the evidence proves, and why it is no stronger. `clock_error_ms` widens every cut on both sides.
///
/// `frozen_max` is the policy that left some members unheld, if one did.
pub fn judge(members: &[Evidence<'_>], clock_error_ms: u64, frozen_max: Option<u32>) -> (Verdict, VerdictReason) {
    let error_us = i64::try_from(clock_error_ms).unwrap_or(i64::MAX / 4).saturating_mul(1_000);
    if members.iter().all(|e| e.member.quiesced_at.is_none() && e.member.cuts.is_empty()) {
        return (Verdict::Failed, VerdictReason::NothingHappened);
    }
    if let Some(worst) = surely_torn(members, error_us, frozen_max).or_else(|| unproven(members, error_us)) {
        return worst;
    }
    let cuts = || members.iter().flat_map(|e| &e.member.cuts).map(|cut| possible(cut, error_us));
    let (Some(first), Some(last)) = (cuts().map(|c| c.from).min(), cuts().map(|c| c.to).max()) else {
        // Nobody has a volume that could have been cut: there is nothing whose consistency could be claimed.
        let pod = members.first().map_or_else(String::new, |e| e.member.pod.to_string());
        return (Verdict::Unknown, VerdictReason::CutNotObserved { pod });
    };
    let outside = members.iter().find(|e| quiesce(e.member).is_none_or(|q| q.from > first || q.to < last));
    match outside {
        None => (Verdict::GroupConsistent, VerdictReason::QuiescesCoverAllCuts),
        Some(e) => (Verdict::MemberConsistent, VerdictReason::QuiescesDoNotOverlap { pod: e.member.pod.to_string() }),
    }
}

/// What no doubt can excuse: a member that never was quiesced, or a cut that lies outside its member's quiesce for certain.
fn surely_torn(members: &[Evidence<'_>], error_us: i64, frozen_max: Option<u32>) -> Option<(Verdict, VerdictReason)> {
    for Evidence { member, .. } in members {
        let pod = member.pod.to_string();
        let Some(from) = member.quiesced_at else {
            let why = match frozen_max.filter(|_| member.unheld) {
                Some(at_most) => VerdictReason::LeftUnheld { pod, at_most },
                None => VerdictReason::NeverQuiesced { pod },
            };
            return Some((Verdict::CrashConsistent, why));
        };
        if jumped_ms(member, error_us).is_some() {
            continue;
        }
        let to = member.thawed_at.map_or(i64::MAX, shared::time::WallTime::as_micros);
        if member.cuts.iter().map(|cut| possible(cut, error_us)).any(|c| c.to < from.as_micros() || c.from > to) {
            return Some((Verdict::CrashConsistent, VerdictReason::CutOutsideQuiesce { pod }));
        }
    }
    None
}

/// What may be fine and is not proven to be.
fn unproven(members: &[Evidence<'_>], error_us: i64) -> Option<(Verdict, VerdictReason)> {
    for Evidence { member, uncut } in members {
        let pod = member.pod.to_string();
        if *uncut > 0 {
            return Some((Verdict::Unknown, VerdictReason::CutNotObserved { pod }));
        }
        let Some(held) = quiesce(member) else {
            return Some((Verdict::Unknown, VerdictReason::ThawNotObserved { pod }));
        };
        if let Some(by_ms) = jumped_ms(member, error_us) {
            return Some((Verdict::Unknown, VerdictReason::ClockJumped { pod, by_ms }));
        }
        let coarse = member.cuts.iter().find(|cut| {
            let c = possible(cut, error_us);
            c.from < held.from || c.to > held.to
        });
        if let Some(cut) = coarse {
            let clocks_ms = u64::try_from(error_us / 1_000).unwrap_or(0);
            return Some((
                Verdict::Unknown,
                VerdictReason::CutTimeTooCoarse { pod, resolution_ms: cut.resolution_ms.saturating_add(clocks_ms) },
            ));
        }
    }
    None
}

/// From the first to the last cut, ms, rounded up by their resolutions; `None` unless every volume's cut was observed.
pub fn skew_ms(members: &[Evidence<'_>]) -> Option<u64> {
    if members.iter().any(|e| e.uncut > 0) {
        return None;
    }
    let cuts: Vec<_> = members.iter().flat_map(|e| &e.member.cuts).collect();
    let first = cuts.iter().map(|cut| cut.at).min()?;
    if cuts.len() == 1 {
        return Some(0);
    }
    let last_us = cuts.iter().map(|cut| possible(cut, 0).to).max()?;
    u64::try_from((last_us - first.as_micros()).max(0)).ok().map(|us| us.div_ceil(1_000))
}

/// From the first to the last member's quiesce, ms, each as far off as the clocks allow; `None` unless every member was held still by a
/// wall clock that nobody set meanwhile.
pub fn quiesce_skew_ms(members: &[Evidence<'_>], clock_error_ms: u64) -> Option<u64> {
    let error_us = i64::try_from(clock_error_ms).unwrap_or(i64::MAX / 4).saturating_mul(1_000);
    if members.iter().any(|e| jumped_ms(e.member, error_us).is_some()) {
        return None;
    }
    let still: Option<Vec<i64>> = members.iter().map(|e| Some(e.member.quiesced_at?.as_micros())).collect();
    let still = still?;
    let spread_us = u64::try_from(still.iter().max()? - still.iter().min()?).ok()?;
    if still.len() == 1 {
        return Some(0);
    }
    Some(spread_us.div_ceil(1_000).saturating_add(clock_error_ms.saturating_mul(2)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shared::identity::PodName;
    use shared::receipt::{CutReceipt, MemberEnd};
    use shared::time::WallTime;

    fn at(ms: i64) -> WallTime {
        WallTime::from_micros(1_000_000_000_000).plus_ms(ms)
    }

    fn member(i: usize, held: (Option<i64>, Option<i64>), cuts: &[i64], resolution_ms: u64) -> MemberReceipt {
        MemberReceipt {
            pod: PodName::new(format!("db-{i}")).unwrap(),
            volumes: u32::try_from(cuts.len()).unwrap(),
            end: MemberEnd::Done,
            admission: None,
            waited_ms: None,
            quiesced_at: held.0.map(at),
            thawed_at: held.1.map(at),
            steady_ms: None,
            let_go: None,
            unheld: false,
            failure: None,
            cuts: cuts.iter().map(|ms| CutReceipt { claim: format!("data-{i}"), at: at(*ms), resolution_ms }).collect(),
        }
    }

    fn verdict(members: &[MemberReceipt]) -> (Verdict, VerdictReason) {
        let evidence: Vec<_> = members.iter().map(|member| Evidence { member, uncut: 0 }).collect();
        judge(&evidence, 10, None)
    }

    #[test]
    fn the_verdict_is_what_the_evidence_proves() {
        let held = |from, to| (Some(from), Some(to));
        let block = [member(0, held(0, 1_000), &[300], 1), member(1, held(20, 1_010), &[500], 1)];
        assert_eq!(verdict(&block).0, Verdict::GroupConsistent);

        let alone = [member(0, held(0, 400), &[300], 1), member(1, held(420, 800), &[600], 1)];
        assert_eq!(
            verdict(&alone),
            (Verdict::MemberConsistent, VerdictReason::QuiescesDoNotOverlap { pod: "db-0".into() })
        );

        let late = [member(0, held(0, 400), &[300], 1), member(1, held(420, 800), &[1_600], 1)];
        assert_eq!(verdict(&late), (Verdict::CrashConsistent, VerdictReason::CutOutsideQuiesce { pod: "db-1".into() }));

        let never = [member(0, held(0, 400), &[300], 1), member(1, (None, None), &[350], 1)];
        assert_eq!(verdict(&never), (Verdict::CrashConsistent, VerdictReason::NeverQuiesced { pod: "db-1".into() }));

        let open = [member(0, (Some(0), None), &[300], 1)];
        assert_eq!(verdict(&open).1, VerdictReason::ThawNotObserved { pod: "db-0".into() });

        let coarse = [member(0, held(500, 5_000), &[0], 1_000)];
        assert_eq!(verdict(&coarse).1, VerdictReason::CutTimeTooCoarse { pod: "db-0".into(), resolution_ms: 1_010 });

        assert_eq!(verdict(&[member(0, (None, None), &[], 1)]).0, Verdict::Failed);
        assert_eq!(verdict(&[member(0, held(0, 10), &[], 1)]).0, Verdict::Unknown);
    }

    #[test]
    fn times_of_a_clock_that_was_set_while_it_was_held_prove_nothing() {
        let hour_ms = 3_600_000;
        let held = |from: i64, to: i64, steady_ms: u64, cut: i64| {
            let receipt = MemberReceipt { steady_ms: Some(steady_ms), ..member(0, (Some(from), Some(to)), &[cut], 1) };
            let shown = verdict(std::slice::from_ref(&receipt));
            (shown, quiesce_skew_ms(&[Evidence { member: &receipt, uncut: 0 }], 10).is_some())
        };
        let jumped = |by_ms| (Verdict::Unknown, VerdictReason::ClockJumped { pod: "db-0".into(), by_ms });
        // Set forth: the hold looks longer and seems to cover a cut that came when all was over.
        assert_eq!(held(0, hour_ms + 500, 500, 1_000), (jumped(3_600_000), false));
        // Set back: it seems to have ended before it began, and the cut to lie outside for certain.
        assert_eq!(held(hour_ms, 500, 500, hour_ms + 300), (jumped(3_600_000), false));
        // The clocks' error and both clocks' resolution are no jump; one ms more is.
        assert_eq!(held(0, 512, 500, 300).0.0, Verdict::GroupConsistent);
        assert_eq!(held(0, 513, 500, 300).0, jumped(13));
        // Back and forth between: both ends are what they are.
        assert_eq!(held(0, 500, 500, 300).0.0, Verdict::GroupConsistent);
        // Who never held still is torn by any clock.
        let never = [MemberReceipt { steady_ms: Some(9), ..member(0, (None, None), &[300], 1) }];
        assert_eq!(verdict(&never).0, Verdict::CrashConsistent);
    }

    #[test]
    fn an_unseen_cut_is_never_consistent() {
        let members = [member(0, (Some(0), Some(900)), &[300], 1)];
        let evidence = [Evidence { member: &members[0], uncut: 1 }];
        assert_eq!(
            judge(&evidence, 10, None),
            (Verdict::Unknown, VerdictReason::CutNotObserved { pod: "db-0".into() })
        );
        assert_eq!(skew_ms(&evidence), None);
    }

    #[test]
    fn skew_is_rounded_up_by_the_resolution() {
        let members =
            [member(0, (Some(0), Some(9_000)), &[1_000], 1_000), member(1, (Some(0), Some(9_000)), &[3_000], 1_000)];
        let evidence: Vec<_> = members.iter().map(|member| Evidence { member, uncut: 0 }).collect();
        assert_eq!(skew_ms(&evidence), Some(3_000));
    }

    proptest! {
        /// I3 where wall clocks ran true when the hold began and were set meanwhile: group-consistent only if every hold covered every cut by the
        /// clock that is not set, to the ms that it is known to.
        #[test]
        fn a_wall_clock_that_is_set_during_the_hold_proves_no_group(
            raw in prop::collection::vec((0i64..2_000, 0i64..3_000, 0i64..3_000, prop_oneof![Just(0i64), -4_000i64..4_000]), 1..4)
        ) {
            let members: Vec<_> = raw.iter().enumerate().map(|(i, (from, length, cut, set))| MemberReceipt {
                steady_ms: Some(u64::try_from(*length).unwrap()),
                ..member(i, (Some(*from), Some(from + length + set)), &[*cut], 1)
            }).collect();
            if verdict(&members).0 == Verdict::GroupConsistent {
                for (_, _, cut, _) in &raw {
                    for (from, length, _, _) in &raw {
                        prop_assert!(*from <= *cut && *cut <= from + length + 2, "{members:?}");
                    }
                }
            }
        }

        /// I3: group-consistent only if every true cut, wherever it lies within its resolution and the clocks' error, was covered by every quiesce.
        #[test]
        fn group_consistent_is_never_claimed_wrongly(
            raw in prop::collection::vec((0i64..3_000, 0i64..3_000, 0i64..3_000, 0u64..1_500, -10i64..=10), 1..6)
        ) {
            let members: Vec<_> = raw.iter().enumerate().map(|(i, (from, length, cut, resolution, _))| member(i, (Some(*from), Some(from + length)), &[*cut], *resolution)).collect();
            if verdict(&members).0 == Verdict::GroupConsistent {
                for (_, _, cut, resolution, error) in &raw {
                    for true_cut in [cut + error, cut + i64::try_from(*resolution).unwrap() + error] {
                        for (from, length, ..) in &raw {
                            prop_assert!(*from <= true_cut && true_cut <= from + length);
                        }
                    }
                }
            }
        }
    }
}
