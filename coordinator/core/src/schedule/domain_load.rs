//! When a domain (a namespace) is taken, and how long a further run would overlap with that.

use super::sliding::{DAY, wrap};

/// Up to so many runs are kept as a list; more are counted minute by minute. A list of 32 costs less time than 1,440 counters, and less memory.
const LISTED_MAX: usize = 32;

/// The runs of one domain.
#[derive(Clone, Debug)]
pub(super) enum DomainLoad {
    /// Start and minutes taken of each.
    Few(Vec<(usize, usize)>),
    /// How many are running in each minute of the day.
    Many(Box<[u32]>),
}

impl DomainLoad {
    pub(super) const EMPTY: Self = Self::Few(Vec::new());

    pub(super) fn add(&mut self, start: usize, taken: usize) {
        match self {
            Self::Few(runs) if runs.len() < LISTED_MAX => runs.push((start, taken)),
            Self::Few(runs) => {
                let mut counts = vec![0; DAY].into_boxed_slice();
                for (start, taken) in std::mem::take(runs).into_iter().chain([(start, taken)]) {
                    span(start, taken).for_each(|minute| counts[minute] += 1);
                }
                *self = Self::Many(counts);
            }
            Self::Many(counts) => span(start, taken).for_each(|minute| counts[minute] += 1),
        }
    }

    /// Takes away a run that was added.
    pub(super) fn remove(&mut self, start: usize, taken: usize) {
        match self {
            Self::Few(runs) => {
                if let Some(n) = runs.iter().position(|run| *run == (start, taken)) {
                    runs.swap_remove(n);
                }
            }
            Self::Many(counts) => span(start, taken).for_each(|minute| counts[minute] -= 1),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Few(runs) if runs.is_empty())
    }

    /// Adds to each start of the day the minutes for which a run of `taken` minutes from there would overlap with others.
    pub(super) fn add_overlaps(&self, taken: usize, overlaps: &mut [u32]) {
        match self {
            Self::Few(runs) => {
                for minute in runs.iter().flat_map(|(start, len)| span(*start, *len)) {
                    for start in span(minute + DAY + 1 - taken, taken) {
                        overlaps[start] += 1;
                    }
                }
            }
            Self::Many(counts) => {
                let mut sum: u32 = counts[..taken].iter().sum();
                for start in 0..DAY {
                    overlaps[start] += sum;
                    sum = sum + counts[wrap(start + taken)] - counts[start];
                }
            }
        }
    }

    /// Minutes for which a run (itself not among those added) overlaps with others.
    pub(super) fn overlap(&self, start: usize, taken: usize) -> u32 {
        let inside = |minute: usize| wrap(minute + DAY - start) < taken;
        match self {
            Self::Few(runs) => {
                let minutes = runs.iter().flat_map(|(start, len)| span(*start, *len)).filter(|m| inside(*m));
                u32::try_from(minutes.count()).unwrap_or(u32::MAX)
            }
            Self::Many(counts) => span(start, taken).map(|minute| counts[minute]).sum(),
        }
    }

    /// Minutes in which more than one run is there.
    pub(super) fn crowded_min(&self) -> u32 {
        let mut counts = vec![0u32; DAY];
        match self {
            Self::Few(runs) if runs.len() < 2 => return 0,
            Self::Few(runs) => {
                runs.iter().flat_map(|(start, len)| span(*start, *len)).for_each(|minute| counts[minute] += 1);
            }
            Self::Many(many) => counts.copy_from_slice(many),
        }
        counts.iter().map(|count| u32::from(*count > 1)).sum()
    }
}

/// The minutes of a span that starts within two days' indexes.
pub(super) fn span(start: usize, len: usize) -> impl Iterator<Item = usize> {
    (start..start + len).map(|minute| minute % DAY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However many there are, the answers are those of counting one by one.
        #[test]
        fn lists_and_counters_agree(
            runs in prop::collection::vec((0..DAY, 1usize..90), 0..60), start in 0..DAY, taken in 1usize..200, gone in 0usize..60,
        ) {
            let mut load = DomainLoad::EMPTY;
            for (start, len) in &runs {
                load.add(*start, *len);
            }
            let gone = gone.min(runs.len());
            for (start, len) in &runs[..gone] {
                load.remove(*start, *len);
            }
            let others = || runs[gone..].iter().flat_map(|(start, len)| span(*start, *len));
            let expected = others().filter(|m| span(start, taken).any(|own| own == *m)).count();
            prop_assert_eq!(load.overlap(start, taken) as usize, expected);
            let mut overlaps = vec![0; DAY];
            load.add_overlaps(taken, &mut overlaps);
            prop_assert_eq!(overlaps[start] as usize, expected);
            let crowded = (0..DAY).filter(|m| others().filter(|o| o == m).count() > 1).count();
            prop_assert_eq!(load.crowded_min() as usize, crowded);
        }
    }
}
