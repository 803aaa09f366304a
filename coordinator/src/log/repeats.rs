//! Which lines say again what was said a moment ago: a trouble that lasts is worth a line a minute, not one a try.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The same text is said again after this, ms.
const SAID_AGAIN_AFTER_MS: u64 = 60_000;

/// So many texts are remembered; past them everything is said.
const TEXTS_MAX: usize = 1_000;

/// What was said lately.
#[derive(Debug, Default)]
pub struct Repeats(BTreeMap<String, Instant>);

impl Repeats {
    /// Whether to say `text` now.
    pub fn worth_saying(&mut self, text: &str, now: Instant) -> bool {
        let lately = |said: &Instant| now.duration_since(*said) < Duration::from_millis(SAID_AGAIN_AFTER_MS);
        if self.0.get(text).is_some_and(lately) {
            return false;
        }
        if self.0.len() >= TEXTS_MAX {
            self.0.retain(|_, said| lately(said));
        }
        if self.0.len() < TEXTS_MAX {
            self.0.insert(text.to_owned(), now);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_a_minute_and_memory_is_bounded() {
        let (mut repeats, begin) = (Repeats::default(), Instant::now());
        assert!(repeats.worth_saying("a", begin) && repeats.worth_saying("b", begin));
        assert!(!repeats.worth_saying("a", begin + Duration::from_secs(59)));
        assert!(repeats.worth_saying("a", begin + Duration::from_mins(1)));
        for n in 0..2 * TEXTS_MAX {
            assert!(repeats.worth_saying(&n.to_string(), begin + Duration::from_mins(1)));
        }
        assert!(repeats.0.len() <= TEXTS_MAX);
    }
}
