//! What a person wishes for one workload, by annotations of the product's own prefix.

use shared::duration::{DurationError, parse_ms};
use shared::identity::shorten;

use crate::annotations::Annotations;

/// Leaves a workload out: `true` or `false`.
pub const SKIP: &str = "skip";
/// How long its backups are kept: `720h`, `30d`.
pub const TTL: &str = "ttl";
/// Velero's storage location for it.
pub const STORAGE_LOCATION: &str = "storage-location";
/// When it starts, in the plan's time zone: `03:15`; several with commas.
pub const AT: &str = "at";
/// Who goes first where not all find a place: -100 to 100, larger goes first.
pub const PRIORITY: &str = "priority";
/// How often a day: 1 to 24.
pub const TIMES_A_DAY: &str = "times-a-day";
/// The container that hooks run in.
pub const HOOK_CONTAINER: &str = "hook-container";

/// Every annotation, without the prefix `snapshot-group.velero.io/`.
pub const ALL: [&str; 7] = [SKIP, TTL, STORAGE_LOCATION, AT, PRIORITY, TIMES_A_DAY, HOOK_CONTAINER];

/// Ten years, hours: past every retention rule; a longer one is a slip.
pub const TTL_HOURS_MAX: u32 = 87_600;

/// Once an hour is past what one volume bears beside its 15 s rule and Velero's queue.
pub const TIMES_A_DAY_MAX: u32 = 24;

/// How far priorities go to either side.
pub const PRIORITY_MAX: i32 = 100;

/// Minutes of a day.
const DAY_MINUTES: u32 = 24 * 60;

/// What one object wishes; `None` is "as the settings say".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// See [`SKIP`].
    pub skip: Option<bool>,
    /// See [`TTL`]; hours.
    pub ttl_h: Option<u32>,
    /// See [`STORAGE_LOCATION`].
    pub storage_location: Option<String>,
    /// See [`AT`]; minutes of the day in the plan's time zone, sorted, each once.
    pub at: Option<Vec<u32>>,
    /// See [`PRIORITY`].
    pub priority: Option<i32>,
    /// See [`TIMES_A_DAY`].
    pub times_a_day: Option<u32>,
    /// See [`HOOK_CONTAINER`].
    pub hook_container: Option<String>,
}

/// An annotation that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("annotation snapshot-group.velero.io/{annotation} `{value}` {rule}")]
pub struct WishError {
    /// Its name, without the prefix.
    pub annotation: &'static str,
    /// What stood there, shortened.
    pub value: String,
    /// What it must be.
    pub rule: String,
}

/// Reads an object's annotations. What cannot be read counts as not there, and an error each says so.
pub fn read(annotations: &Annotations) -> (Wishes, Vec<WishError>) {
    let mut errors = Vec::new();
    let wishes = Wishes {
        skip: one(annotations, SKIP, switch, &mut errors),
        ttl_h: one(annotations, TTL, ttl_hours, &mut errors),
        storage_location: one(annotations, STORAGE_LOCATION, object_name, &mut errors),
        at: one(annotations, AT, times, &mut errors),
        priority: one(annotations, PRIORITY, priority, &mut errors),
        times_a_day: one(annotations, TIMES_A_DAY, times_a_day, &mut errors),
        hook_container: one(annotations, HOOK_CONTAINER, object_name, &mut errors),
    };
    (wishes, errors)
}

fn one<T>(
    annotations: &Annotations,
    annotation: &'static str,
    parse: fn(&str) -> Result<T, String>,
    errors: &mut Vec<WishError>,
) -> Option<T> {
    let value = annotations.get(annotation)?;
    match parse(value.trim()) {
        Ok(wish) => Some(wish),
        Err(rule) => {
            errors.push(WishError { annotation, value: shorten(value), rule });
            None
        }
    }
}

fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

/// A retention as whole hours: Go's form (`168h`, `1h30m` becomes 2), or days (`30d`).
///
/// # Errors
/// When it is no length of time, shorter than an hour or longer than [`TTL_HOURS_MAX`]; the text says what it must be.
pub fn ttl_hours(text: &str) -> Result<u32, String> {
    let rule = || format!("must be from 1h to {TTL_HOURS_MAX}h, such as 168h or 30d");
    let whole = |number: &str, hours: u64| number.parse::<u32>().ok().map(|n| u64::from(n) * hours);
    let days = text.strip_suffix('d').and_then(|number| whole(number, 24));
    let hours = match days.or_else(|| text.strip_suffix('h').and_then(|number| whole(number, 1))) {
        Some(hours) => hours,
        None => match parse_ms(text) {
            Ok(ms) => ms.div_ceil(3_600_000),
            Err(DurationError::NoUnit(_)) => return Err(format!("has no unit; write {text}h or {text}d")),
            Err(_) => return Err(rule()),
        },
    };
    u32::try_from(hours).ok().filter(|hours| (1..=TTL_HOURS_MAX).contains(hours)).ok_or_else(rule)
}

