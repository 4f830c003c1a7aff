//! What operators ask: metrics, whether the process lives, whether it may get requests, which Snapshot it serves, and how providers fare.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::json;

use crate::app::App;
use crate::telemetry::Metrics;

/// What the admin listener answers from.
#[derive(Clone, Debug)]
pub struct Admin {
    /// What is served.
    pub app: Arc<App>,
    /// The metrics of this process.
    pub metrics: Metrics,
}

/// `GET /metrics`: the Prometheus text format.
pub async fn metrics(State(admin): State<Admin>) -> Response {
    if let Some(serving) = admin.app.serving() {
        let waiting = u32::try_from(serving.hashing.waiting()).unwrap_or(u32::MAX);
        metrics::gauge!("authd_hashing_queue_length").set(f64::from(waiting));
    }
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        admin.metrics.render(),
    )
        .into_response()
}

/// `GET /livez`: the process makes progress.
pub async fn live() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: there is a Snapshot, and no stop ahead. Nothing else is asked, or one outage would take every replica away.
pub async fn ready(State(admin): State<Admin>) -> Response {
    match admin.app.serving() {
        Some(_) if admin.app.is_leaving() => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response(),
        Some(_) => "ok\n".into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "no snapshot yet\n").into_response(),
    }
}

/// `GET /snapshot`: which Snapshot is served.
pub async fn snapshot(State(admin): State<Admin>) -> Response {
    match admin.app.serving() {
        Some(serving) => Json(json!({
            "digest": serving.engine.digest(),
            "generation": serving.generation,
            "instance": serving.settings().instance,
            "apiKeys": serving.engine.keys().count(),
        }))
        .into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// `GET /providers`: how each provider fares that has servers of its own, by name; `null` before it was asked.
pub async fn providers(State(admin): State<Admin>) -> Response {
    match admin.app.serving() {
        Some(serving) => Json(admin.app.health.told(&serving)).into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
