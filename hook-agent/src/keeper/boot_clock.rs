//! The clock of holds: monotonic, and it goes on while the machine is suspended (`CLOCK_BOOTTIME`).

use std::io;

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};
use tokio::net::unix::pipe::Receiver;

/// ms since the machine began, its sleep included.
pub fn now_ms() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let s = u64::try_from(now.tv_sec).unwrap_or(0);
    s * 1_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000
}

/// Which start of the machine this is: times of [`now_ms`] count within one.
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// Rings once, at a moment of [`now_ms`].
pub struct Bell(Receiver);

impl Bell {
    /// Sets it. The moment may have passed.
    pub fn at_ms(boot_ms: u64) -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        let at = Timespec {
            tv_sec: i64::try_from(boot_ms / 1_000).unwrap_or(i64::MAX),
            // All zero would disarm it.
            tv_nsec: (i64::try_from(boot_ms % 1_000).unwrap_or(0) * 1_000_000).max(1),
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: at };
        timerfd_settime(&timer, TimerfdTimerFlags::ABSTIME, &once)?;
        // A timer is read from like a pipe; tokio's type for any descriptor can only be had by unsafe code.
        Receiver::from_owned_fd_unchecked(timer).map(Self)
    }

    /// Waits for it; at once when it has rung.
    pub async fn rung(&self) {
        // It is never read, so it stays readable. An error would be a broken reactor: then it is better to ring.
        let _ = self.0.readable().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_rings_at_its_time_and_stays_rung() {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            Bell::at_ms(0).unwrap().rung().await;
            let at_ms = now_ms() + 50;
            let bell = Bell::at_ms(at_ms).unwrap();
            bell.rung().await;
            assert!(now_ms() >= at_ms);
            bell.rung().await;
        });
        assert!(!boot_id().is_empty());
    }
}
