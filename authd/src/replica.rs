//! What does a replica serve of what the operator publishes, and from where?
//!
//! The same shards come to it from three places: its own disk (what it served last), the mounted Secrets, and, if it follows, the
//! API server. The newest index whose shards are all there serves; an older one never does again, and nothing that is missing,
//! damaged or late takes away what serves. [`lease`] says what serves.
//!
//! Not here: how shards become an Engine ([`crate::load::shards`]).

pub mod cluster;
mod disk;
pub mod lease;
mod mount;
mod order;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use policy::snapshot::shard::Index;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::app::{self, App};
use crate::load::shards::{self, Found, Shards};
use cluster::Cluster;
use disk::Disk;
use mount::Mount;
use order::Order;

/// How often the mount is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long to wait before an index that could not be used is tried again; each time twice as long, up to the most.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// How often a shard may be missing before that is worth saying: volumes and Secrets change one after another.
const PATIENCE: u32 = 3;

/// What a replica says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The index that serves, if one does: its number and the digest of its Snapshot.
    pub serving: Option<(u64, String)>,
    /// Why it does not serve another one, if it could not.
    pub refused: Option<String>,
}

/// An index, or why it cannot be read.
pub type Offered = Result<Index, String>;

/// Where shards come from.
#[derive(Clone, Debug)]
enum Place {
    Disk(Disk),
    Mount(Mount),
    Cluster(Arc<Cluster>),
}

impl Place {
    fn name(&self) -> &'static str {
        match self {
            Self::Disk(_) => "disk",
            Self::Mount(_) => "mount",
            Self::Cluster(_) => "cluster",
        }
    }

    /// Those of the wanted shards that are there.
    async fn find(&self, wanted: Vec<(usize, String)>) -> Result<Found, String> {
        if let Self::Cluster(cluster) = self {
            return cluster.shards(wanted).await;
        }
        let mut found = Found::new();
        for (number, digest) in wanted {
            let bytes = match self {
                Self::Disk(disk) => disk.shard(&digest)?,
                Self::Mount(mount) => mount.shard(number, &digest)?,
                Self::Cluster(_) => None,
            };
            found.extend(bytes.map(|bytes| (digest, bytes)));
        }
        Ok(found)
    }
}

/// Why an index was not put to use. What serves goes on.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("index {offered} is older than {serving}, which serves")]
    Older { offered: u64, serving: u64 },
    #[error("index {0} is another than the one of that number that serves")]
    Disputed(u64),
    #[error("it is of Authd `{found}`, this is a replica of `{wanted}`")]
    Stranger { found: String, wanted: String },
    #[error("index {sequence}: {error}")]
    Shards { sequence: u64, error: shards::Error },
    #[error("index {sequence}: {error}")]
    Use { sequence: u64, error: app::Error },
    #[error("{0}")]
    Unreadable(String),
}

impl Refused {
    fn is_missing(&self) -> bool {
        let Self::Shards { error, .. } = self else {
            return false;
        };
        matches!(error, shards::Error::Missing { .. })
    }
}

/// One of several that serve the same.
#[derive(Debug)]
pub struct Replica {
    app: Arc<App>,
    instance: Option<String>,
    disk: Disk,
    mount: Mount,
    cluster: Option<Arc<Cluster>>,
    serving: Option<Index>,
    shards: Shards,
    told: watch::Sender<Told>,
}

impl Replica {
    /// Nothing serves yet. Given an `instance`, Snapshots of another are refused.
    #[must_use]
    pub fn new(app: Arc<App>, mount: PathBuf, instance: Option<String>, cluster: Option<Arc<Cluster>>) -> Self {
        Self {
            disk: Disk::below(app.data()),
            app,
            instance,
            mount: Mount(mount),
            cluster,
            serving: None,
            shards: Shards::default(),
            told: watch::Sender::default(),
        }
    }

