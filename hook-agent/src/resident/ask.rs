//! The others' side: has the resident watch over a freeze, and asks whether it is ready.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use shared::group_lease::Epoch;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::decide::CallTo;
use crate::keeper::place::Place;
use crate::keeper::record::Record;
use crate::keeper::wire::{line, next};
use crate::quiesce::freeze::{FreezeError, Target};
use crate::resident::wire::{Answer, Ask, PreWord};
use crate::sweep::SweepMark;

/// A resident that does not answer within this, ms, is stopped or dead. It has nothing else to do.
const ANSWER_MS: u64 = 2_000;

/// Why nothing may be frozen: who would thaw it when its container is killed?
#[derive(Debug, thiserror::Error)]
pub enum RingMissing {
    /// No resident.
    #[error(
        "refused to freeze: a file system stays frozen when its container is killed, and no resident watches over this pod ({why}). Run `hook-agent sidecar` in another container of the pod, with the same claims, user, QUIESCE and state folder; or hold the pod with `session`; or accept it in writing: --fsfreeze-without-resident accept"
    )]
    Resident {
        /// What came of asking it.
        why: String,
    },
    /// The resident cannot reach it.
    #[error(
        "refused to freeze: the pod's resident could not thaw {path}, it does not have that claim mounted there. Mount it at the same path in the container of `hook-agent sidecar` and list it in its QUIESCE; or accept it in writing: --fsfreeze-without-resident accept"
    )]
    NotMounted {
        /// The path.
        path: PathBuf,
    },
    /// No sweep.
    #[error(
        "refused to freeze: {path} was not swept when this pod started, so nobody would thaw it for the pod's next start on this node. `hook-agent sidecar` or `hook-agent install` does it, given the same QUIESCE and state folder (its own lines say why it did not); or accept it in writing: --fsfreeze-without-resident accept"
    )]
    NotSwept {
        /// The path.
        path: PathBuf,
    },
    /// The device cannot be told.
    #[error(transparent)]
    Device(#[from] FreezeError),
}

/// A resident that watches for as long as this lives.
#[derive(Debug)]
pub struct Overseer {
    line: BufReader<UnixStream>,
    claims: Vec<(PathBuf, u64)>,
}

impl Overseer {
    /// Has the pod's resident watch over the hold of `record` from now on.
    pub async fn engage(place: &Place, record: &Record) -> Result<Self, RingMissing> {
        let ask = Ask::Oversee { attempt: record.hold.attempt.clone(), end_boot_ms: record.end_boot_ms };
        let (line, answer) = asked(place, &ask).await.map_err(|why| RingMissing::Resident { why })?;
        match answer {
            Answer::Overseeing(claims) => Ok(Self { line, claims }),
            Answer::Ready(_) | Answer::Working | Answer::Pre(_) => {
                Err(RingMissing::Resident { why: "it does not understand this version".to_owned() })
            }
        }
    }

    /// Whether all of these would be thawed: by the resident while the pod lives, by the sweep when it starts anew.
    pub fn covers(&self, place: &Place, targets: &[Target]) -> Result<(), RingMissing> {
        let mark = SweepMark::left(place);
        for target in targets {
            let (path, device) = (target.path().to_owned(), target.device()?);
            if !self.claims.contains(&(path.clone(), device)) {
                return Err(RingMissing::NotMounted { path });
            }
            if !mark.as_ref().is_some_and(|mark| mark.covers(device)) {
                return Err(RingMissing::NotSwept { path });
            }
        }
        Ok(())
    }

    /// Everything is let go.
    pub async fn dismiss(mut self) {
        // If it is not heard, the resident looks and finds nothing that is held.
        let _ = say(&mut self.line, &Ask::LetGone).await;
    }
}

/// A resident that knows of this pre hook for as long as this lives.
#[derive(Debug)]
pub struct Engaged {
    line: BufReader<UnixStream>,
    /// What it says.
    pub word: PreWord,
}

impl Engaged {
    /// Tells the pod's resident that a pre hook begins, and waits for its word: it may be holding the pod still just now. `None`: no resident
    /// answers, so this hook is alone.
    pub async fn before_pre(given: Option<&Path>, limit: Duration) -> Option<Self> {
        Self::of(given, &Ask::Pre, limit).await
    }

    /// Has the resident obey a call in this hook's place. `None`: it does not answer.
    pub async fn by_obeying(given: Option<&Path>, call: CallTo, limit: Duration) -> Option<Self> {
        Self::of(given, &Ask::Obey(call), limit).await
    }

    /// Tells it that this hook obeys a call, so that the resident does not when it hears of it after this hook's end.
    pub fn obeys(&self, epoch: Epoch) {
        // A few bytes on a line that is empty always fit. If nobody is there any more, nobody obeys twice.
        let _ = self.line.get_ref().try_write(&line(&Ask::Obeys(epoch)));
    }

    /// Why a hook without steps of its own must not claim that the pod is still: those are the resident's. `engaged` is what came of
    /// [`Self::before_pre`]; one that has run and does not answer now may have some.
    pub fn holds_instead(engaged: Option<&Self>, given: Option<&Path>) -> Option<&'static str> {
        match engaged {
            Some(resident) if resident.word.has_steps => {
                Some("the steps are its resident's (QUIESCE), which did not hold it for this hook")
            }
            Some(_) => None,
            None => Place::existing(given).iter().any(|place| place.resident_socket().exists()).then_some(
                "this hook has no steps (QUIESCE), and the pod's resident, which may have some, did not answer",
            ),
        }
    }

    async fn of(given: Option<&Path>, ask: &Ask, limit: Duration) -> Option<Self> {
        for place in Place::existing(given) {
            let Ok((mut line, Answer::Working)) = asked(&place, ask).await else { continue };
            if let Ok(Some(Answer::Pre(word))) = timeout(limit, next(&mut line)).await {
                return Some(Self { line, word });
            }
        }
        None
    }
}

/// Why the resident could not hold the pod still now; `None`: it could.
pub async fn why_not_ready(place: &Place) -> Option<String> {
    match asked(place, &Ask::Ready).await {
        Ok((_, Answer::Ready(why_not))) => why_not,
        Ok((_, Answer::Overseeing(_) | Answer::Working | Answer::Pre(_))) => {
            Some("the resident does not understand this version".to_owned())
        }
        Err(why) => Some(why),
    }
}

async fn asked(place: &Place, ask: &Ask) -> Result<(BufReader<UnixStream>, Answer), String> {
    let socket = place.resident_socket();
    let Ok(stream) = UnixStream::connect(&socket).await else {
        return Err(format!("nobody listens at {}", socket.display()));
    };
    let mut line = BufReader::new(stream);
    let answer = timeout(Duration::from_millis(ANSWER_MS), async {
        say(&mut line, ask).await.ok()?;
        next(&mut line).await
    });
    match answer.await {
        Ok(Some(answer)) => Ok((line, answer)),
        Ok(None) => Err(format!("who listens at {} gave no answer that is understood", socket.display())),
        Err(_) => Err(format!("who listens at {} did not answer within {ANSWER_MS} ms", socket.display())),
    }
}

async fn say(to: &mut BufReader<UnixStream>, what: &impl Serialize) -> std::io::Result<()> {
    to.write_all(&line(what)).await
}
