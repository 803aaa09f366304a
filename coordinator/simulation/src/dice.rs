//! Numbers that look random and are the same for the same seed.

/// `SplitMix64` (Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which must not be 0.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    /// Above 0, at most 1.
    #[expect(clippy::cast_precision_loss, reason = "a random number needs no more digits")]
    pub fn unit(&mut self) -> f64 {
        ((self.roll() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// Log-normal about its median; `sigma` is the spread of its logarithm.
    pub fn around(&mut self, median: u64, sigma: f64) -> u64 {
        let normal = (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos();
        scaled(median, (sigma * normal).exp())
    }

    /// The time to the next of events that come `per_s` a second, µs; at least 1.
    pub fn gap_us(&mut self, per_s: f64) -> u64 {
        scaled(1_000_000, -self.unit().ln() / per_s).max(1)
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "lengths of time far below 2^53, and never negative"
)]
fn scaled(length: u64, by: f64) -> u64 {
    (length as f64 * by) as u64
}
