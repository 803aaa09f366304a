//! Whether a round is over.

use crate::round::Round;
use crate::time::Now;

/// After the Backup's cuts are over the round stays open for this, ms: the last post hooks' reports come by another watch.
const BACKUP_OVER_GRACE_MS: u64 = 2_000;

/// What a round is told to judge whether it is over.
#[derive(Clone, Copy, Debug)]
pub struct RoundFacts {
    /// Every expected pod took part and its part is over.
    pub all_expected_over: bool,
    /// Every cut that can be seen was seen.
    pub cuts_settled: bool,
    /// An attempt waits that cannot belong to this round.
    pub next_round_waits: bool,
    /// How long a round may last, ms.
    pub round_duration_ms: u64,
    /// How long nobody may be active, ms; without an end where a Backup is seen, because more members may come as long as it runs.
    pub round_idle_ms: Option<u64>,
}

impl Round {
    /// Whether the round is over; `facts` say what the round itself does not know.
    pub fn is_over(&self, facts: RoundFacts, now: Now) -> bool {
        if now.mono.ms_since(self.opened_mono) >= facts.round_duration_ms {
            return true;
        }
        if let Some(since) = self.backup_over {
            return facts.next_round_waits || now.mono.ms_since(since) >= BACKUP_OVER_GRACE_MS;
        }
        if facts.next_round_waits {
            return true;
        }
        if self.is_active() {
            return false;
        }
        if facts.all_expected_over && facts.cuts_settled {
            return true;
        }
        facts.round_idle_ms.is_some_and(|idle_ms| now.mono.ms_since(self.last_active) >= idle_ms)
    }
}
