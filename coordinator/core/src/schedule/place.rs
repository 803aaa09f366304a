//! A first place for every job that has none: the heaviest first, each where it adds least to the highest load.

use super::domain_load::span;
use super::jobs::Job;
use super::ledger::Ledger;
use super::night::Night;
use super::sliding::{DAY, max_from};
use super::targets::Targets;

/// What a volume more costs in a minute whose load is at its lower bound; see [`price`].
const AT_BOUND: u32 = 1 << 16;

/// Each thing that is wrong with a place costs so much: more than any load.
const WRONG: u32 = 1 << 28;

/// So many overlapping minutes are counted; more of them are no worse.
const OVERLAP_COUNTED_MAX: u32 = 13;

/// A place that may not be. 15 wrongs and the highest loads cost less.
const CLOSED: u32 = u32::MAX;

/// Places the jobs `queue`, in an order of its own.
pub(super) fn place_all(night: &Night, ledger: &mut Ledger, mut queue: Vec<usize>) {
    queue.sort_by_cached_key(|n| turn(&night.jobs[*n], *n));
    let mut scan = Scan::new(night);
    for n in queue {
        let at = scan.best(n, ledger);
        ledger.put(n, at);
        scan.refresh(n, at, ledger);
    }
}

/// Who is placed first: by priority; then the heavier half of what is left, and so on, so that the lightest come last and fill
/// what is uneven; among those of like weight the longest, and all of one length one after another.
fn turn(job: &Job, n: usize) -> (i16, u32, usize, usize, u32, usize) {
    let tier = u32::MAX - job.weight.checked_ilog2().map_or(0, |log| log + 1);
    let (long, lane) = (DAY - job.flight, DAY - job.lane);
    (-i16::from(job.demand.priority), tier, long, lane, u32::MAX - job.weight, n)
}

/// What a job of one length would meet at each minute of the day.
struct Scan<'n> {
    night: &'n Night<'n>,
    targets: Targets,
    /// The lengths that the arrays are for.
    flight_len: usize,
    lane_len: usize,
    /// Within the length from each start: the most budget taken, the sum of its prices, and the most of Velero's places.
    flight_max: Vec<u32>,
    flight_price: Vec<u32>,
    lane_max: Vec<u32>,
    /// The prices of single minutes: of budget, and of starting.
    minute_price: Vec<u32>,
    starting_price: Vec<u32>,
    closed: Vec<bool>,
    overlaps: Vec<u32>,
    costs: Vec<u32>,
    queue: Vec<usize>,
}

impl<'n> Scan<'n> {
    fn new(night: &'n Night<'n>) -> Self {
        let zeros = || vec![0; DAY];
        Self {
            night,
            targets: night.targets,
            flight_len: 0,
            lane_len: 0,
            flight_max: zeros(),
            flight_price: zeros(),
            lane_max: zeros(),
            minute_price: zeros(),
            starting_price: zeros(),
            closed: vec![false; DAY],
            overlaps: zeros(),
            costs: zeros(),
            queue: Vec::new(),
        }
    }

    fn best(&mut self, n: usize, ledger: &Ledger) -> usize {
        let job = &self.night.jobs[n];
        if (job.flight, job.lane) != (self.flight_len, self.lane_len) {
            self.rebuild(job, ledger);
        }
        self.reckon(job, ledger);
        if !job.later.is_empty() {
            self.highest_of_all_runs(job);
        }
        let (least, at) = self.least();
        match job.demand.priority.signum() {
            0 => at,
            sign => self.by_priority(sign > 0, least).unwrap_or(at),
        }
    }

    fn rebuild(&mut self, job: &Job, ledger: &Ledger) {
        (self.flight_len, self.lane_len) = (job.flight, job.lane);
        for minute in 0..DAY {
            self.price_minute(minute, ledger);
            self.closed[minute] = !self.night.spans.allows(minute, job.flight);
        }
        self.look_from(0, DAY, 0, DAY, ledger);
    }

    /// After a job of the same lengths was placed at `at`: what changed.
    fn refresh(&mut self, n: usize, at: usize, ledger: &Ledger) {
        let job = &self.night.jobs[n];
        for start in job.starts(at) {
            span(start, job.flight).for_each(|minute| self.price_minute(minute, ledger));
            let reach = |len: usize| ((start + DAY + 1 - len) % DAY, (2 * len - 1).min(DAY));
            let ((flight_from, flights), (lane_from, lanes)) = (reach(job.flight), reach(job.lane));
            self.look_from(flight_from, flights, lane_from, lanes, ledger);
        }
    }

