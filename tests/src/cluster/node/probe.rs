//! Does a container answer? What its probes find, looked at more often than a kubelet would.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Container, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::http;

/// A probe and what it found.
#[derive(Clone, Debug)]
pub(super) struct Probing {
    url: String,
    timeout: Duration,
    every: Duration,
    successes: (i32, i32),
    failures: (i32, i32),
    next: Instant,
}

/// Whether a container is to be believed well.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Found {
    /// Often enough in a row.
    Well,
    /// Often enough in a row it is not.
    Ill,
    /// Neither.
    Unsure,
}

fn seconds(count: Option<i32>, otherwise: u64) -> Duration {
    Duration::from_secs(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(otherwise))
}

impl Probing {
    /// Of a container that starts, each `every` so long or as its Pod says.
    ///
    /// # Errors
    /// There are no such probes here.
    pub(super) fn new(
        probe: &Probe,
        container: &Container,
        address: Ipv4Addr,
        every: Option<Duration>,
    ) -> Result<Self, String> {
        Ok(Self {
            url: url(probe, container, address)?,
            timeout: seconds(probe.timeout_seconds, 1),
            every: every.unwrap_or_else(|| seconds(probe.period_seconds, 10)),
            successes: (0, probe.success_threshold.unwrap_or(1)),
            failures: (0, probe.failure_threshold.unwrap_or(3)),
            next: Instant::now() + seconds(probe.initial_delay_seconds, 0),
        })
    }

    /// Whether it is time.
    pub(super) fn is_due(&self) -> bool {
        Instant::now() >= self.next
    }

    /// Asks, and counts the answer.
    pub(super) async fn ask(&mut self) -> Found {
        self.next = Instant::now() + self.every;
        let well = tokio::time::timeout(self.timeout, http::get(&self.url).attempt())
            .await
            .is_ok_and(|answer| answer.is_ok_and(|answer| (200..400).contains(&answer.status)));
        let (same, other) = if well {
            (&mut self.successes, &mut self.failures)
        } else {
            (&mut self.failures, &mut self.successes)
        };
        same.0 += 1;
        other.0 = 0;
        match (same.0 >= same.1, well) {
            (true, true) => Found::Well,
            (true, false) => Found::Ill,
            (false, _) => Found::Unsure,
        }
    }
}

fn url(probe: &Probe, container: &Container, address: Ipv4Addr) -> Result<String, String> {
    let Some(get) = &probe.http_get else {
        return Err("this node has only probes of the kind httpGet".to_owned());
    };
    if get.scheme.as_deref().is_some_and(|scheme| scheme != "HTTP") {
        return Err("this node probes only with HTTP".to_owned());
    }
    let port = match &get.port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let mut ports = container.ports.iter().flatten();
            let named = ports.find(|port| port.name.as_ref() == Some(name));
            named
                .ok_or_else(|| format!("no port is named `{name}`"))?
                .container_port
        }
    };
    let host = get.host.clone().unwrap_or_else(|| address.to_string());
    let path = get.path.as_deref().unwrap_or("/");
    Ok(format!("http://{host}:{port}/{}", path.trim_start_matches('/')))
}
