//! Which operator writes? The one that holds the Lease, and only until its own clock says that another may hold it by now.
//!
//! The clock is monotonic, so that an operator that was paused finds its fence closed when it goes on, whatever the time of day. A
//! Lease of somebody else is taken over when it was seen not to change for as long as it says that it lasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock;

/// The name of the Lease.
pub const LEASE: &str = "authd-operator";
/// How long the Lease lasts without being renewed, for others.
const LASTS: Duration = Duration::from_secs(15);
/// How long after the last renewal the holder goes on writing.
const WRITES: Duration = Duration::from_secs(10);
/// How often it is renewed, or tried for.
const EVERY: Duration = Duration::from_secs(5);
const TRY_EVERY: Duration = Duration::from_secs(2);
/// How long one call may take.
const DEADLINE: Duration = Duration::from_secs(4);

/// Whether this operator may write now.
#[derive(Clone, Debug)]
pub struct Fence {
    begun: Instant,
    /// Milliseconds since `begun` until which it may.
    open_until: Arc<AtomicU64>,
}

impl Fence {
    /// Open for ever: there is no second operator.
    #[must_use]
    pub fn open() -> Self {
        let fence = Self::closed();
        fence.open_until.store(u64::MAX, Ordering::Release);
        fence
    }

    /// Closed until the Lease is held.
    #[must_use]
    pub fn closed() -> Self {
        Self {
            begun: Instant::now(),
            open_until: Arc::default(),
        }
    }

    /// Whether this operator may write now.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.now() < self.open_until.load(Ordering::Acquire)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Opens it for a while from the moment at which a renewal was sent.
    fn renewed(&self, sent: u64) {
        let until = sent + u64::try_from(WRITES.as_millis()).unwrap_or(0);
        self.open_until.store(until, Ordering::Release);
    }

    fn close(&self) {
        self.open_until.store(0, Ordering::Release);
    }
}

/// A candidate for the Lease.
pub struct Candidate {
    api: Api<Lease>,
    identity: String,
    fence: Fence,
    leads: watch::Sender<bool>,
    /// The Lease of somebody else as it was last seen to change, and when.
    seen: Option<(String, Instant)>,
}

impl Candidate {
    /// A candidate, and whether it leads.
    #[must_use]
    pub fn new(client: Client, namespace: &str, identity: &str, fence: Fence) -> (Self, watch::Receiver<bool>) {
        let (leads, seen) = watch::channel(false);
        let candidate = Self {
            api: Api::namespaced(client, namespace),
            identity: identity.to_owned(),
            fence,
            leads,
            seen: None,
        };
        (candidate, seen)
    }

    /// Holds the Lease whenever it can, until the stop; then gives it back.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let outcome = tokio::time::timeout(DEADLINE, self.hold()).await;
            match outcome {
                Ok(Ok(holds)) => self.say(holds),
                Ok(Err(error)) => tracing::warn!(%error, "lease_not_renewed"),
                Err(_) => tracing::warn!(error = "no answer in time", "lease_not_renewed"),
            }
            if !self.fence.is_open() {
                self.say(false);
            }
            let pause = if self.fence.is_open() { EVERY } else { TRY_EVERY };
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        if self.fence.is_open() {
            self.fence.close();
            let _ = tokio::time::timeout(DEADLINE, self.give_back()).await;
        }
    }

    fn say(&self, holds: bool) {
        let changed = self
            .leads
            .send_if_modified(|leads| std::mem::replace(leads, holds) != holds);
        if changed {
            tracing::info!(leader = holds, identity = self.identity, "leadership");
            metrics::gauge!("authd_operator_leader").set(f64::from(u8::from(holds)));
        }
    }

    /// Renews the Lease, or takes it if nobody holds it; whether it is held.
    async fn hold(&mut self) -> kube::Result<bool> {
        let sent = self.fence.now();
        let held = match self.api.get_opt(LEASE).await? {
            None => self
                .api
                .create(&PostParams::default(), &self.renewed(None))
                .await
                .map(drop),
            Some(lease) if self.may_take(&lease) => {
                let renewed = self.renewed(Some(&lease));
                self.api
                    .replace(LEASE, &PostParams::default(), &renewed)
                    .await
                    .map(drop)
            }
            Some(_) => {
                self.fence.close();
                return Ok(false);
            }
        };
        match held {
            Ok(()) => {
                self.fence.renewed(sent);
                Ok(true)
            }
            // Somebody else was quicker.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(self.fence.is_open()),
            Err(error) => Err(error),
        }
    }

    fn may_take(&mut self, lease: &Lease) -> bool {
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.unwrap_or_default();
        if holder.is_empty() || holder == self.identity {
            return true;
        }
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let lasts = spec
            .lease_duration_seconds
            .and_then(|seconds| u64::try_from(seconds).ok());
        let lasts = lasts.map_or(LASTS, Duration::from_secs).min(4 * LASTS);
        match &self.seen {
            Some((seen, since)) if *seen == version => since.elapsed() > lasts,
            _ => {
                self.seen = Some((version, Instant::now()));
                false
            }
        }
    }

    fn renewed(&self, before: Option<&Lease>) -> Lease {
        let now = MicroTime(clock::now());
        let old = before.and_then(|lease| lease.spec.clone()).unwrap_or_default();
        let mine = old.holder_identity.as_ref() == Some(&self.identity);
        let transitions = old.lease_transitions.unwrap_or(0);
        Lease {
            metadata: before.map_or_else(
                || ObjectMeta {
                    name: Some(LEASE.to_owned()),
                    ..ObjectMeta::default()
                },
                |lease| lease.metadata.clone(),
            ),
            spec: Some(LeaseSpec {
                holder_identity: Some(self.identity.clone()),
                lease_duration_seconds: i32::try_from(LASTS.as_secs()).ok(),
                acquire_time: if mine { old.acquire_time } else { Some(now.clone()) },
                renew_time: Some(now),
                lease_transitions: Some(if mine {
                    transitions
                } else {
                    transitions.saturating_add(1)
                }),
                ..LeaseSpec::default()
            }),
        }
    }

    async fn give_back(&self) -> kube::Result<()> {
        let Some(mut lease) = self.api.get_opt(LEASE).await? else {
            return Ok(());
        };
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_ref() == Some(&self.identity) {
            spec.holder_identity = Some(String::new());
            spec.renew_time = Some(MicroTime(clock::now()));
            self.api.replace(LEASE, &PostParams::default(), &lease).await?;
            tracing::info!(identity = self.identity, "lease_given_back");
        }
        Ok(())
    }
}
