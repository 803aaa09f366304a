//! What does a CloudWatch metric of throttled calls tell? Minutes late, but of the whole account.
//!
//! Nothing is assumed about the metric but that it counts what was throttled. An empty answer is what CloudWatch gives for a metric that does
//! not exist, so it is unknown and never zero; `AWS/EC2/API RequestLimitExceeded` exists only where AWS Support switched it on.

use shared::time::WallTime;

use super::evidence::{Evidence, Level, Silence, Source};
use super::signals::Reading;
use crate::time::{Mono, Now};

/// A newest period that ended longer ago, ms, says nothing about now. EC2 publishes by the minute, minutes late.
pub const POINT_OLD_MS: i64 = 600_000;
/// An answer that came longer ago, ms, is too old: five polls of a minute.
pub const ANSWER_OLD_MS: u64 = 300_000;
/// More in one period is no count: 1,000 times what EC2 takes in a day.
const COUNT_MAX: f64 = 1e9;

/// One period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// When it ended, by CloudWatch's clock.
    pub until: WallTime,
    /// Its sum, rounded up; or what stood there instead of a count.
    pub count: Result<u64, String>,
}

impl Point {
    /// Reads a value: NaN, negative and absurd ones are none.
    pub fn new(until: WallTime, value: f64) -> Self {
        let is_count = value.is_finite() && (0.0..=COUNT_MAX).contains(&value);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 1e9")]
        let count = if is_count { Ok(value.ceil() as u64) } else { Err(format!("{value}")) };
        Self { until, count }
    }
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The periods that CloudWatch has, in any order.
    Points(Vec<Point>),
    /// It has none; the text says what was asked for.
    NoSuchMetric(String),
    /// It did not answer, or refused; the text says why and what to do.
    Failed(String),
}

/// The metric.
#[derive(Clone, Debug)]
pub struct CloudWatch {
    on: bool,
    metric: String,
    /// From this sum on a period counts as throttled.
    threshold: u64,
    heard_at: Option<Mono>,
    answer: Option<(Mono, Answer)>,
}

impl Default for CloudWatch {
    fn default() -> Self {
        Self { on: false, metric: String::new(), threshold: 1, heard_at: None, answer: None }
    }
}

impl CloudWatch {
    /// Says that it is asked, about which metric, and from which sum on a period counts as throttled.
    pub fn set_on(&mut self, metric: String, threshold: u64) {
        (self.on, self.metric, self.threshold) = (true, metric, threshold.max(1));
    }

    /// It was asked.
    pub fn answered(&mut self, answer: Answer, now: Mono) {
        self.heard_at = Some(now);
        self.answer = Some((now, answer));
    }

    /// What it says now.
    pub fn reading(&self, now: Now) -> Reading {
        let (level, evidence, at) = self.judge(now);
        Reading { source: Source::CloudWatch, level, evidence, at, heard_at: self.heard_at }
    }

