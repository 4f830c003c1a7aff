//! How is the operator doing? `/livez`, `/readyz` and `/metrics`, and its log.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::watch::Watches;

/// What `/metrics` answers from.
pub type Metrics = PrometheusHandle;

/// Every metric, with what it tells.
pub const METRICS: [(&str, &str); 8] = [
    ("authd_operator_leader", "Whether this operator holds the Lease"),
    (
        "authd_operator_compile_seconds",
        "How long the last round took to read and compile everything",
    ),
    (
        "authd_operator_snapshots_published_total",
        "Snapshots that were published",
    ),
    (
        "authd_operator_publish_failures_total",
        "Snapshots that could not be published",
    ),
    (
        "authd_operator_keys_made_total",
        "Keys that were made, replaced or forgotten",
    ),
    ("authd_operator_writes_total", "Writes to the API server"),
    (
        "authd_operator_status_failures_total",
        "Statuses that could not be written",
    ),
    ("authd_operator_watch_trouble", "Whether a watch fails right now"),
];

/// Starts the log on standard error, one JSON object a line, and the metrics.
///
/// # Errors
/// The filter cannot be read, or they run already.
pub fn telemetry(filter: &str) -> anyhow::Result<Metrics> {
    let filter = EnvFilter::try_new(filter).with_context(|| format!("the log filter `{filter}` cannot be read"))?;
    let log = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false);
    let log = log.with_env_filter(filter).with_writer(std::io::stderr).finish();
    tracing::subscriber::set_global_default(log).context("a log runs already")?;
    let handle = PrometheusBuilder::new()
        .install_recorder()
        .context("metrics run already")?;
    for (name, description) in METRICS {
        if name.ends_with("_total") {
            metrics::describe_counter!(name, description);
        } else {
            metrics::describe_gauge!(name, description);
        }
    }
    Ok(handle)
}

/// Ready is who has listed everything, whatever fails now.
#[derive(Clone)]
pub struct Readiness {
    watches: Arc<Watches>,
}

impl Readiness {
    /// As the watches say.
    #[must_use]
    pub fn new(watches: Arc<Watches>) -> Self {
        Self { watches }
    }

    fn answer(&self) -> (StatusCode, String) {
        let unlisted = self.watches.unlisted();
        if !unlisted.is_empty() {
            return (
                StatusCode::SERVICE_UNAVAILABLE,
                format!("not listed yet: {}\n", unlisted.join("; ")),
            );
        }
        let troubles: Vec<String> = self
            .watches
            .troubles()
            .into_iter()
            .map(|(watch, trouble)| format!("{watch}: {trouble}\n"))
            .collect();
        (StatusCode::OK, format!("ready\n{}", troubles.concat()))
    }
}

/// Serves until the stop. That the address is in use is said, and changes nothing else.
pub async fn serve(address: SocketAddr, metrics: Metrics, readiness: Readiness, stop: CancellationToken) {
    let scraped = metrics.clone();
    let router = Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(move || async move { readiness.answer() }))
        .route("/metrics", get(move || async move { scraped.render() }));
    let listener = match tokio::net::TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%address, %error, "admin_not_served");
            return;
        }
    };
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "admin_served");
    }
    let upkeep = async {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            metrics.run_upkeep();
        }
    };
    tokio::select! {
        _ = axum::serve(listener, router) => {}
        () = upkeep => {}
        () = stop.cancelled() => {}
    }
}
