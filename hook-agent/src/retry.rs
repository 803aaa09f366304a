//! How long to pause between tries. The only file that knows the `backoff` crate.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;

use shared::deadline::CALL_TIMEOUT_MS;
use tokio::time::timeout;

use crate::call::CallError;
use crate::clock::Clock;

/// The first pause, ms: a restarted API server behind a load balancer answers the next connection.
const PAUSE_FIRST_MS: u64 = 50;

/// The longest pause, ms: when the API server comes back, a hook that blocks Velero must notice soon.
const PAUSE_MAX_MS: u64 = 2_000;

/// Less time than this before the end is not worth another try, ms: the call could not be answered.
const TRY_MIN_MS: u64 = 100;

/// How often a refused token is tried again: it may just be rotated. Other refusals do not go away by themselves.
const UNAUTHORISED_TRIES: u32 = 3;

/// Pauses that grow from [`PAUSE_FIRST_MS`] to [`PAUSE_MAX_MS`], spread by half so that a thousand hooks do not knock at once.
#[derive(Debug)]
pub struct Pauses(ExponentialBackoff);

impl Pauses {
    /// A new row of pauses.
    pub fn new() -> Self {
        let mut schedule = ExponentialBackoff {
            initial_interval: Duration::from_millis(PAUSE_FIRST_MS),
            current_interval: Duration::from_millis(PAUSE_FIRST_MS),
            max_interval: Duration::from_millis(PAUSE_MAX_MS),
            multiplier: 2.0,
            randomization_factor: 0.5,
            // The end of trying is the caller's deadline, not a matter of the pauses.
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        schedule.reset();
        Self(schedule)
    }

    /// The next pause, ms; never shorter than what the server asked for.
    pub fn next_ms(&mut self, asked: Option<Duration>) -> u64 {
        let own = self.0.next_backoff().unwrap_or(Duration::from_millis(PAUSE_MAX_MS));
        let pause = asked.map_or(own, |asked| asked.max(own));
        u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Why trying ended without success.
#[derive(Debug, thiserror::Error)]
pub enum GaveUp {
    /// The server said no, and will say so again.
    #[error("the API server refused")]
    Refused(#[source] CallError),
    /// The time was over, or what the server asked to wait is longer than what is left.
    #[error("no usable answer from the API server in {tries} tries over {over_ms} ms")]
    OutOfTime {
        /// How often it was tried.
        tries: u32,
        /// For how long, ms.
        over_ms: u64,
        /// What the last try came to.
        #[source]
        last: CallError,
    },
}

/// Calls until it succeeds, is refused for good, or `end_ms` (of `clock`) comes. `call` gets the time it may take;
/// `on_failure` hears of every failed try, for progress lines.
pub async fn until<T>(
    clock: &Clock,
    end_ms: u64,
    mut call: impl AsyncFnMut(Duration) -> Result<T, CallError>,
    mut on_failure: impl FnMut(&CallError),
) -> Result<T, GaveUp> {
    let began_ms = clock.elapsed_ms();
    let mut pauses = Pauses::new();
    let mut tries = 0;
    loop {
        let left_ms = end_ms.saturating_sub(clock.elapsed_ms());
        // One try may be several calls; together they end at the end too.
        let whole = Duration::from_millis(left_ms.max(TRY_MIN_MS));
        let error = match timeout(whole, call(call_limit(left_ms))).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error,
            Err(_) => CallError::TimedOut { limit_ms: left_ms },
        };
        tries += 1;
        on_failure(&error);
        if error.is_final(tries) {
            return Err(GaveUp::Refused(error));
        }
        let now_ms = clock.elapsed_ms();
        let left_ms = end_ms.saturating_sub(now_ms);
        let asked = error.retry_after();
        let pause_ms = pauses.next_ms(asked);
        if left_ms < TRY_MIN_MS || asked.is_some_and(|asked| asked.as_millis() >= u128::from(left_ms)) {
            return Err(GaveUp::OutOfTime { tries, over_ms: now_ms - began_ms, last: error });
        }
        // A pause that would run past the end is cut so that one last try fits.
        clock.sleep_until_ms(now_ms + pause_ms.min(left_ms - TRY_MIN_MS)).await;
    }
}

/// How long one call may take when `left_ms` are left.
pub fn call_limit(left_ms: u64) -> Duration {
    Duration::from_millis(left_ms.clamp(TRY_MIN_MS, CALL_TIMEOUT_MS))
}

impl CallError {
    /// Whether another try is pointless after this many.
    pub fn is_final(&self, tries: u32) -> bool {
        match self {
            Self::Refused { status: 401, .. } => tries >= UNAUTHORISED_TRIES,
            Self::Refused { .. } | Self::NotFound { .. } | Self::Unusable { .. } => true,
            Self::TimedOut { .. }
            | Self::Unreachable { .. }
            | Self::Busy { .. }
            | Self::Conflict { .. }
            | Self::Garbage { .. } => false,
        }
    }
}
