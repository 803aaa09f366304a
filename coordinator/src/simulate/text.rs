//! A simulation for people.

use std::fmt::Write as _;

use coordinator_simulation::advice::{AS_GOOD_PERCENT, Advice, THROTTLED_MAX_PER_MILLE, Tried, Why};

use super::Simulated;

/// The text, with a line end.
pub fn render(simulated: &Simulated) -> String {
    let Simulated { groups, volumes, nights, seed, window_ms, neighbour_calls, shown, advice } = simulated;
    let mut text = format!(
        "{groups} groups, {volumes} volumes; {nights} nights from seed {seed}; window {} h; neighbours call {neighbour_calls} times a second.\n\n",
        window_ms / 3_600_000
    );
    table(&mut text, shown.iter().map(|(tried, _)| tried));
    if let Some(advice) = advice {
        let _ = write!(text, "\n{}\n", reason(advice));
        text.push_str("\nWhat was tried for that:\n\n");
        table(&mut text, advice.tried.iter());
    }
    text.push_str(
        "\nMAKESPAN, THROTTLED and HELD are the median night's, the rest the worst night's. A model: see docs/sizing.md for what it knows.\n",
    );
    text
}

fn table<'a>(text: &mut String, rows: impl Iterator<Item = &'a Tried>) {
    text.push_str("MAX  MAKESPAN   THROTTLED  HELD AT MOST  MISSED WINDOW  FAILED VOLUMES  OVER BUDGET\n");
    for row in rows {
        let Tried { max, makespan_ms, throttled_per_mille, missed_window, failed_volumes, over_budget, frozen_max_ms } =
            row;
        let per_cent = format!("{}.{} %", throttled_per_mille / 10, throttled_per_mille % 10);
        let _ = writeln!(
            text,
            "{max:<4} {:<10} {per_cent:<10} {:<13} {missed_window:<14} {failed_volumes:<15} {over_budget}",
            length(*makespan_ms),
            length(*frozen_max_ms)
        );
    }
}

/// The recommendation as a sentence.
pub fn reason(advice: &Advice) -> String {
    let Advice { max, largest_group, .. } = *advice;
    let fits = if max >= largest_group {
        format!("into which every group fits (the largest has {largest_group} volumes) and ")
    } else {
        String::new()
    };
    let alone = if max < largest_group {
        format!(" The largest group has {largest_group} volumes: it is released when nothing else is, and alone.")
    } else {
        String::new()
    };
    match advice.why {
        Why::SmallestAsGood => format!(
            "Recommended: MAX_CONCURRENT_SNAPSHOTS={max}. It is the smallest {fits}with which the night is within {AS_GOOD_PERCENT} % of the shortest, no more than {}.{} % of the calls are throttled, and nothing is left undone.{alone}",
            THROTTLED_MAX_PER_MILLE / 10,
            THROTTLED_MAX_PER_MILLE % 10
        ),
        Why::LeastBad => format!(
            "Recommended: MAX_CONCURRENT_SNAPSHOTS={max}. None of those tried gets everything done without throttling; with this one the least is left undone. A longer window, more concurrent backups or fewer calls by others would help more than any budget."
        ),
    }
}

/// Such as `1 h 04 min`, `7 min 05 s` or `12 s`.
pub fn length(ms: u64) -> String {
    let s = ms.div_ceil(1_000);
    match (s / 3_600, s / 60 % 60, s % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, min, s) => format!("{min}m {s:02}s"),
        (h, min, _) => format!("{h}h {min:02}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_short() {
        assert_eq!([length(900), length(65_000), length(3_900_000)], ["1 s", "1m 05s", "1h 05m"]);
    }
}
