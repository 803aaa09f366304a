//! Does EC2 cut this volume now? The account's request bucket, which its other tenants drain too, and the quotas of snapshots.
//!
//! The rules and their order are those of the test bed's EC2 stand-in; a test plays the same calls to both. The sources of the numbers
//! are AWS's: "Request throttling for the Amazon EC2 API", "Quotas for Amazon EBS", and the error codes' own texts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::dice::Dice;

/// One token, in the unit in which the bucket is counted: a rate of 1/s adds one unit a µs, so nothing is ever rounded.
const TOKEN: u64 = 1_000_000;

/// What the account allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests in a full bucket.
    pub burst: u32,
    /// Requests that come back in a second.
    pub refill_per_s: u32,
    /// Least time between two snapshots of one volume, ms.
    pub volume_gap_ms: u64,
    /// Pending snapshots of one volume.
    pub pending_per_volume: u32,
    /// Pending snapshots of the account. AWS lists 100 and does not say of which calls; the cautious reading is "of all".
    pub pending_per_account: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { burst: 100, refill_per_s: 5, volume_gap_ms: 15_000, pending_per_volume: 5, pending_per_account: 100 }
    }
}

/// Why not. In the order in which they are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The bucket is empty.
    RequestLimitExceeded,
    /// The volume was cut a moment ago.
    SnapshotCreationPerVolumeRateExceeded,
    /// The volume has too many pending snapshots.
    ConcurrentSnapshotLimitExceeded,
    /// The account has.
    PendingSnapshotLimitExceeded,
}

impl Refusal {
    /// EC2's code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::RequestLimitExceeded => "RequestLimitExceeded",
            Self::SnapshotCreationPerVolumeRateExceeded => "SnapshotCreationPerVolumeRateExceeded",
            Self::ConcurrentSnapshotLimitExceeded => "ConcurrentSnapshotLimitExceeded",
            Self::PendingSnapshotLimitExceeded => "PendingSnapshotLimitExceeded",
        }
    }
}

/// What others in the account call, for a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// From, ms.
    pub from_ms: u64,
    /// Until, ms.
    pub to_ms: u64,
    /// `CreateSnapshot` calls a second, on average (Poisson). Those that are refused are not repeated.
    pub calls_per_s: f64,
}

/// The account.
#[derive(Clone, Debug)]
pub struct Account {
    limits: Limits,
    units: u64,
    counted_us: u64,
    loads: Vec<Load>,
    rate_max: f64,
    dice: Dice,
    next_us: u64,
    last_cut_ms: BTreeMap<u32, u64>,
    pending: BinaryHeap<Reverse<(u64, u32)>>,
    pending_of: BTreeMap<u32, u32>,
}

impl Account {
    /// One whose bucket is full. The others' calls come at moments that the seed decides and that nothing of ours can move, so contenders meet the same.
    pub fn new(limits: Limits, loads: Vec<Load>, seed: u64) -> Self {
        let rate_max: f64 = loads.iter().map(|load| load.calls_per_s.max(0.0)).sum();
        let mut dice = Dice::new(seed);
        let next_us = if rate_max > 0.0 { dice.gap_us(rate_max) } else { u64::MAX };
        Self {
            limits,
            units: u64::from(limits.burst) * TOKEN,
            counted_us: 0,
            loads,
            rate_max,
            dice,
            next_us,
            last_cut_ms: BTreeMap::new(),
            pending: BinaryHeap::new(),
            pending_of: BTreeMap::new(),
        }
    }

    /// Cuts a volume, whose snapshot is pending for `pending_ms` then; or says why not.
    pub fn create_snapshot(&mut self, volume: u32, pending_ms: u64, now_ms: u64) -> Result<(), Refusal> {
        self.pass(now_ms);
        if !self.take() {
            return Err(Refusal::RequestLimitExceeded);
        }
        self.quota(volume, now_ms)?;
        self.last_cut_ms.insert(volume, now_ms);
        self.pending.push(Reverse((now_ms.saturating_add(pending_ms), volume)));
        *self.pending_of.entry(volume).or_default() += 1;
        Ok(())
    }

