//! What is done to the victims of a case, and who starts what again.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use testbed::api::{Effect, Fault, Target};

use crate::bed::{Bed, lock};
use crate::case::{Action, Case, Victim};

/// An API server that ends is back after this.
const SERVER_AWAY: Duration = Duration::from_secs(3);

/// Strikes all victims; what is given ends when the last of them goes on, or its successor was started.
pub async fn strike(bed: &Arc<Bed>, case: &Case, hook: Option<u32>) -> tokio::task::JoinSet<()> {
    let mut mending = tokio::task::JoinSet::new();
    for victim in case.victims.iter().copied() {
        let bed = Arc::clone(bed);
        let processes = match victim {
            Victim::Hook => hook.into_iter().collect(),
            Victim::Keeper => bed.pods[0].processes("keep"),
            Victim::Resident => bed.pods[0].resident().into_iter().collect(),
            Victim::Coordinator => vec![lock(&bed.coordinators)[0].pid()],
            Victim::Server => vec![],
        };
        match (case.action, victim) {
            (Action::Kill, Victim::Server) => {
                bed.cluster.server.go_down().await;
                mending.spawn(async move {
                    tokio::time::sleep(SERVER_AWAY).await;
                    bed.cluster.server.come_back().await.expect("the port is free");
                });
            }
            (Action::Stop, Victim::Server) => {
                let silence = bed.cluster.server.faults().add(Fault::new(Target::any(), Effect::Silence));
                mending.spawn(async move {
                    tokio::time::sleep(victim.stopped()).await;
                    bed.cluster.server.faults().remove(silence);
                });
            }
            (Action::Kill, _) => {
                send(&processes, Signal::KILL);
                match victim {
                    Victim::Resident => bed.pods[0].start_resident(),
                    Victim::Coordinator => bed.start_coordinator(),
                    Victim::Hook | Victim::Keeper | Victim::Server => {}
                }
            }
            (Action::Stop, _) => {
                send(&processes, Signal::STOP);
                if victim == Victim::Coordinator {
                    bed.start_coordinator();
                }
                mending.spawn(async move {
                    tokio::time::sleep(victim.stopped()).await;
                    send(&processes, Signal::CONT);
                });
            }
        }
    }
    mending
}

/// Sends a signal to processes that may be gone.
fn send(to: &[u32], signal: Signal) {
    for pid in to {
        let pid = i32::try_from(*pid).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
        let _ = rustix::process::kill_process(pid, signal);
    }
}
