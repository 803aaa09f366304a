//! Tells the rest that the process is asked to stop (SIGTERM, SIGINT).

use std::io;
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::sync::watch;

/// Becomes true once the process is asked to stop, and stays so.
pub type Stop = watch::Receiver<bool>;

/// Starts listening for signals on a thread of its own.
pub fn listen() -> io::Result<Stop> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let (tell, stop) = watch::channel(false);
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for _signal in signals.forever() {
            tell.send_replace(true);
        }
    })?;
    Ok(stop)
}

/// Waits until the process is asked to stop.
pub async fn stopped(mut stop: Stop) {
    // The sender lives in a thread that never ends; should it be gone all the same, nobody can ask us any more: stop.
    let _asked = stop.wait_for(|asked| *asked).await.is_ok();
}