    fn judge(&self, now: Now) -> (Level, Evidence, Option<Mono>) {
        let nothing = |silence| (Level::Unknown, Evidence::Nothing(silence), None);
        if !self.on {
            return nothing(Silence::Off);
        }
        let Some((heard_at, answer)) = &self.answer else { return nothing(Silence::NotHeardYet) };
        if now.mono.ms_since(*heard_at) > ANSWER_OLD_MS {
            return nothing(Silence::Old);
        }
        let points = match answer {
            Answer::Points(points) => points,
            Answer::NoSuchMetric(what) => return nothing(Silence::NoSuchMetric(what.clone())),
            Answer::Failed(why) => return nothing(Silence::Unreadable(why.clone())),
        };
        let Some(newest) = points.iter().max_by_key(|point| point.until) else {
            return nothing(Silence::NoSuchMetric(self.metric.clone()));
        };
        // A period that ends in our future is one of a clock that is ahead, or one that has begun.
        let ago_ms = now.wall.ms_since(newest.until).max(0);
        if ago_ms > POINT_OLD_MS {
            return nothing(Silence::Old);
        }
        let at = Mono(now.mono.0.saturating_sub(u64::try_from(ago_ms).unwrap_or(0)));
        match &newest.count {
            Err(value) => nothing(Silence::Nonsense(format!("{} is {value}", self.metric))),
            Ok(count) if *count >= self.threshold => {
                let evidence =
                    Evidence::CloudWatchCount { metric: self.metric.clone(), count: *count, until: newest.until };
                (Level::Throttled, evidence, Some(at))
            }
            Ok(_) => {
                let evidence = Evidence::CloudWatchZero { metric: self.metric.clone(), until: newest.until };
                (Level::Calm, evidence, Some(at))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now { mono: Mono(10_000_000), wall: WallTime::EPOCH };

    fn now() -> Now {
        Now { wall: WallTime::from_micros(1_700_000_000_000_000), ..NOW }
    }

    fn point(ago_s: i64, value: f64) -> Point {
        Point::new(now().wall.plus_ms(-ago_s * 1_000), value)
    }

    fn reading(answer: Answer) -> Reading {
        let mut cloudwatch = CloudWatch::default();
        cloudwatch.set_on("RequestLimitExceeded".to_owned(), 1);
        cloudwatch.answered(answer, Mono(NOW.mono.0 - 1_000));
        cloudwatch.reading(now())
    }

    #[test]
    fn the_newest_period_counts() {
        let throttled = reading(Answer::Points(vec![point(60, 3.0), point(120, 0.0)]));
        assert_eq!((throttled.level, throttled.at), (Level::Throttled, Some(Mono(NOW.mono.0 - 60_000))));
        assert_eq!(throttled.evidence.to_string(), "CloudWatch RequestLimitExceeded was 3 in the period to 22:12 UTC");
        assert_eq!(reading(Answer::Points(vec![point(60, 0.0), point(120, 9.0)])).level, Level::Calm);
        // A clock that is ahead makes no future evidence.
        assert_eq!(reading(Answer::Points(vec![point(-300, 1.0)])).at, Some(NOW.mono));
    }

    #[test]
    fn no_data_is_not_calm() {
        for (answer, silence) in [
            (Answer::Points(vec![]), Silence::NoSuchMetric("RequestLimitExceeded".to_owned())),
            (Answer::NoSuchMetric("x".to_owned()), Silence::NoSuchMetric("x".to_owned())),
            (Answer::Failed("AccessDenied".to_owned()), Silence::Unreadable("AccessDenied".to_owned())),
            (Answer::Points(vec![point(601, 0.0)]), Silence::Old),
        ] {
            let reading = reading(answer);
            assert_eq!((reading.level, reading.evidence), (Level::Unknown, Evidence::Nothing(silence)));
        }
        let mut cloudwatch = CloudWatch::default();
        assert_eq!(cloudwatch.reading(now()).evidence, Evidence::Nothing(Silence::Off));
        cloudwatch.set_on("m".to_owned(), 1);
        assert_eq!(cloudwatch.reading(now()).evidence, Evidence::Nothing(Silence::NotHeardYet));
        cloudwatch.answered(Answer::Points(vec![point(60, 0.0)]), Mono(NOW.mono.0 - ANSWER_OLD_MS - 1));
        assert_eq!(cloudwatch.reading(now()).evidence, Evidence::Nothing(Silence::Old));
    }

    #[test]
    fn what_is_no_count_is_unknown() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 1e10, f64::MAX] {
            let reading = reading(Answer::Points(vec![point(60, value)]));
            assert!(matches!(reading.evidence, Evidence::Nothing(Silence::Nonsense(_))), "{value}: {reading:?}");
        }
        assert_eq!(Point::new(WallTime::EPOCH, 0.25).count, Ok(1), "a part of a call is a call");
    }
}
