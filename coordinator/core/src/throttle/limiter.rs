//! The limit: how it falls when EC2 throttles, how it rises when all is calm, and that it holds when nobody knows.
//!
//! Additive increase, multiplicative decrease: several coordinators that share one account and see its throttling alike come to equal shares
//! (Chiu and Jain 1989), whatever they began with. The argument for stability is in ARCHITECTURE.md.

use super::evidence::{Evidence, Level, Source};
use super::fusion::Assessment;
use super::settings::{LimiterSettings, RECENT_MS};
use crate::time::Mono;

/// How much of the limit is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Volumes between release and cut, and snapshots that are still pending where they can be seen.
    pub volumes: u32,
    /// Whether a group waits for the budget.
    pub waited_for: bool,
}

impl Usage {
    /// Whether a higher limit would have been used.
    pub const fn fills(self, limit: u32) -> bool {
        self.volumes >= limit || self.waited_for
    }
}

/// Why the limit changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// EC2 throttles.
    Throttled(Source, Evidence),
    /// A calm period in which the limit was used up.
    Calm(Source, Evidence),
    /// The ceiling was lowered below it, or raised while nothing held it down.
    Ceiling,
    /// Somebody else changed it: another coordinator, or a person.
    Adopted,
}

impl Why {
    /// Its word in metrics and logs.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Throttled(..) => "throttled",
            Self::Calm(..) => "calm",
            Self::Ceiling => "ceiling",
            Self::Adopted => "adopted",
        }
    }
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Throttled(source, evidence) => write!(f, "throttled ({source}): {evidence}"),
            Self::Calm(source, evidence) => write!(f, "calm while it was used up ({source}): {evidence}"),
            Self::Ceiling => f.write_str("MAX_CONCURRENT_SNAPSHOTS was changed"),
            Self::Adopted => f.write_str("its Lease was changed by hand or by another coordinator"),
        }
    }
}

/// The limit changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it was, volumes.
    pub from: u32,
    /// What it is, volumes.
    pub to: u32,
    /// The ceiling, volumes.
    pub max: u32,
    /// Why.
    pub why: Why,
}

/// The limit, and what it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limiter {
    settings: LimiterSettings,
    limit: u32,
    /// When it was last lowered by throttling, or taken over while it was low.
    lowered_at: Option<Mono>,
    /// How long it has been calm since the limit last changed, ms.
    calm_ms: u64,
    /// Whether the limit was used up since it last changed.
    was_used_up: bool,
    /// The last step, if it was calm then.
    calm_at: Option<Mono>,
}

impl Limiter {
    /// One that nothing holds down yet.
    pub const fn new(settings: LimiterSettings) -> Self {
        Self { settings, limit: settings.max, lowered_at: None, calm_ms: 0, was_used_up: false, calm_at: None }
    }

    /// The limit, volumes: at least 1, at most the ceiling.
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// What is set.
    pub const fn settings(&self) -> LimiterSettings {
        self.settings
    }

    /// Takes over a limit that stands written (after a restart, a change of leader, by hand). `ceiling` is the one under which it was
    /// written: a limit that was at its ceiling was held down by nothing and goes to the new one. What was seen before counts no more, also
    /// where the new ceiling is below the limit, so that nothing changes.
    pub fn adopt(&mut self, limit: u32, ceiling: u32, now: Mono) -> Option<Change> {
        let max = self.settings.max;
        let was_lowered = limit < ceiling;
        let to = if was_lowered { limit.clamp(1, max) } else { max };
        let changed = (to != self.limit).then_some(Change { from: self.limit, to, max, why: Why::Adopted });
        if changed.is_some() {
            self.moved(to);
            self.lowered_at = was_lowered.then_some(now);
        } else if was_lowered {
            self.lowered_at = self.lowered_at.or(Some(now));
        }
        changed
    }

    /// Changes the ceiling.
    pub fn set_max(&mut self, max: u32) -> Option<Change> {
        let max = max.max(1);
        let was_at_ceiling = self.limit >= self.settings.max;
        self.settings.max = max;
        let to = if was_at_ceiling { max } else { self.limit.min(max) };
        (to != self.limit).then(|| self.change(to, Why::Ceiling))
    }

    /// Decides once. Any number of calls may be made at one moment, and any time may lie between two.
    pub fn step(&mut self, assessment: &Assessment, usage: Usage, now: Mono) -> Option<Change> {
        let calm_since = self.calm_at.take();
        self.was_used_up |= usage.fills(self.limit);
        match assessment.level {
            Level::Throttled => {
                self.calm_ms = 0;
                self.was_used_up = false;
                let is_news = self.lowered_at.is_none_or(|lowered| {
                    let effect = lowered.plus_ms(self.settings.cool_down_ms);
                    now >= effect && assessment.at.is_some_and(|at| at >= effect)
                });
                if !is_news || self.limit == 1 {
                    return None;
                }
                self.lowered_at = Some(now);
                let why = Why::Throttled(assessment.source, assessment.evidence.clone());
                Some(self.change((self.limit / 2).max(1), why))
            }
            Level::Calm => {
                self.calm_at = Some(now);
                // Two looks far apart do not prove that it was calm all the while.
                let calm_ms = calm_since.map_or(0, |since| now.ms_since(since).min(RECENT_MS));
                self.calm_ms = self.calm_ms.saturating_add(calm_ms);
                let cooled = self.lowered_at.is_none_or(|lowered| now.ms_since(lowered) >= self.settings.cool_down_ms);
                let due = cooled && self.calm_ms >= self.settings.calm_period_ms && self.was_used_up;
                if !due || self.limit >= self.settings.max {
                    return None;
                }
                let why = Why::Calm(assessment.source, assessment.evidence.clone());
                // At most twice as much: where EC2 allows one or two, a high ceiling's step would be a burst.
                let to = self.limit.saturating_add(self.settings.step().min(self.limit)).min(self.settings.max);
                Some(self.change(to, why))
            }
            Level::Unknown => None,
        }
    }

    fn change(&mut self, to: u32, why: Why) -> Change {
        let change = Change { from: self.limit, to, max: self.settings.max, why };
        self.moved(to);
        change
    }

    fn moved(&mut self, to: u32) {
        (self.limit, self.calm_ms, self.was_used_up) = (to, 0, false);
    }
}

#[cfg(test)]
#[path = "limiter_tests.rs"]
mod tests;
