//! One word out of all sources: throttled when any says so, calm when one says so and none objects, else unknown.
//!
//! Sources see different things (the driver's counters one cluster's calls, CloudWatch the account's, contents what waits), so one that
//! sees no throttling does not refute one that does. One that says nothing neither raises nor lowers (invariant I8).

use super::evidence::{Evidence, Level, Silence, Source};
use super::signals::{Health, Reading};
use crate::time::Mono;

/// What all sources say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// The word.
    pub level: Level,
    /// The source that it rests on.
    pub source: Source,
    /// What that source has to show.
    pub evidence: Evidence,
    /// The moment of that evidence.
    pub at: Option<Mono>,
}

/// Fuses readings. With none, nothing is known.
pub fn fuse(readings: &[Reading]) -> Assessment {
    let of = |level: Level| readings.iter().filter(move |reading| reading.level == level);
    // The newest throttling: it decides whether the limit is lowered once more. Of calm words the soonest source's.
    let throttled = of(Level::Throttled).max_by_key(|reading| (reading.at, std::cmp::Reverse(reading.source)));
    let calm = of(Level::Calm).min_by_key(|reading| soonest(reading.source));
    // Where nobody knows: what is broken first, then what merely has nothing to tell.
    let unknown = of(Level::Unknown).min_by_key(|reading| match reading.health() {
        Health::Failing => 0,
        Health::Working => 1,
        Health::Off => 2,
    });
    let nobody = || Assessment {
        level: Level::Unknown,
        source: Source::Contents,
        evidence: Evidence::Nothing(Silence::NotHeardYet),
        at: None,
    };
    throttled.or(calm).or(unknown).map_or_else(nobody, |reading| Assessment {
        level: reading.level,
        source: reading.source,
        evidence: reading.evidence.clone(),
        at: reading.at,
    })
}

/// Which source learns first that nothing is throttled.
const fn soonest(source: Source) -> u8 {
    match source {
        Source::Driver => 0,
        Source::Contents => 1,
        Source::CloudWatch => 2,
        Source::Backups => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reading(source: Source, level: Level, at: u64) -> Reading {
        let evidence = match level {
            Level::Calm => Evidence::DriverCalls { count: at },
            Level::Throttled => Evidence::DriverThrottles { count: at },
            Level::Unknown => Evidence::Nothing(Silence::Idle),
        };
        Reading { source, level, evidence, at: Some(Mono(at)), heard_at: None }
    }

    #[test]
    fn one_that_is_throttled_outweighs_all_that_are_calm() {
        let fused = fuse(&[
            reading(Source::Contents, Level::Calm, 9),
            reading(Source::Driver, Level::Throttled, 3),
            reading(Source::CloudWatch, Level::Throttled, 5),
        ]);
        assert_eq!((fused.level, fused.source, fused.at), (Level::Throttled, Source::CloudWatch, Some(Mono(5))));
    }

    #[test]
    fn nothing_is_unknown_and_the_broken_source_is_named() {
        assert_eq!(fuse(&[]).level, Level::Unknown);
        let broken = Reading {
            evidence: Evidence::Nothing(Silence::Unreadable("no right".to_owned())),
            ..reading(Source::CloudWatch, Level::Unknown, 0)
        };
        let fused = fuse(&[reading(Source::Contents, Level::Unknown, 0), broken]);
        assert_eq!((fused.level, fused.source), (Level::Unknown, Source::CloudWatch));
    }

    proptest! {
        /// Silence changes nothing: taking unknown readings away leaves the word as it was, or unknown.
        #[test]
        fn unknown_neither_raises_nor_lowers(levels in prop::collection::vec((0usize..4, 0usize..3, 0u64..9), 0..8)) {
            let all: Vec<_> = levels.iter().map(|(source, level, at)| {
                reading(Source::ALL[*source], [Level::Calm, Level::Throttled, Level::Unknown][*level], *at)
            }).collect();
            let known: Vec<_> = all.iter().filter(|r| r.level != Level::Unknown).cloned().collect();
            prop_assert_eq!(fuse(&all).level, fuse(&known).level);
        }
    }
}
