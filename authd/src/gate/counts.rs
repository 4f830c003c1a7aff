//! How many checks there were, of which kind, and how long they took.
//!
//! Looking a metric up by its labels costs more than counting: each is looked up once, at the start.

use std::time::Duration;

use metrics::{Counter, Histogram};

use super::facts::Dialect;

/// What became of a check, as metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The request may pass.
    Allow,
    /// Somebody must sign in.
    SignIn,
    /// The caller may not.
    Forbid,
    /// Too many wrong keys.
    Limited,
    /// The request can be read in two ways.
    Malformed,
    /// Not a question for this listener.
    NotHere,
    /// It cannot be said now.
    Unavailable,
}

/// Every outcome with its name, in the order of the type.
const OUTCOMES: [&str; 7] = [
    "allow",
    "sign_in",
    "forbid",
    "limited",
    "malformed",
    "not_here",
    "unavailable",
];

/// Counts checks.
#[derive(Debug)]
pub struct Counts {
    nginx: [Counter; 7],
    forward: [Counter; 7],
    envoy: [Counter; 7],
    grpc: [Counter; 7],
    fastcgi: [Counter; 7],
    none: [Counter; 7],
    seconds: Histogram,
}

impl Counts {
    /// Looks the metrics up, in the recorder that is there now.
    #[must_use]
    pub fn new() -> Self {
        let of = |dialect: &'static str| {
            OUTCOMES.map(|outcome| metrics::counter!("authd_checks_total", "dialect" => dialect, "outcome" => outcome))
        };
        Self {
            nginx: of(Dialect::Nginx.name()),
            forward: of(Dialect::Forward.name()),
            envoy: of(Dialect::Envoy.name()),
            grpc: of(Dialect::Grpc.name()),
            fastcgi: of(Dialect::FastCgi.name()),
            none: of("none"),
            seconds: metrics::histogram!("authd_check_seconds"),
        }
    }

    /// Counts one check; without a dialect, it was none.
    pub fn count(&self, dialect: Option<Dialect>, outcome: Outcome, took: Duration) {
        let counters = match dialect {
            Some(Dialect::Nginx) => &self.nginx,
            Some(Dialect::Forward) => &self.forward,
            Some(Dialect::Envoy) => &self.envoy,
            Some(Dialect::Grpc) => &self.grpc,
            Some(Dialect::FastCgi) => &self.fastcgi,
            None => &self.none,
        };
        if let Some(counter) = counters.get(outcome as usize) {
            counter.increment(1);
        }
        if dialect.is_some() {
            self.seconds.record(took);
        }
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self::new()
    }
}