fn object_name(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    if (1..=253).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("must be an object's name: lowercase letters, digits, '-' or '.'".to_owned())
    }
}

/// One time of the day, `HH:MM`, as its minute.
///
/// # Errors
/// When it is none; the text says what it must be.
pub fn time_of_day(text: &str) -> Result<u32, String> {
    let rule = || "must be a time of the day such as 03:15".to_owned();
    let (hour, minute) = text.trim().split_once(':').ok_or_else(rule)?;
    let digits = |part: &str| part.len() <= 2 && !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour) || minute.len() != 2 || !digits(minute) {
        return Err(rule());
    }
    match (hour.parse::<u32>(), minute.parse::<u32>()) {
        (Ok(hour @ 0..24), Ok(minute @ 0..60)) => Ok((hour * 60 + minute) % DAY_MINUTES),
        _ => Err(rule()),
    }
}

fn times(text: &str) -> Result<Vec<u32>, String> {
    let mut minutes = text.split(',').map(time_of_day).collect::<Result<Vec<_>, _>>()?;
    minutes.sort_unstable();
    minutes.dedup();
    if minutes.len() > TIMES_A_DAY_MAX as usize {
        return Err(format!("must be {TIMES_A_DAY_MAX} times at most"));
    }
    Ok(minutes)
}

fn priority(text: &str) -> Result<i32, String> {
    let number = text.parse::<i32>().ok().filter(|number| (-PRIORITY_MAX..=PRIORITY_MAX).contains(number));
    number.ok_or_else(|| format!("must be a whole number from -{PRIORITY_MAX} to {PRIORITY_MAX}"))
}

fn times_a_day(text: &str) -> Result<u32, String> {
    let number = text.parse::<u32>().ok().filter(|number| (1..=TIMES_A_DAY_MAX).contains(number));
    number.ok_or_else(|| format!("must be a whole number from 1 to {TIMES_A_DAY_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn annotations(pairs: &[(&str, &str)]) -> Annotations {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn all_of_them() {
        let given = annotations(&[
            (SKIP, "False"),
            (TTL, "30d"),
            (STORAGE_LOCATION, "far-away"),
            (AT, "3:15, 15:15,3:15"),
            (PRIORITY, "-5"),
            (TIMES_A_DAY, "2"),
            (HOOK_CONTAINER, "db"),
        ]);
        let (wishes, errors) = read(&given);
        assert_eq!(errors, []);
        assert_eq!(
            wishes,
            Wishes {
                skip: Some(false),
                ttl_h: Some(720),
                storage_location: Some("far-away".into()),
                at: Some(vec![195, 915]),
                priority: Some(-5),
                times_a_day: Some(2),
                hook_container: Some("db".into()),
            }
        );
    }

    #[test]
    fn each_that_cannot_be_read_is_said_and_the_others_count() {
        let given = annotations(&[
            (SKIP, "perhaps"),
            (TTL, "168"),
            (STORAGE_LOCATION, "Far Away"),
            (AT, "24:00"),
            (PRIORITY, "high"),
            (TIMES_A_DAY, "0"),
            (HOOK_CONTAINER, "db"),
        ]);
        let (wishes, errors) = read(&given);
        assert_eq!(wishes, Wishes { hook_container: Some("db".into()), ..Wishes::default() });
        assert_eq!(errors.iter().map(|e| e.annotation).collect::<Vec<_>>(), ALL[..6]);
        assert_eq!(
            errors[1].to_string(),
            "annotation snapshot-group.velero.io/ttl `168` has no unit; write 168h or 168d"
        );
    }

    #[test]
    fn retentions() {
        for (text, hours) in [("168h", 168), ("1h", 1), ("90m", 2), ("1h30m", 2), ("87600h", 87_600), ("3650d", 87_600)]
        {
            assert_eq!(ttl_hours(text), Ok(hours), "{text}");
        }
        for text in ["0h", "87601h", "4294967295d", "", "h", "-1h", "week"] {
            assert!(ttl_hours(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let given: Annotations = ALL.iter().map(|key| ((*key).to_owned(), text.clone())).collect();
            let (_, errors) = read(&given);
            for error in errors {
                prop_assert!(error.to_string().len() < 700);
            }
        }

        #[test]
        fn every_minute_of_the_day_is_read_back(minute in 0u32..1440) {
            prop_assert_eq!(time_of_day(&format!("{:02}:{:02}", minute / 60, minute % 60)), Ok(minute));
        }
    }
}
