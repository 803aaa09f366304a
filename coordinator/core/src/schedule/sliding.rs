//! Maxima and sums over spans of the day, for every minute that a span could begin at.

/// Minutes of a day, as a length of arrays. Index 1,439 is followed by index 0.
pub(super) const DAY: usize = super::minute::MINUTES_PER_DAY as usize;

/// The minute of the day that `index` (below two days) is.
pub(super) const fn wrap(index: usize) -> usize {
    if index < DAY { index } else { index - DAY }
}

/// For `count` starts from `first` on: the most of `loads` in the `len` minutes from each start. `queue` is scratch space.
pub(super) fn max_from(
    loads: &[u32],
    len: usize,
    first: usize,
    count: usize,
    queue: &mut Vec<usize>,
    mut put: impl FnMut(usize, u32),
) {
    queue.clear();
    let mut head = 0;
    // Positions run from `first` on without wrapping; the queue holds those whose loads still can be a maximum, falling.
    for end in first..first + count + len - 1 {
        let load = loads[end % DAY];
        while queue.len() > head && queue.last().is_some_and(|last| loads[last % DAY] <= load) {
            queue.pop();
        }
        queue.push(end);
        if end + 1 < first + len {
            continue;
        }
        let start = end + 1 - len;
        while queue[head] < start {
            head += 1;
        }
        put(start % DAY, loads[queue[head] % DAY]);
    }
}

/// For every start: the sum of `values` over the `len` minutes from it, added to `sums`.
pub(super) fn add_sums(values: &[i64], len: usize, sums: &mut [i64]) {
    let mut sum: i64 = values[..len].iter().sum();
    for start in 0..DAY {
        sums[start] += sum;
        sum += values[wrap(start + len)] - values[start];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_looked_up_one_by_one(seed in prop::collection::vec(0u32..100, 1..50), len in 1usize..=DAY, first in 0..DAY, count in 1usize..=DAY) {
            let loads: Vec<u32> = (0..DAY).map(|i| seed[i % seed.len()] ^ u32::try_from(i % 7).unwrap()).collect();
            let span = |start: usize| (start..start + len).map(|m| loads[m % DAY]);
            let mut seen = 0;
            max_from(&loads, len, first, count, &mut Vec::new(), |start, max| {
                assert_eq!((start, Some(max)), ((first + seen) % DAY, span(start).max()));
                seen += 1;
            });
            prop_assert_eq!(seen, count);

            let values: Vec<i64> = loads.iter().map(|l| i64::from(*l)).collect();
            let mut sums = vec![1; DAY];
            add_sums(&values, len, &mut sums);
            prop_assert_eq!(sums[first], 1 + span(first).map(i64::from).sum::<i64>());
        }
    }
}
