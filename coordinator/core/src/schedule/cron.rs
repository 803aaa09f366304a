//! A slot as plain UTC cron lines of five fields, and back: the only form of cron that every Velero reads alike.

use std::collections::{BTreeMap, BTreeSet};

use super::minute::Minute;

/// The cron lines that fire at exactly these minutes: `M H * * *`, or `M H1,H2 * * *` for several of one minute of the hour.
/// One line for every slot that the planner chose itself; fixed times of several minutes of the hour need a line (and a Schedule) each.
/// No `TZ=`: up to 1.14 Velero refuses it, later images lack the time zones (velero#9519).
pub fn lines(minutes: impl IntoIterator<Item = Minute>) -> Vec<String> {
    let mut hours: BTreeMap<u16, BTreeSet<u16>> = BTreeMap::new();
    for minute in minutes {
        hours.entry(minute.minute_of_hour()).or_default().insert(minute.hour());
    }
    hours
        .into_iter()
        .map(|(minute, hours)| {
            let hours: Vec<String> = hours.iter().map(u16::to_string).collect();
            format!("{minute} {} * * *", hours.join(","))
        })
        .collect()
}

/// The minutes of a daily cron line as [`lines`] writes it; none for every other kind of line.
pub fn minutes(line: &str) -> Option<BTreeSet<Minute>> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [minute, hours, "*", "*", "*"] = fields.as_slice() else { return None };
    let minutes = numbers(minute, 60)?;
    let hours = numbers(hours, 24)?;
    hours.iter().flat_map(|hour| minutes.iter().map(move |minute| Minute::new(hour * 60 + minute))).collect()
}

fn numbers(list: &str, below: u16) -> Option<Vec<u16>> {
    list.split(',')
        .map(|n| n.parse().ok().filter(|n| *n < below && list.bytes().all(|b| b.is_ascii_digit() || b == b',')))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn written_and_read_again(slots in prop::collection::btree_set(0u16..1_440, 1..30)) {
            let slots: BTreeSet<Minute> = slots.into_iter().filter_map(Minute::new).collect();
            let written = lines(slots.iter().copied());
            let read: BTreeSet<Minute> = written.iter().flat_map(|line| minutes(line).unwrap()).collect();
            prop_assert_eq!(read, slots);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9*/, +-]{0,40}") {
            let _ = minutes(&text);
        }
    }

    #[test]
    fn one_line_for_one_minute_of_the_hour() {
        let at = |text: &str| text.parse::<Minute>().unwrap();
        assert_eq!(lines([at("14:07"), at("02:07")]), ["7 2,14 * * *"]);
        assert_eq!(lines([at("02:30"), at("14:07")]), ["7 14 * * *", "30 2 * * *"]);
    }

    #[test]
    fn what_is_not_daily_is_not_read() {
        for line in [
            "",
            "@daily",
            "*/5 * * * *",
            "0 0 * * 1",
            "0 0 1 * *",
            "60 0 * * *",
            "0 24 * * *",
            "TZ=UTC 0 0 * * *",
            "+1 0 * * *",
            "1- 0 * * *",
        ] {
            assert_eq!(minutes(line), None, "`{line}`");
        }
    }
}
