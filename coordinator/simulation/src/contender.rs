//! Who decides how many volumes may be in use: the product's limiter, and what it is measured against.

use coordinator_core::objects::ObjectKey;
use coordinator_core::throttle::contents::Content;
use coordinator_core::throttle::driver::Counters;
use coordinator_core::throttle::limiter::{Limiter, Usage};
use coordinator_core::throttle::settings::LimiterSettings;
use coordinator_core::throttle::signals::{Signal, Signals};
use coordinator_core::time::{Mono, Now};
use shared::time::WallTime;

/// How old the original's data are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Looked at every minute.
    Perfect,
    /// Looked at once an hour, as it did.
    Hourly,
}

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// The product: the real signals (the driver's counters and contents), fused, and the real limiter.
    Ours(LimiterSettings),
    /// Always so many.
    Fixed(u32),
    /// `max(1, MAX - ceil(throttled / 2))`, where throttled is the worst 5 minutes of the last hour, from a metric that would exist.
    Original(u32, Freshness),
    /// Netflix's concurrency-limits, `AIMDLimit`: each refused call takes a tenth off; each call that passes while at least half of the limit
    /// is in use adds one. It sees every answer at once, which nobody outside the driver can.
    Netflix(u32),
    /// Knows the bucket and all quotas at every moment and never makes a call that would be refused.
    Omniscient,
}

/// The one endpoint that is scraped.
const ENDPOINT: &str = "ebs-csi-controller";

/// A contender at work.
#[derive(Debug)]
pub(crate) struct Budget {
    contender: Contender,
    limit: u32,
    limiter: Limiter,
    signals: Signals,
    counters: Counters,
}

impl Budget {
    pub(crate) fn new(contender: Contender, pending_quota: u32) -> Self {
        let (settings, limit) = match contender {
            Contender::Ours(settings) => (settings, settings.max),
            Contender::Fixed(max) | Contender::Original(max, _) | Contender::Netflix(max) => {
                (LimiterSettings::with_max(max), max)
            }
            Contender::Omniscient => (LimiterSettings::with_max(pending_quota), pending_quota),
        };
        let mut signals = Signals::default();
        signals.contents.set_visible(true);
        signals.driver.set_on(true);
        let counters = Counters { calls: Some(0), ..Counters::default() };
        Self { contender, limit, limiter: Limiter::new(settings), signals, counters }
    }

    pub(crate) const fn limit(&self) -> u32 {
        self.limit
    }

    pub(crate) const fn is_omniscient(&self) -> bool {
        matches!(self.contender, Contender::Omniscient)
    }

    const fn is_ours(&self) -> bool {
        matches!(self.contender, Contender::Ours(_))
    }

    /// A call was answered.
    pub(crate) fn answered(&mut self, refused: Option<&'static str>, throttled: bool, in_use: u32) {
        match refused {
            _ if throttled => self.counters.throttles += 1,
            Some(code) => *self.counters.errors.entry(code.to_owned()).or_default() += 1,
            None => self.counters.calls = self.counters.calls.map(|calls| calls + 1),
        }
        if let Contender::Netflix(max) = self.contender {
            if refused.is_some() {
                self.limit = (self.limit * 9 / 10).max(1);
            } else if in_use.saturating_mul(2) >= self.limit {
                self.limit = (self.limit + 1).min(max);
            }
        }
    }

    /// A content changed, or is gone.
    pub(crate) fn content(&mut self, snapshot: ObjectKey, handle: bool, ready: bool, error: Option<&str>, now_ms: u64) {
        if self.is_ours() {
            let content = Content {
                snapshot,
                being_created: !handle,
                handle,
                ready: handle.then_some(ready),
                error: error.map(str::to_owned),
            };
            self.signals.hear(Signal::Content(content), Mono(now_ms));
        }
    }

    pub(crate) fn content_gone(&mut self, snapshot: ObjectKey, now_ms: u64) {
        if self.is_ours() {
            self.signals.hear(Signal::ContentGone(snapshot), Mono(now_ms));
        }
    }

    pub(crate) fn scrape(&mut self, now_ms: u64) {
        if self.is_ours() {
            self.signals.hear(Signal::Scraped(ENDPOINT.to_owned(), self.counters.clone()), Mono(now_ms));
        }
    }

    /// Looks, as the coordinator does every second.
    pub(crate) fn look(&mut self, usage: Usage, throttled_by_minute: &[u32], now_ms: u64) {
        match self.contender {
            Contender::Ours(_) => {
                let wall = WallTime::EPOCH.plus_ms(i64::try_from(now_ms).unwrap_or(i64::MAX));
                let assessment = self.signals.assess(Now { mono: Mono(now_ms), wall });
                self.limiter.step(&assessment, usage, Mono(now_ms));
                self.limit = self.limiter.limit();
            }
            Contender::Original(max, freshness) => {
                let every_ms = if freshness == Freshness::Hourly { 3_600_000 } else { 60_000 };
                if now_ms % every_ms < 1_000 {
                    let worst = worst_five_minutes(throttled_by_minute, now_ms);
                    self.limit = max.saturating_sub(worst.div_ceil(2)).max(1);
                }
            }
            Contender::Fixed(_) | Contender::Netflix(_) | Contender::Omniscient => {}
        }
    }
}

/// The most throttled calls of any 5 minutes of the last hour: a period of 300 s, statistic Sum, and the maximum of those.
fn worst_five_minutes(by_minute: &[u32], now_ms: u64) -> u32 {
    let now = usize::try_from(now_ms / 60_000).unwrap_or(usize::MAX);
    let from = now.saturating_sub(60).min(by_minute.len());
    by_minute[from..now.min(by_minute.len())].chunks(5).map(|five| five.iter().sum()).max().unwrap_or(0)
}