    /// What a call would be answered now, without making it. (Nobody but the omniscient can ask that.)
    pub fn foresee(&mut self, volume: u32, now_ms: u64) -> Result<(), Refusal> {
        self.pass(now_ms);
        if self.units < TOKEN {
            return Err(Refusal::RequestLimitExceeded);
        }
        self.quota(volume, now_ms)
    }

    /// Whole requests that the bucket holds now.
    pub fn tokens(&mut self, now_ms: u64) -> u64 {
        self.pass(now_ms);
        self.units / TOKEN
    }

    fn quota(&self, volume: u32, now_ms: u64) -> Result<(), Refusal> {
        if self.last_cut_ms.get(&volume).is_some_and(|last| now_ms.saturating_sub(*last) < self.limits.volume_gap_ms) {
            return Err(Refusal::SnapshotCreationPerVolumeRateExceeded);
        }
        if self.pending_of.get(&volume).is_some_and(|count| *count >= self.limits.pending_per_volume) {
            return Err(Refusal::ConcurrentSnapshotLimitExceeded);
        }
        if self.pending.len() >= self.limits.pending_per_account as usize {
            return Err(Refusal::PendingSnapshotLimitExceeded);
        }
        Ok(())
    }

    /// Lets time pass: the others call, the bucket fills, snapshots complete.
    fn pass(&mut self, now_ms: u64) {
        let micros = now_ms.saturating_mul(1_000);
        while self.next_us <= micros {
            let at = self.next_us;
            self.fill(at);
            // Thinning: candidates come at the highest rate, and count as often as the rate of the moment asks.
            let rate: f64 = self.loads.iter().filter(|load| is_in(load, at)).map(|load| load.calls_per_s).sum();
            if self.dice.unit() * self.rate_max <= rate {
                self.take();
            }
            self.next_us = at.saturating_add(self.dice.gap_us(self.rate_max));
        }
        self.fill(micros);
        while let Some(Reverse((until, volume))) = self.pending.peek().copied()
            && until <= now_ms
        {
            self.pending.pop();
            if let Some(count) = self.pending_of.get_mut(&volume) {
                *count -= 1;
            }
        }
    }

    fn fill(&mut self, now_us: u64) {
        let passed = now_us.saturating_sub(self.counted_us);
        let full = u64::from(self.limits.burst) * TOKEN;
        self.units = passed.saturating_mul(self.limits.refill_per_s.into()).saturating_add(self.units).min(full);
        self.counted_us = self.counted_us.max(now_us);
    }

    const fn take(&mut self) -> bool {
        let has = self.units >= TOKEN;
        if has {
            self.units -= TOKEN;
        }
        has
    }
}

const fn is_in(load: &Load, at_us: u64) -> bool {
    load.from_ms * 1_000 <= at_us && at_us < load.to_ms.saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_what_comes_back() {
        let mut account = Account::new(Limits { pending_per_account: 1_000, ..Limits::default() }, Vec::new(), 1);
        let passed = (0..200).filter(|volume| account.create_snapshot(*volume, 0, 0).is_ok()).count();
        assert_eq!(passed, 100);
        let later = (200..300).filter(|volume| account.create_snapshot(*volume, 0, 1_000).is_ok()).count();
        assert_eq!(later, 5);
    }

    #[test]
    fn neighbours_drain_the_same_bucket() {
        let load = Load { from_ms: 0, to_ms: 3_600_000, calls_per_s: 20.0 };
        let mut account = Account::new(Limits::default(), vec![load], 1);
        assert!(account.tokens(600_000) < 10, "four times as many calls as come back leave next to nothing");
        assert_eq!(account.tokens(3_600_000 + 60_000), 100, "a minute after they ended it is full");
    }
}
