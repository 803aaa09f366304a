//! `hook-agent ready`: asks the pod's resident whether it could hold the pod still now. An exec probe needs no port.

use shared::exit_code::ExitCode;

use crate::failure::Failure;
use crate::keeper::place::Place;
use crate::lines::Lines;
use crate::resident::ask::why_not_ready;
use crate::settings::ReadySettings;

/// Runs `ready` and says how it ended.
pub async fn run(settings: &ReadySettings) -> ExitCode {
    let lines = Lines::of("ready");
    let why_not = match Place::existing(settings.state_dir.as_deref()).first() {
        Some(place) => why_not_ready(place).await,
        None => Some("no `hook-agent sidecar` has run in this pod under this user and --state-dir".to_owned()),
    };
    match why_not {
        None => {
            lines.say("the resident could hold the pod still now");
            ExitCode::Ok
        }
        Some(why) => {
            let failure = Failure::NotReady(why);
            lines.say(failure.line());
            failure.exit_code()
        }
    }
}
