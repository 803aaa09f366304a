//! The way of one request: when is it decided upon, what is noted, and when does the answer go out?

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use jiff::Timestamp;

use super::account::snapshot::SnapshotId;
use super::account::volume::VolumeId;
use super::action::{self, Action};
use super::documents::{Done, SnapshotItem, VolumeItem, response};
use super::form::Form;
use super::log::{Call, Outcome};
use super::refusal::Refusal;
use super::{Core, State, authorization, describe, documents};
use crate::aws::loopback::{Answer, Cut};

/// What was decided, and what is to be said of it.
struct Decided {
    outcome: Outcome,
    body: Bytes,
}

/// Answers one request.
pub(super) async fn respond(core: &Core, request: &Request<Bytes>) -> Answer {
    let arrived = Timestamp::now();
    core.note_arrival();
    let form = Form::of(request.body());
    let text = |name: &str| form.peek(name).unwrap_or_default().to_owned();
    let (name, volume) = (text("Action"), form.peek("VolumeId").map(VolumeId::named));
    let attempt = request.headers().get("amz-sdk-request").and_then(|v| v.to_str().ok()).map(ToOwned::to_owned);
    let action = read(request, form);
    let cuts = matches!(action, Ok(Action::CreateSnapshot(_)));
    if cuts {
        let wait = core.lock().settings.wait_before_cut;
        tokio::time::sleep(wait).await;
    }
    let (decided, wait) = {
        let mut state = core.lock();
        let now = Timestamp::now();
        state.requests += 1;
        let request_id = format!("{:08x}-0000-4000-8000-{:012x}", arrived.subsec_nanosecond(), state.requests);
        let tags = if let Ok(Action::CreateSnapshot(new)) = &action { new.tags.clone() } else { BTreeMap::new() };
        let decided = decide(&mut state, &name, action, &request_id, now);
        let outcome = decided.outcome.clone();
        core.note(&mut state, Call { arrived, decided: now, action: name, volume, attempt, outcome, tags });
        (decided, if cuts { state.settings.wait_after_cut } else { std::time::Duration::ZERO })
    };
    let status = match &decided.outcome {
        Outcome::CutUnanswered(_) => return Err(Cut),
        Outcome::Refused(why) => why.status(),
        Outcome::Cut(_) => {
            tokio::time::sleep(wait).await;
            200
        }
        Outcome::Done => 200,
    };
    let mut answer = Response::new(Full::new(decided.body));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml;charset=UTF-8"));
    Ok(answer)
}

fn read(request: &Request<Bytes>, form: Form) -> Result<Action, Refusal> {
    authorization::check(request.headers())?;
    if request.method() != Method::POST {
        return Err(Refusal::UnsupportedOperation(format!("{}: send the form by POST", request.method())));
    }
    action::parse(form)
}

fn decide(state: &mut State, name: &str, action: Result<Action, Refusal>, id: &str, now: Timestamp) -> Decided {
    let done = action.and_then(|action| carry_out(state, name, action, id, now));
    done.unwrap_or_else(|why| Decided { body: documents::refusal(&why, id), outcome: Outcome::Refused(why) })
}

fn carry_out(state: &mut State, name: &str, action: Action, id: &str, now: Timestamp) -> Result<Decided, Refusal> {
    let State { account, settings, .. } = state;
    let times = settings.start_times;
    let said = match action {
        Action::CreateSnapshot(new) => {
            let snapshot = account.create_snapshot(new, settings.pending_for, now)?;
            let body = response(name, id, &SnapshotItem::of(snapshot, times, now));
            let outcome = cut(&mut settings.answers_to_lose, snapshot.id.clone());
            return Ok(Decided { outcome, body });
        }
        Action::DeleteSnapshot(snapshot) => {
            account.delete_snapshot(&snapshot)?;
            response(name, id, &Done { done: true })
        }
        Action::DescribeSnapshots { ids, owners, filters, paging } => {
            response(name, id, &describe::snapshots(account, (&ids, &owners), &filters, &paging, (times, now))?)
        }
        Action::CreateVolume { what, token } => {
            let volume = match &token {
                Some(token) => account.create_volume_once(token, *what, now)?,
                None => account.create_volume(*what, now)?,
            };
            response(name, id, &VolumeItem::of(volume, "creating"))
        }
        Action::DeleteVolume(volume) => {
            account.delete_volume(&volume)?;
            response(name, id, &Done { done: true })
        }
        Action::DescribeVolumes { ids, filters, paging } => {
            response(name, id, &describe::volumes(account, &ids, &filters, &paging)?)
        }
        Action::CreateTags { resources, tags } => {
            account.create_tags(&resources, &tags)?;
            response(name, id, &Done { done: true })
        }
        Action::DescribeTags { filters, paging } => response(name, id, &describe::tags(account, &filters, &paging)?),
        Action::DescribeAvailabilityZones { names, filters } => response(name, id, &describe::zones(&names, &filters)?),
    };
    Ok(Decided { outcome: Outcome::Done, body: said })
}

fn cut(answers_to_lose: &mut u32, snapshot: SnapshotId) -> Outcome {
    match answers_to_lose.checked_sub(1) {
        Some(left) => {
            *answers_to_lose = left;
            Outcome::CutUnanswered(snapshot)
        }
        None => Outcome::Cut(snapshot),
    }
}
