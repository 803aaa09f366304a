//! How are many measurements of one thing told in three numbers?

/// At least one measurement, sorted.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Takes measurements in any order.
    ///
    /// # Panics
    /// When there is none, or one is no number: then nothing was measured, and no table may say otherwise.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        assert!(!values.is_empty(), "nothing was measured");
        assert!(values.iter().all(|value| value.is_finite()), "a measurement is no number: {values:?}");
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The least.
    pub fn min(&self) -> f64 {
        self.0[0]
    }

    /// The middle one (the lower of two).
    pub fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// The value that 99 of 100 do not exceed; with fewer than 100 measurements that is the greatest.
    pub fn p99(&self) -> f64 {
        self.percentile(99)
    }

    /// Nearest rank: the least value that is not below `percent` of all.
    fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0[rank - 1]
    }
}

/// Which number of the three is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// [`Samples::median`].
    Median,
    /// [`Samples::p99`].
    P99,
}

impl Compared {
    /// How it is called.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Median => "median",
            Self::P99 => "p99",
        }
    }

    /// That number.
    pub fn of(self, samples: &Samples) -> f64 {
        match self {
            Self::Median => samples.median(),
            Self::P99 => samples.p99(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: impl IntoIterator<Item = u32>, expected: (u32, u32, u32)) {
        let samples = Samples::of(values.into_iter().map(f64::from));
        let (min, median, p99) = expected;
        for (is, should) in [(samples.min(), min), (samples.median(), median), (samples.p99(), p99)] {
            assert!((is - f64::from(should)).abs() < f64::EPSILON, "{samples:?}: {is}, not {should}");
        }
    }

    #[test]
    fn nearest_ranks() {
        check([7], (7, 7, 7));
        check([2, 1], (1, 1, 2));
        check([3, 1, 2], (1, 2, 3));
        check((1..=100).rev(), (1, 50, 99));
        check(1..=200, (1, 100, 198));
        check(1..=99, (1, 50, 99));
    }

    #[test]
    #[should_panic(expected = "nothing was measured")]
    fn nothing_is_no_measurement() {
        Samples::of([]);
    }
}
