//! How do figures look side by side? As a markdown table, each with its baseline, its ratio and its aims.

use std::fmt::Write as _;

use super::samples::{Compared, Samples};

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Ms,
    /// Megabytes of 1,000,000 bytes.
    Mb,
    /// Milliseconds of processor time in one second.
    MsPerS,
    /// How many in one second.
    PerS,
    /// How many in one minute.
    PerMin,
    /// How many.
    Count,
}

impl Unit {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ms => " ms",
            Self::Mb => " MB",
            Self::MsPerS => " ms/s",
            Self::PerS => " /s",
            Self::PerMin => " /min",
            Self::Count => "",
        }
    }
}

/// What is to be reached first, and in the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aim {
    /// The ratio to the baseline is no more than this.
    Ratio {
        /// At first.
        first: f64,
        /// In the end.
        last: f64,
    },
    /// The figure itself is no more than this, in its unit.
    AtMost {
        /// At first.
        first: f64,
        /// In the end.
        last: f64,
    },
    /// It is only to be known.
    Known,
}

/// One row: a figure and what it is compared with.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// In which unit.
    pub unit: Unit,
    /// The product's.
    pub ours: Samples,
    /// What it is compared with, in a few words, and that one's; `None` where there is nothing to compare with.
    pub baseline: Option<(String, Samples)>,
    /// Which numbers make the ratio and are held against the aim.
    pub compared: Compared,
    /// The aim.
    pub aim: Aim,
}

impl Figure {
    /// Ours to the baseline's; `None` without a baseline, or where that is nothing at all.
    pub fn ratio(&self) -> Option<f64> {
        self.ratio_of(self.compared)
    }

    fn ratio_of(&self, compared: Compared) -> Option<f64> {
        let (_, baseline) = self.baseline.as_ref()?;
        let below = compared.of(baseline);
        (below > 0.0).then(|| compared.of(&self.ours) / below)
    }

    /// Both ratios, the one that counts first: of few samples the p99 is one bad moment of the machine.
    fn ratios(&self) -> String {
        let other = match self.compared {
            Compared::Median => Compared::P99,
            Compared::P99 => Compared::Median,
        };
        let told = |compared: Compared| Some((short(self.ratio_of(compared)?), compared.as_str()));
        match (told(self.compared), told(other)) {
            (Some((ratio, number)), Some((beside, name))) if self.ours.count() > 1 => {
                format!("**{ratio}×** {number}, {beside}× {name}")
            }
            (Some((ratio, _)), _) => format!("**{ratio}×**"),
            (None, _) => "–".to_owned(),
        }
    }

    fn row(&self) -> String {
        let Self { what, unit, ours, baseline, compared: _, aim } = self;
        let baseline = baseline.as_ref();
        let besides =
            baseline.map_or_else(|| "–".to_owned(), |(name, samples)| format!("{name}: {}", three(samples, *unit)));
        let ratio = self.ratios();
        let (first, last) = self.judged(*aim);
        format!("| {what} | {} | {} | {besides} | {ratio} | {first} | {last} |", ours.count(), three(ours, *unit))
    }

    fn judged(&self, aim: Aim) -> (String, String) {
        let against = |is: Option<f64>, sign: &str, limit: f64| match is {
            Some(is) if is <= limit => format!("≤ {}{sign}: met", short(limit)),
            Some(_) => format!("≤ {}{sign}: **missed**", short(limit)),
            None => format!("≤ {}{sign}: not measured", short(limit)),
        };
        match aim {
            Aim::Ratio { first, last } => (against(self.ratio(), "×", first), against(self.ratio(), "×", last)),
            Aim::AtMost { first, last } => {
                let is = Some(self.compared.of(&self.ours));
                (against(is, self.unit.as_str(), first), against(is, self.unit.as_str(), last))
            }
            Aim::Known => ("–".to_owned(), "–".to_owned()),
        }
    }
}

/// The whole table.
pub fn markdown(figures: &[Figure]) -> String {
    let head = "| Figure | n | min / median / p99 | Baseline of the same run | Ratio | First aim | Final aim |\n\
                |---|---|---|---|---|---|---|\n";
    figures.iter().fold(head.to_owned(), |mut table, figure| {
        let _ = writeln!(table, "{}", figure.row());
        table
    })
}

/// Equal measurements are told once.
fn three(samples: &Samples, unit: Unit) -> String {
    let [min, median, p99] = [samples.min(), samples.median(), samples.p99()].map(short);
    let unit = unit.as_str();
    if min == median && median == p99 { format!("{median}{unit}") } else { format!("{min} / {median} / {p99}{unit}") }
}

/// Three digits are all that such a measurement is worth.
fn short(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        v if v >= 0.995 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(ours: f64, baseline: Option<f64>, aim: Aim) -> Figure {
        Figure {
            what: "release".to_owned(),
            unit: Unit::Ms,
            ours: Samples::of([ours]),
            baseline: baseline.map(|value| ("bare watch".to_owned(), Samples::of([value]))),
            compared: Compared::P99,
            aim,
        }
    }

    #[test]
    fn a_ratio_is_held_against_both_aims() {
        let row = figure(5.0, Some(2.0), Aim::Ratio { first: 3.0, last: 1.3 }).row();
        assert_eq!(row, "| release | 1 | 5 ms | bare watch: 2 ms | **2.5×** | ≤ 3×: met | ≤ 1.3×: **missed** |");
    }

    #[test]
    fn a_value_is_held_against_its_aims_without_a_baseline() {
        let row = figure(9.0, None, Aim::AtMost { first: 10.0, last: 8.0 }).row();
        assert_eq!(row, "| release | 1 | 9 ms | – | – | ≤ 10 ms: met | ≤ 8 ms: **missed** |");
    }

    #[test]
    fn many_samples_have_two_ratios() {
        let mut many = figure(6.0, Some(2.0), Aim::Ratio { first: 3.0, last: 1.3 });
        many.ours = Samples::of([2.0, 2.0, 6.0]);
        assert!(many.row().contains("| **3×** p99, 1× median |"), "{}", many.row());
    }

    #[test]
    fn nothing_to_divide_by_is_no_ratio() {
        let row = figure(9.0, Some(0.0), Aim::Ratio { first: 3.0, last: 1.3 }).row();
        assert!(row.ends_with("| – | ≤ 3×: not measured | ≤ 1.3×: not measured |"), "{row}");
    }

    #[test]
    fn three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (0.012_34, "0.012"),
            (0.5, "0.5"),
            (1.3, "1.3"),
            (9.994, "9.99"),
            (12.34, "12.3"),
            (1234.5, "1234"),
            (100.0, "100"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
