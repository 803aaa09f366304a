//! How somebody who looks gets to see the engine's state: it is asked, answers at most once a second, and does nothing for nobody.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;

use super::seen::Seen;

/// What was seen is shown for this long, ms: however many look, the engine's loop writes it down once a second at most.
const FRESH_MS: u64 = 1_000;

/// The loop answers within this, ms, or what it said last is shown, with its age. It takes a turn in far less.
const ANSWER_TIMEOUT_MS: u64 = 2_000;

type Taken = Option<(Instant, Arc<Seen>)>;

/// The side that looks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Onlooker {
    asks: Arc<watch::Sender<u64>>,
    seen: watch::Receiver<Taken>,
}

/// The side that shows.
#[derive(Debug)]
pub struct Shown {
    asked: watch::Receiver<u64>,
    seen: watch::Sender<Taken>,
}

/// Both sides.
pub fn channel() -> (Onlooker, Shown) {
    let (asks, asked) = watch::channel(0);
    let (show, seen) = watch::channel(None);
    (Onlooker { asks: Arc::new(asks), seen }, Shown { asked, seen: show })
}

impl Onlooker {
    /// What there is to see now, and how old it is, ms. Nothing while the loop has never answered.
    pub async fn look(&self) -> Option<(Arc<Seen>, u64)> {
        let mut seen = self.seen.clone();
        if !is_fresh(&seen.borrow_and_update()) {
            self.asks.send_modify(|asks| *asks = asks.wrapping_add(1));
            let answer = seen.wait_for(is_fresh);
            // In time or not: what is there is shown with its age.
            let _in_time = timeout(Duration::from_millis(ANSWER_TIMEOUT_MS), answer).await.is_ok();
        }
        let taken = self.seen.borrow();
        taken.as_ref().map(|(at, seen)| (Arc::clone(seen), age_ms(*at)))
    }
}

impl Shown {
    /// Waits until somebody asks. Nobody does any more when the process ends.
    pub async fn asked(&mut self) {
        if self.asked.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Answers, unless what was shown last is still fresh.
    pub fn show(&self, seen: impl FnOnce() -> Seen) {
        if !is_fresh(&self.seen.borrow()) {
            self.seen.send_replace(Some((Instant::now(), Arc::new(seen()))));
        }
    }
}

fn is_fresh(taken: &Taken) -> bool {
    taken.as_ref().is_some_and(|(at, _)| age_ms(*at) < FRESH_MS)
}

fn age_ms(at: Instant) -> u64 {
    u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn many_who_look_cost_one_answer_and_nobody_costs_none() {
        let (onlooker, mut shown) = channel();
        let answers = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&answers);
        let engine = tokio::spawn(async move {
            loop {
                shown.asked().await;
                shown.show(|| {
                    counted.fetch_add(1, Ordering::Relaxed);
                    Seen::default()
                });
            }
        });
        tokio::task::yield_now().await;
        assert_eq!(answers.load(Ordering::Relaxed), 0);
        let looks = (0..50).map(|_| onlooker.look());
        assert!(futures::future::join_all(looks).await.iter().all(Option::is_some));
        // A machine that stands still for a second in between may need one more.
        assert!(answers.load(Ordering::Relaxed) <= 2);
        engine.abort();
    }

    #[tokio::test]
    async fn a_loop_that_does_not_answer_is_not_waited_for_without_end() {
        let (onlooker, shown) = channel();
        assert!(onlooker.look().await.is_none());
        shown.show(Seen::default);
        assert!(onlooker.look().await.is_some());
    }
}
