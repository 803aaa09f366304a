//! The status page's paths: gathers what is known now, and lets the page be made of it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::headers::STRICT;
use super::routes::Sources;
use crate::cli::SchedulesMode;
use crate::clock::Clock;
use crate::page::{self, BadQuery, Form, LeaderSeen, Onlooker, Parts, Query, SchedulerWord, StatusView};
use crate::watch::Troubles;

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Who looks first at a replica that stands by waits for its first plan, but no longer than this, ms: most take a few.
const FIRST_PLAN_MS: u64 = 2_000;

/// What the page is made from.
#[derive(Clone)]
pub struct PageSources {
    /// This process among the coordinators.
    pub identity: String,
    /// The coordinator's namespace.
    pub namespace: String,
    /// Asks the deciding loop.
    pub onlooker: Onlooker,
    /// Who leads.
    pub leader: watch::Receiver<LeaderSeen>,
    /// What the scheduler says.
    pub scheduler: watch::Receiver<SchedulerWord>,
    /// Has a replica that stands by make a plan.
    pub looks: Arc<Notify>,
    /// What the API server refuses.
    pub troubles: Arc<Troubles>,
}

/// `/`.
pub async fn html(State(sources): State<Sources>, RawQuery(query): RawQuery) -> Response {
    match Query::parse(query.as_deref().unwrap_or_default(), Form::Html) {
        Ok(query) => answer(StatusCode::OK, HTML, sources.page.make(&query, page::page).await),
        Err(bad) => answer(StatusCode::BAD_REQUEST, HTML, page::refusal(&bad)),
    }
}

/// `/status.json`.
pub async fn json(State(sources): State<Sources>, RawQuery(query): RawQuery) -> Response {
    match Query::parse(query.as_deref().unwrap_or_default(), Form::Json) {
        Ok(query) => answer(StatusCode::OK, JSON, sources.page.make(&query, page::json).await),
        Err(bad) => answer(StatusCode::BAD_REQUEST, JSON, refused(&bad)),
    }
}

/// `/status.css`.
pub async fn style() -> Response {
    answer(StatusCode::OK, CSS, page::STYLE.to_owned())
}

/// `/favicon.svg`.
pub async fn favicon() -> Response {
    answer(StatusCode::OK, SVG, page::FAVICON.to_owned())
}

fn refused(bad: &BadQuery) -> String {
    serde_json::json!({ "error": bad.to_string() }).to_string() + "\n"
}

fn answer(status: StatusCode, kind: &'static str, body: String) -> Response {
    (status, STRICT, [(header::CONTENT_TYPE, kind)], body).into_response()
}

impl PageSources {
    async fn make(&self, query: &Query, write: fn(&StatusView<'_>, &Query) -> String) -> String {
        let (seen, seen_age_ms) = self.onlooker.look().await.unzip();
        let leader = self.leader.borrow().clone();
        // The leader plans anyway; an install that stands back has nothing to plan.
        if seen.as_deref().is_some_and(|seen| seen.synced && !seen.leads) && leader.stands_back.is_none() {
            self.plan_is_shown().await;
        }
        let scheduler = self.scheduler.borrow().clone();
        let troubles = self.troubles.now();
        let parts = Parts {
            identity: &self.identity,
            namespace: &self.namespace,
            seen: seen.as_deref(),
            seen_age_ms: seen_age_ms.unwrap_or(0),
            leader: &leader,
            scheduler: &scheduler,
            troubles: &troubles,
            now: Clock::wall(),
        };
        write(&StatusView::new(parts, query), query)
    }

    /// Has a plan made, or made anew when the last one is old. The page that asks for it comes before that one, the next page after it.
    async fn plan_is_shown(&self) {
        let is_there = |word: &SchedulerWord| {
            word.mode == SchedulesMode::Off.word() || word.planned.is_some() || word.failure.is_some()
        };
        self.looks.notify_one();
        let mut scheduler = self.scheduler.clone();
        let first = scheduler.wait_for(is_there);
        // In time or not: the page says that there is none yet.
        let _in_time = timeout(Duration::from_millis(FIRST_PLAN_MS), first).await.is_ok();
    }
}