    /// What it says of itself, as that changes.
    #[must_use]
    pub fn told(&self) -> watch::Receiver<Told> {
        self.told.subscribe()
    }

    /// Serves the newer of disk and mount, as far as one of them is whole. Nobody else is asked.
    pub async fn begin(&mut self) {
        let (disk, mount) = (Place::Disk(self.disk.clone()), Place::Mount(self.mount.clone()));
        let mut offers: Vec<(Place, Index)> = Vec::new();
        for (place, offered) in [(mount, self.mount.index()), (disk, self.disk.index())] {
            match offered {
                Some(Ok(index)) => offers.push((place, index)),
                Some(Err(error)) => self.refuse(&place, &Refused::Unreadable(error)),
                None => {}
            }
        }
        offers.sort_by_key(|(_, index)| std::cmp::Reverse(index.sequence));
        for (place, index) in offers {
            match self.take(index, &place).await {
                Ok(()) => return,
                Err(refused) => {
                    self.refuse(&place, &refused);
                    if matches!((&place, &refused), (Place::Disk(_), Refused::Shards { .. })) {
                        self.clear_disk();
                    }
                }
            }
        }
    }

    /// Damaged shards would count as kept.
    fn clear_disk(&self) {
        if let Err(error) = self.disk.clear() {
            tracing::warn!(error = %error, "the damaged snapshot stays on disk");
        }
    }

