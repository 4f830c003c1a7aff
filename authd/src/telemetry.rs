//! How is authd doing? Logs for operators, metrics for Prometheus.
//!
//! [`METRICS`] is every metric there is; a test compares it with the code. Labels come from fixed lists, never from what a
//! caller sent and never a person's name. Not here: the record of who did what ([`crate::audit`]).

#[cfg(test)]
mod tests;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Why telemetry did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log filter cannot be read.
    #[error("the log filter `{filter}` cannot be read: {detail}; for example `info,authd=debug`")]
    Filter {
        /// As it was given.
        filter: String,
        /// What is wrong.
        detail: String,
    },
    /// Logs or metrics were started before.
    #[error("telemetry runs already")]
    Running,
}

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Durations in seconds, counted in buckets.
    Histogram,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// `authd_<noun>_<unit>`.
    pub name: &'static str,
    /// Its type.
    pub kind: MetricKind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it tells.
    pub description: &'static str,
}

/// Every metric.
pub const METRICS: [Metric; 21] = [
    counter(
        "authd_checks_total",
        &["dialect", "outcome"],
        "Requests that an ingress asked about",
    ),
    Metric {
        name: "authd_check_seconds",
        kind: MetricKind::Histogram,
        labels: &[],
        description: "Time from a question of an ingress to the answer",
    },
    counter(
        "authd_sign_ins_total",
        &["provider", "outcome", "reason"],
        "Attempts to sign in",
    ),
    Metric {
        name: "authd_provider_reachable",
        kind: MetricKind::Gauge,
        labels: &["provider"],
        description: "Whether the provider answers as its resource says, 1 or 0; no number once it is declared no more",
    },
    counter(
        "authd_revalidations_total",
        &["provider", "outcome"],
        "People and sessions that their provider was asked about again: there, gone, or nothing was heard",
    ),
    counter(
        "authd_tokens_refused_total",
        &["reason"],
        "Session tokens that were refused",
    ),
    gauge("authd_hashing_queue_length", "Passwords that wait or are being hashed"),
    counter(
        "authd_password_rounds_total",
        &[],
        "Work of hashing passwords, in rounds of bcrypt: two to the power of its cost for each hash",
    ),
    gauge(
        "authd_snapshot_generation",
        "How many Snapshots have been put to use since the start",
    ),
    gauge(
        "authd_snapshot_sequence",
        "Where an operator publishes: the number of the index that serves",
    ),
    counter(
        "authd_cluster_calls_failed_total",
        &["call"],
        "Calls to the API server that did not succeed",
    ),
    counter(
        "authd_database_unanswered_total",
        &["outcome"],
        "Questions to PostgreSQL that it did not answer in time, or that were not asked as it had not answered others",
    ),
    gauge(
        "authd_clock_difference_seconds",
        "How far this machine's clock is ahead of the PostgreSQL server's, or behind where it is negative",
    ),
    gauge(
        "authd_certificate_renewal_overdue_seconds",
        "How long two thirds of the life of the certificate that proxies see have been over; 0 where they are not",
    ),
    counter(
        "authd_snapshot_load_failures_total",
        &[],
        "Snapshots that did not load and left the old one serving",
    ),
    counter(
        "authd_sessions_revoked_total",
        &[],
        "Sessions and tokens that were revoked",
    ),
    counter(
        "authd_audit_dropped_total",
        &[],
        "Audit lines that were dropped as the sink was stuck or full",
    ),
    counter(
        "authd_rate_limited_total",
        &["purpose"],
        "Attempts that were refused as too many had failed",
    ),
    counter(
        "authd_changes_heard_total",
        &["told_by"],
        "Looks at the database that found something new, of this replica or of others: after a hint by Redis, or in the round of every \
         half second",
    ),
    gauge(
        "authd_redis_answers",
        "Whether the Redis that replicas share answers: 1, or 0 while it does not and where there is none",
    ),
    counter(
        "authd_redis_calls_total",
        &["outcome"],
        "Questions to Redis: answered, refused, late, lost with the connection, and away, which means not asked",
    ),
];

/// From a cached decision to a stuck disk, in seconds.
const CHECK_BUCKETS: [f64; 10] = [
    0.000_025, 0.000_1, 0.000_25, 0.001, 0.002_5, 0.01, 0.025, 0.1, 0.25, 1.0,
];

const fn counter(name: &'static str, labels: &'static [&'static str], description: &'static str) -> Metric {
    Metric {
        name,
        kind: MetricKind::Counter,
        labels,
        description,
    }
}

const fn gauge(name: &'static str, description: &'static str) -> Metric {
    Metric {
        name,
        kind: MetricKind::Gauge,
        labels: &[],
        description,
    }
}

/// An error with what it came of, for the log.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |said, cause| {
        let cause = cause.to_string();
        // Some say themselves what they came of.
        if said.contains(&cause) {
            said
        } else {
            format!("{said}: {cause}")
        }
    })
}

/// Starts logging to standard error, one JSON object a line; `filter` is as in `info,authd=debug`.
pub fn start_logs(filter: &str) -> Result<(), Error> {
    let subscriber = subscriber(filter, std::io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| Error::Running)
}

fn subscriber<W>(filter: &str, to: W) -> Result<impl tracing::Subscriber + Send + Sync, Error>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let parsed = EnvFilter::try_new(filter).map_err(|error| Error::Filter {
        filter: filter.to_owned(),
        detail: error.to_string(),
    })?;
    Ok(tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_env_filter(parsed)
        .with_writer(to)
        .finish())
}

/// The metrics of this process.
#[derive(Clone, Debug)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// Starts counting, once a process.
    pub fn install() -> Result<Self, Error> {
        let recorder = Self::recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|_| Error::Running)?;
        Ok(Self { handle })
    }

    /// Puts what was recorded since the last time into buckets, so that it does not pile up where nobody reads metrics.
    pub fn keep(&self) {
        self.handle.run_upkeep();
    }

    /// What `/metrics` answers, in the Prometheus text format.
    pub fn render(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }

    /// A recorder that knows every metric.
    pub(crate) fn recorder() -> PrometheusRecorder {
        let recorder = builder().unwrap_or_default().build_recorder();
        metrics::with_local_recorder(&recorder, || METRICS.iter().for_each(describe));
        recorder
    }
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new().set_buckets_for_metric(Matcher::Full("authd_check_seconds".to_owned()), &CHECK_BUCKETS)
}

fn describe(metric: &Metric) {
    match metric.kind {
        MetricKind::Counter => metrics::describe_counter!(metric.name, metric.description),
        MetricKind::Gauge => metrics::describe_gauge!(metric.name, metric.description),
        MetricKind::Histogram => metrics::describe_histogram!(metric.name, metric.description),
    }
    // Without labels there is one series: it starts at nought rather than with its first event.
    if metric.labels.is_empty() {
        match metric.kind {
            MetricKind::Counter => metrics::counter!(metric.name).increment(0),
            MetricKind::Gauge => metrics::gauge!(metric.name).set(0),
            MetricKind::Histogram => {}
        }
    }
}