    fn price_minute(&mut self, minute: usize, ledger: &Ledger) {
        let Targets { starting, flight, .. } = self.targets;
        self.starting_price[minute] = price(ledger.starting[minute], starting);
        // One volume in flight is a smaller part of its bound than one that starts.
        let part = u64::from(price(ledger.flight[minute], flight)) * u64::from(starting) / u64::from(flight.max(1));
        self.minute_price[minute] = u32::try_from(part).unwrap_or(u32::MAX);
    }

    fn look_from(&mut self, flight_from: usize, flights: usize, lane_from: usize, lanes: usize, ledger: &Ledger) {
        let Self { flight_max, flight_price, lane_max, minute_price, queue, .. } = self;
        max_from(&ledger.flight, self.flight_len, flight_from, flights, queue, |start, max| flight_max[start] = max);
        max_from(&ledger.lanes, self.lane_len, lane_from, lanes, queue, |start, max| lane_max[start] = max);
        let mut sum: u64 = span(flight_from, self.flight_len).map(|minute| u64::from(minute_price[minute])).sum();
        for start in span(flight_from, flights) {
            flight_price[start] = u32::try_from(sum).unwrap_or(u32::MAX).min(WRONG / 2);
            sum += u64::from(minute_price[(start + self.flight_len) % DAY]);
            sum -= u64::from(minute_price[start]);
        }
    }

    /// What each start costs: the prices of all that it adds to, and far above that what is wrong with it.
    fn reckon(&mut self, job: &Job, ledger: &Ledger) {
        let domain = &ledger.domains[job.domain];
        self.overlaps.fill(0);
        if !domain.is_empty() {
            domain.add_overlaps(job.taken, &mut self.overlaps);
        }
        let Targets { flight_limit, lane_limit, .. } = self.targets;
        let minutes = self.flight_price.iter().zip(&self.starting_price).zip(&self.flight_max).zip(&self.lane_max);
        let minutes = minutes.zip(&self.overlaps).zip(&self.closed).zip(&mut self.costs);
        for ((((((flight, starting), taken), lanes), overlap), closed), cost) in minutes {
            let over_budget = u32::from(taken + job.clipped > flight_limit);
            let over_lanes = u32::from(*lanes >= lane_limit);
            let wrong = over_budget + over_lanes + (*overlap).min(OVERLAP_COUNTED_MAX);
            *cost = (flight + starting + wrong * WRONG) | if *closed { CLOSED } else { 0 };
        }
    }

    /// A job of several runs a day costs what its worst run costs.
    fn highest_of_all_runs(&mut self, job: &Job) {
        let single = self.costs.clone();
        for (at, cost) in self.costs.iter_mut().enumerate() {
            *cost = job.starts(at).map(|start| single[start]).max().unwrap_or(CLOSED);
        }
    }

    /// The least cost, and of the minutes that have it the one that lies furthest from what is usual: see [`Night::spread`].
    fn least(&self) -> (u32, usize) {
        let least = self.costs.iter().copied().fold(CLOSED, u32::min);
        let equal = (0..DAY).filter(|minute| self.costs[*minute] == least);
        (least, equal.min_by_key(|minute| self.night.spread[*minute]).unwrap_or(0))
    }

    /// The earliest (or latest) minute of the window that is as good as any plan's need be.
    fn by_priority(&self, first: bool, least: u32) -> Option<usize> {
        let even = |minute: usize| {
            self.costs[minute] < WRONG
                && self.starting_price[minute] <= AT_BOUND
                && self.flight_max[minute] <= self.targets.flight_even
        };
        let mut minutes = self.night.window_order.iter().copied();
        let fine = |minute: &usize| self.costs[*minute] <= least || even(*minute);
        if first { minutes.find(fine) } else { minutes.rfind(fine) }
    }
}

/// What a volume more costs in a minute with this load: half the load's part of its bound and half that part's seventh power, so
/// that loads count at every height, and most of all near the bound.
fn price(load: u32, bound: u32) -> u32 {
    const ONE: u64 = AT_BOUND as u64;
    // Past one and a half bounds everything is as bad.
    let part = (u64::from(load) * ONE / u64::from(bound.max(1))).min(ONE * 3 / 2);
    let cube = part * part / ONE * part / ONE;
    let seventh = cube * cube / ONE * part / ONE;
    u32::try_from(part.midpoint(seventh)).unwrap_or(WRONG)
}
