//! Several runs a day: how many are possible, and how far after the first each begins.

use super::finding::FewerRunsReason;
use super::open_spans::OpenSpans;
use super::sliding::DAY;

/// What has to fit between two runs of a group, min and pieces.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunShape {
    /// From start to expected end.
    pub flight: usize,
    /// How long the group's namespace is taken.
    pub taken: usize,
    /// Pending snapshots that a volume may have at once.
    pub pending_max: usize,
}

/// How long after the first run each later one begins, min, in the order of the day; and why they are fewer than asked, if they are.
/// All distances are whole hours, so one cron line says them all.
pub(super) fn later_runs(
    asked: u8,
    shape: RunShape,
    window_hours: usize,
    spans: &OpenSpans,
) -> (Vec<usize>, Option<FewerRunsReason>) {
    let mut first_reason = None;
    for runs in (2..=usize::from(asked)).rev() {
        let later: Vec<usize> = (1..runs).map(|n| n * window_hours / runs * 60).collect();
        match obstacle(&later, shape, spans) {
            None => return (later, first_reason),
            Some(reason) => first_reason = first_reason.or(Some(reason)),
        }
    }
    (Vec::new(), first_reason)
}

fn obstacle(later: &[usize], shape: RunShape, spans: &OpenSpans) -> Option<FewerRunsReason> {
    if shortest_gap(later) < shape.taken.max(1) {
        return Some(FewerRunsReason::Length);
    }
    if pending_at_once(later, shape.flight) > shape.pending_max {
        return Some(FewerRunsReason::PendingSnapshots);
    }
    let fits = |start: usize| {
        shape.flight <= spans.longest()
            && spans.allows(start, shape.flight)
            && later.iter().all(|offset| spans.allows((start + offset) % DAY, shape.flight))
    };
    (!(0..DAY).any(fits)).then_some(FewerRunsReason::Window)
}

/// Minutes between the two runs that are nearest to each other, across midnight too.
fn shortest_gap(later: &[usize]) -> usize {
    let starts = || std::iter::once(0).chain(later.iter().copied());
    let ends = later.iter().copied().chain(std::iter::once(DAY));
    starts().zip(ends).map(|(a, b)| b - a).min().unwrap_or(DAY)
}

/// How many runs of `flight` minutes are in flight at once at most: each minute is as full as one at which a run starts.
pub(super) fn pending_at_once(later: &[usize], flight: usize) -> usize {
    let starts = || std::iter::once(0).chain(later.iter().copied());
    let covering = |at: usize| starts().filter(|start| (at + DAY - start) % DAY < flight).count();
    starts().map(covering).max().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::super::minute::Minute;
    use super::super::settings::{ExcludedSpan, PlanInput, PlanSettings};
    use super::*;

    fn check(asked: u8, flight: usize, pending_max: usize, hours: u32) -> (Vec<usize>, Option<FewerRunsReason>) {
        let lunch = ExcludedSpan { start: Minute::new(720).unwrap(), length_min: 60 };
        let excluded = if hours == 24 { vec![] } else { vec![lunch] };
        let input = PlanInput { window_hours: hours, excluded, ..PlanInput::default() };
        let spans = OpenSpans::new(&PlanSettings::new(&input).unwrap());
        later_runs(asked, RunShape { flight, taken: flight.min(10), pending_max }, hours as usize, &spans)
    }

    #[test]
    fn whole_hours_evenly() {
        assert_eq!(check(1, 5, 5, 24), (vec![], None));
        assert_eq!(check(2, 5, 5, 24), (vec![720], None));
        assert_eq!(check(5, 5, 5, 24), (vec![240, 540, 840, 1140], None));
        assert_eq!(check(2, 5, 5, 8), (vec![240], None));
    }

    #[test]
    fn fewer_when_they_do_not_fit() {
        assert_eq!(check(30, 5, 5, 24).1, Some(FewerRunsReason::Length));
        assert_eq!(check(30, 5, 5, 24).0.len(), 23);
        assert_eq!(check(12, 300, 1, 24), (vec![360, 720, 1080], Some(FewerRunsReason::PendingSnapshots)));
        assert_eq!(check(8, 200, 5, 8), (vec![240], Some(FewerRunsReason::Window)));
    }
}
