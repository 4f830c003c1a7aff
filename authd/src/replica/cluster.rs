//! What does the API server say that is published? The index by a watch of that one Secret, shards by name.
//!
//! Each watch begins with what there is, so that nothing is missed between two, and nobody has to list. The API server may be
//! away for as long as it likes: what serves goes on.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use crds::published::{INDEX_ENTRY, index_secret, shard_entry, shard_secret};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{WatchEvent, WatchParams};
use kube::{Api, Client, Config};
use policy::snapshot::shard::Index;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Offered;
use crate::load::shards::Found;
use crate::random::Random;

/// How long one call may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long a watch lasts, in seconds.
const WATCH_SECONDS: u32 = 60;
/// How long a watch may go on without a word after it should have ended.
const GRACE: Duration = Duration::from_secs(10);
/// How long to wait after a failure; after each in a row twice as long, up to the longest, and at random up to half less.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// A watch that ends earlier counts as failed.
const SHORT: Duration = Duration::from_secs(1);
/// How many shards are read at a time.
const AT_A_TIME: usize = 8;

/// The way to what is published for one instance.
pub struct Cluster {
    namespace: String,
    authd: String,
    client: ArcSwap<Client>,
}

/// The API server does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This process runs in no Pod with a ServiceAccount, or its files are damaged.
    #[error("`--follow-cluster` needs a Pod with a ServiceAccount: {0}")]
    Outside(#[from] kube::config::InClusterError),
    /// It did not answer.
    #[error("the API server did not answer in time")]
    Late,
    /// It ended a watch at once.
    #[error("the API server ended the watch at once")]
    Short,
    /// It refused, or could not be reached.
    #[error("{0}")]
    Call(#[from] kube::Error),
    /// It ended the watch with an error.
    #[error("the API server ended the watch: {0}")]
    Ended(String),
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cluster({}/{})", self.namespace, self.authd)
    }
}

impl Cluster {
    /// As a Pod reaches it; it is not asked yet.
    ///
    /// # Errors
    /// This is no Pod.
    pub fn of_pod(namespace: &str, authd: &str) -> Result<Self, Error> {
        Ok(Self {
            namespace: namespace.to_owned(),
            authd: authd.to_owned(),
            client: ArcSwap::from_pointee(connect()?),
        })
    }

    /// The namespace of the instance.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name of the instance.
    #[must_use]
    pub fn authd(&self) -> &str {
        &self.authd
    }

    /// The client as it is now.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::clone(&self.client.load())
    }

    /// Begins anew after a failure: with new connections, and with the certificates that the Pod has now.
    fn renew(&self) {
        match connect() {
            Ok(client) => self.client.store(Arc::new(client)),
            Err(error) => tracing::warn!(error = %error, "the files of the ServiceAccount cannot be read"),
        }
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client(), &self.namespace)
    }

    /// Those of the wanted shards that are there, by digest.
    pub(super) async fn shards(&self, wanted: Vec<(usize, String)>) -> Result<Found, String> {
        let secrets = self.secrets();
        let read = wanted.into_iter().map(|(number, digest)| {
            let secrets = secrets.clone();
            async move {
                let name = shard_secret(&self.authd, number);
                let secret = tokio::time::timeout(DEADLINE, secrets.get_opt(&name)).await;
                let secret = secret.map_err(|_| Error::Late)?.map_err(Error::Call)?;
                let bytes = secret.and_then(|secret| secret.data?.remove(shard_entry(&digest)));
                Ok::<_, Error>(bytes.map(|bytes| (digest, bytes.0)))
            }
        });
        let read: Result<Vec<_>, _> = futures::stream::iter(read)
            .buffer_unordered(AT_A_TIME)
            .try_collect()
            .await;
        match read {
            Ok(found) => Ok(found.into_iter().flatten().collect()),
            Err(error) => {
                failed("read");
                Err(error.to_string())
            }
        }
    }

    /// Passes on each index that is published, until the stop.
    pub async fn follow(&self, to: watch::Sender<Option<Offered>>, random: Random, stop: CancellationToken) {
        let mut failures = 0;
        loop {
            let began = Instant::now();
            let watched = tokio::select! {
                () = stop.cancelled() => return,
                watched = self.watch(&to) => watched,
            };
            let error = match watched {
                Ok(()) if began.elapsed() >= SHORT => {
                    failures = 0;
                    continue;
                }
                Ok(()) => Error::Short,
                Err(error) => error,
            };
            if began.elapsed() >= LONGEST_WAIT {
                failures = 0;
            }
            failed("watch");
            if failures == 0 {
                tracing::warn!(error = %error, "the API server cannot be followed: what serves goes on");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait(failures, &random)) => {}
            }
            failures += 1;
            self.renew();
        }
    }

    /// One watch, from what there is now to its end.
    async fn watch(&self, to: &watch::Sender<Option<Offered>>) -> Result<(), Error> {
        let name = index_secret(&self.authd);
        let params = WatchParams::default()
            .fields(&format!("metadata.name={name}"))
            .timeout(WATCH_SECONDS);
        let secrets = self.secrets();
        // Without a version it begins with what there is.
        let events = tokio::time::timeout(DEADLINE, secrets.watch(&params, "")).await;
        let mut events = events.map_err(|_| Error::Late)??.boxed();
        let end = Instant::now() + Duration::from_secs(WATCH_SECONDS.into()) + GRACE;
        loop {
            let event = tokio::time::timeout_at(end, events.next()).await;
            match event.map_err(|_| Error::Late)?.transpose()? {
                None => return Ok(()),
                Some(WatchEvent::Added(secret) | WatchEvent::Modified(secret)) => {
                    to.send_if_modified(|known| {
                        let offered = Some(read(&secret));
                        let is_new = *known != offered;
                        *known = offered;
                        is_new
                    });
                }
                Some(WatchEvent::Deleted(_)) => tracing::warn!(name, "the index was deleted: what serves goes on"),
                Some(WatchEvent::Bookmark(_)) => {}
                Some(WatchEvent::Error(status)) => return Err(Error::Ended(status.to_string())),
            }
        }
    }
}

fn connect() -> Result<Client, Error> {
    let mut config = Config::incluster()?;
    config.connect_timeout = Some(DEADLINE);
    Ok(Client::try_from(config)?)
}

fn read(secret: &Secret) -> Offered {
    let entry = secret.data.as_ref().and_then(|data| data.get(INDEX_ENTRY));
    let bytes = entry.ok_or_else(|| format!("Secret has no entry `{INDEX_ENTRY}`"))?;
    Index::read(&bytes.0).map_err(|error| error.to_string())
}

fn wait(failures: u32, random: &Random) -> Duration {
    let whole = FIRST_WAIT.saturating_mul(1 << failures.min(10)).min(LONGEST_WAIT);
    let [byte] = random.bytes::<1>();
    whole.mul_f32(1.0 - f32::from(byte) / 512.0)
}

/// Counts a call that did not succeed.
pub(super) fn failed(call: &'static str) {
    metrics::counter!("authd_cluster_calls_failed_total", "call" => call).increment(1);
}