    /// Serves what is newer until the stop; `followed` is what the API server says.
    pub async fn run(mut self, mut followed: watch::Receiver<Option<Offered>>, stop: CancellationToken) {
        let mut mounted = Offers::new(Place::Mount(self.mount.clone()));
        let mut of_cluster = self.cluster.clone().map(|cluster| Offers::new(Place::Cluster(cluster)));
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = [Some(&mounted), of_cluster.as_ref()]
                .into_iter()
                .flatten()
                .filter_map(|offers| offers.due)
                .min();
            tokio::select! {
                () = stop.cancelled() => return,
                _ = looks.tick() => mounted.offer(self.mount.index()),
                Ok(()) = followed.changed() => {
                    let offered = followed.borrow_and_update().clone();
                    of_cluster.iter_mut().for_each(|offers| offers.offer(offered.clone()));
                }
                () = until(due) => {}
            }
            for offers in [Some(&mut mounted), of_cluster.as_mut()].into_iter().flatten() {
                self.consider(offers).await;
            }
        }
    }

    async fn consider(&mut self, offers: &mut Offers) {
        if offers.due.is_none_or(|due| due > Instant::now()) {
            return;
        }
        let outcome = match offers.offered.clone() {
            None => return,
            Some(Err(error)) => Err(Refused::Unreadable(error)),
            Some(Ok(index)) => self.take(index, &offers.place).await,
        };
        match outcome {
            Ok(()) => offers.due = None,
            Err(refused) => {
                offers.try_later();
                if !refused.is_missing() || offers.tries > PATIENCE {
                    self.refuse(&offers.place, &refused);
                }
            }
        }
    }

    /// Puts an index to use if it is newer than what serves, or else changes nothing.
    async fn take(&mut self, index: Index, place: &Place) -> Result<(), Refused> {
        let sequence = index.sequence;
        match (order::compare(self.serving.as_ref(), &index), &self.serving) {
            (Order::Newer, _) => {}
            (Order::Older, Some(serving)) => {
                let (offered, serving) = (sequence, serving.sequence);
                return Err(Refused::Older { offered, serving });
            }
            (Order::Disputed, _) => return Err(Refused::Disputed(sequence)),
            (Order::Same | Order::Older, _) => {
                self.forgive(place);
                return Ok(());
            }
        }
        let wanted = owned(self.shards.missing(&index));
        let found = place.find(wanted).await.map_err(Refused::Unreadable)?;
        let made = self.shards.engine(&index, &found);
        let (engine, shards) = made.map_err(|error| Refused::Shards { sequence, error })?;
        if let Some(wanted) = self.instance.clone().filter(|name| *name != engine.settings().instance) {
            let found = engine.settings().instance.clone();
            return Err(Refused::Stranger { found, wanted });
        }
        let put_to_use = self.app.put_to_use(engine).await;
        put_to_use.map_err(|error| Refused::Use { sequence, error })?;
        self.shards = shards;
        self.serving = Some(index.clone());
        self.told.send_replace(Told {
            serving: Some((sequence, index.digest.clone())),
            refused: None,
        });
        #[expect(
            clippy::cast_precision_loss,
            reason = "a gauge is a float, and nobody publishes 2^53 times"
        )]
        metrics::gauge!("authd_snapshot_sequence").set(sequence as f64);
        tracing::info!(
            snapshot.digest = index.digest,
            sequence,
            place = place.name(),
            "config_loaded"
        );
        self.keep(&index, found, place).await;
        Ok(())
    }

    /// Keeps on disk what was put to use. It serves all the same if that cannot be done.
    async fn keep(&self, index: &Index, mut found: Found, place: &Place) {
        if matches!(place, Place::Disk(_)) {
            return;
        }
        let mut missing = owned(self.disk.missing(index));
        missing.retain(|(_, digest)| !found.contains_key(digest));
        if !missing.is_empty() {
            found.extend(place.find(missing).await.unwrap_or_default());
        }
        if let Err(error) = self.disk.keep(index, &found) {
            tracing::warn!(error = %error, "the snapshot is served, but not kept on disk");
        }
    }

    /// Says why an index is not used, once for each reason. That the mount lags behind what the API server says is usual.
    fn refuse(&self, place: &Place, refused: &Refused) {
        let lags = matches!(refused, Refused::Older { .. }) || refused.is_missing();
        if lags && matches!(place, Place::Mount(_)) && self.cluster.is_some() && self.serving.is_some() {
            tracing::debug!(problem = %refused, "the mount lags behind");
            return;
        }
        let problem = format!("{}: {refused}", place.name());
        let is_new = self.told.send_if_modified(|told| {
            let is_new = told.refused.as_ref() != Some(&problem);
            told.refused = Some(problem.clone());
            is_new
        });
        if is_new {
            metrics::counter!("authd_snapshot_load_failures_total").increment(1);
            tracing::error!(
                problem,
                "config_refused: the old snapshot goes on serving, if there is one"
            );
        }
    }

    /// Nothing is refused any more, as the place that leads offers what serves.
    fn forgive(&self, place: &Place) {
        let leads = match place {
            Place::Cluster(_) => true,
            Place::Mount(_) => self.cluster.is_none(),
            Place::Disk(_) => false,
        };
        if leads {
            self.told.send_if_modified(|told| told.refused.take().is_some());
        }
    }
}

fn owned<'a>(shards: impl Iterator<Item = (usize, &'a str)>) -> Vec<(usize, String)> {
    shards.map(|(number, digest)| (number, digest.to_owned())).collect()
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// What a place offered last, and when that is to be tried.
#[derive(Debug)]
struct Offers {
    place: Place,
    offered: Option<Offered>,
    due: Option<Instant>,
    tries: u32,
}

impl Offers {
    fn new(place: Place) -> Self {
        Self {
            place,
            offered: None,
            due: None,
            tries: 0,
        }
    }

    /// Takes note of what is offered; the same as before changes nothing.
    fn offer(&mut self, offered: Option<Offered>) {
        if offered.is_some() && offered != self.offered {
            self.offered = offered;
            self.tries = 0;
            self.due = Some(Instant::now());
        }
    }

    fn try_later(&mut self) {
        let wait = FIRST_WAIT.saturating_mul(1 << self.tries.min(10)).min(LONGEST_WAIT);
        self.tries += 1;
        self.due = Some(Instant::now() + wait);
    }
}
