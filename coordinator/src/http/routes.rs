//! What each path answers.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::status::{self, PageSources};
use crate::health::Health;
use crate::metrics::Metrics;

/// What answers are made from.
#[derive(Clone)]
pub struct Sources {
    /// Alive, ready.
    pub health: Health,
    /// Metrics.
    pub metrics: Metrics,
    /// The status page.
    pub page: PageSources,
}

/// `OpenMetrics` text, as Prometheus asks for it.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The paths. None of them reads a request's body.
pub fn router(sources: Sources) -> Router {
    Router::new()
        .route("/", get(status::html))
        .route("/status.json", get(status::json))
        .route("/status.css", get(status::style))
        .route("/favicon.svg", get(status::favicon))
        .route("/livez", get(|State(Sources { health, .. }): State<Sources>| async move { check(health.live()) }))
        .route("/readyz", get(|State(Sources { health, .. }): State<Sources>| async move { check(health.ready()) }))
        .route(
            "/metrics",
            get(|State(Sources { metrics, .. }): State<Sources>| async move {
                ([(header::CONTENT_TYPE, OPEN_METRICS)], metrics.text())
            }),
        )
        .with_state(sources)
}

fn check(result: Result<String, String>) -> Response {
    match result {
        Ok(text) => text.into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
    }
}
