//! Snapshots to Secrets: the shards that changed, then the index that names them.
//!
//! A shard's Secret holds the shard of the index that stands and the one of the index to come, so that a reader finds all that its
//! index names at every moment, whenever this is interrupted. The index is replaced only by whoever read the one that stands.
//! Equal Snapshots write nothing.

mod contents;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crds::ResourceExt;
use crds::published::{INDEX_ENTRY, INSTANCE_LABEL, MADE_OF, index_secret, shard_entry, shard_secret};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use policy::Snapshot;
use policy::snapshot::shard::{self, Index, Shard, Shards};
use serde_json::json;

use crate::belief::Belief;
use crate::cluster::{Cluster, Error as CallError};
use crate::guard::{self, Loss, MadeOf, Recorded};
use crate::inventory::Inventory;
use crate::plan::Instance;
use contents::contained;

pub use contents::{key_secret, version_of};

/// How many shards are written at a time.
const AT_A_TIME: usize = 4;
/// Why a Snapshot was not published. What was published before stays.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not fit.
    #[error(transparent)]
    Shards(#[from] shard::Error),
    /// Resources are missing that should not be.
    #[error(transparent)]
    Loss(#[from] Loss),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It cannot be written as JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// What is published for one instance.
#[derive(Default)]
pub struct Published {
    shards: Shards,
    /// The index that stands.
    pub index: Option<Index>,
    /// For each resource, by `metadata.uid`: its version, and the first sequence number whose Snapshot has it.
    since: HashMap<String, (String, u64)>,
    /// Whether what the index records was compared with the definitions that stand.
    is_checked: bool,
}

impl Published {
    /// The first sequence number whose Snapshot has this version of a resource.
    #[must_use]
    pub fn since(&self, uid: &str, version: &str) -> Option<u64> {
        self.since
            .get(uid)
            .filter(|(known, _)| known == version)
            .map(|(_, sequence)| *sequence)
    }

    /// How many Secrets the shards need.
    #[must_use]
    pub fn shard_count(&self) -> usize {
        self.shards.shards.len()
    }
}

/// Publishes for all instances, and remembers what it wrote.
#[derive(Default)]
pub struct Publisher {
    published: HashMap<String, Published>,
    /// By namespace and name, what the watch may not have brought yet.
    written: HashMap<(String, String), (Arc<Secret>, Belief)>,
}

impl Publisher {
    /// What is published for an instance.
    #[must_use]
    pub fn published(&self, instance: &Instance) -> Option<&Published> {
        self.published.get(&instance.full_name())
    }

    /// When to look again at what the watch may not have brought yet.
    #[must_use]
    pub fn look_again(&self) -> Option<Duration> {
        self.written.values().filter_map(|(_, belief)| belief.rest()).min()
    }

    /// Forgets instances that are gone, and what the watch has brought by now.
    pub fn retain(&mut self, instances: &[Instance], inventory: &Inventory) {
        let names: HashSet<String> = instances.iter().map(Instance::full_name).collect();
        self.published.retain(|name, _| names.contains(name));
        self.written.retain(|(namespace, name), (secret, belief)| {
            let instance = secret.labels().get(INSTANCE_LABEL);
            instance.is_some_and(|instance| names.contains(&format!("{namespace}/{instance}")))
                && belief.is_ahead_of(inventory.secret(namespace, name).map(AsRef::as_ref))
        });
    }

    /// Publishes a Snapshot; `least` is the smallest sequence number that no replica has gone beyond. Whether anything was written.
    ///
    /// The watch may lag, or never bring what stands; where the API server says so, its own answer counts.
    ///
    /// # Errors
    /// It was not published; what was before stays.
    pub async fn publish(
        &mut self,
        cluster: &Cluster,
        inventory: &Inventory,
        (instance, snapshot): (&Instance, &Snapshot),
        least: u64,
    ) -> Result<bool, Error> {
        let name = instance.full_name();
        let before = self.published.entry(name.clone()).or_default();
        let shards = Shards::cut(snapshot, &before.shards)?;
        let place = Place::of(instance);
        let mut outcome = self
            .bring(cluster, inventory, (instance, &place), (&shards, least))
            .await;
        if let Err(Error::Call(error)) = &outcome
            && error.code() == Some(409)
        {
            self.read(cluster, &place, shards.shards.len()).await?;
            outcome = self
                .bring(cluster, inventory, (instance, &place), (&shards, least))
                .await;
        }
        let (index, has_written) = outcome?;
        self.settle(&name, (shards, index), inventory, snapshot);
        Ok(has_written)
    }

    /// Reads the Secrets of an instance, to be believed as if they had just been written.
    async fn read(&mut self, cluster: &Cluster, place: &Place, shards: usize) -> Result<(), CallError> {
        let shards = (0..shards).map(|number| shard_secret(&place.name, number));
        for name in shards.chain([place.index()]) {
            if let Some(secret) = cluster.read(&place.namespace, &name).await? {
                self.keep(secret);
            }
        }
        Ok(())
    }

    /// Brings the shards, and then the index that names them. The index that stands now, and whether anything was written.
    async fn bring(
        &mut self,
        cluster: &Cluster,
        inventory: &Inventory,
        (instance, place): (&Instance, &Place),
        (shards, least): (&Shards, u64),
    ) -> Result<(Index, bool), Error> {
        let name = instance.full_name();
        let is_checked = self.published.get(&name).is_some_and(|before| before.is_checked);
        let standing = self.live(inventory, &place.namespace, &place.index());
        let standing_index = standing.as_deref().and_then(index_in);
        let missing = self.missing(inventory, place, shards);
        // One that somebody changed, or put back from before, is replaced.
        let is_current = |index: &Index| *index == shards.index(index.sequence) && index.sequence >= least;
        let current = standing_index.clone().filter(is_current);
        let stands = current.as_ref().filter(|_| missing.is_empty()).cloned();
        if let Some(index) = stands.clone().filter(|_| is_checked) {
            return Ok((index, false));
        }
        let recorded = standing.as_deref().and_then(made_of_in);
        let known = Recorded::new(recorded.as_ref(), is_checked);
        let made_of = self.checked(&name, guard::check(&cluster.client(), inventory, instance, known).await)?;
        if let Some(index) = stands {
            if recorded.as_ref() != Some(&made_of) {
                self.write_index(cluster, place, standing.as_deref(), (&index, &made_of))
                    .await?;
            }
            return Ok((index, false));
        }
        self.write_shards(cluster, inventory, place, (&missing, standing_index.as_ref()))
            .await?;
        if let Some(index) = current {
            return Ok((index, true));
        }
        let sequence = standing_index.map_or(0, |index| index.sequence).max(least) + 1;
        let index = shards.index(sequence);
        self.write_index(cluster, place, standing.as_deref(), (&index, &made_of))
            .await?;
        tracing::info!(
            instance = name,
            sequence,
            snapshot.digest = index.digest,
            "snapshot_published"
        );
        metrics::counter!("authd_operator_snapshots_published_total").increment(1);
        Ok((index, true))
    }

    /// After a loss, or at first, the record of what an index was made of is compared with what stands.
    fn checked(&mut self, name: &str, outcome: Result<MadeOf, Loss>) -> Result<MadeOf, Loss> {
        self.published.entry(name.to_owned()).or_default().is_checked = outcome.is_ok();
        outcome
    }

    fn settle(&mut self, name: &str, (shards, index): (Shards, Index), inventory: &Inventory, snapshot: &Snapshot) {
        let published = self.published.entry(name.to_owned()).or_default();
        let sequence = index.sequence;
        let mut since = HashMap::with_capacity(published.since.len());
        for (uid, version) in contained(inventory, snapshot) {
            let known = published.since.get(&uid).filter(|(known, _)| *known == version);
            let first = known.map_or(sequence, |(_, first)| *first);
            since.insert(uid, (version, first));
        }
        *published = Published {
            shards,
            index: Some(index),
            since,
            is_checked: published.is_checked,
        };
    }

    /// A Secret as the watch has it, or as it was written a moment ago.
    fn live(&self, inventory: &Inventory, namespace: &str, name: &str) -> Option<Arc<Secret>> {
        let watched = inventory.secret(namespace, name);
        let written = self.written.get(&(namespace.to_owned(), name.to_owned()));
        written
            .filter(|(_, belief)| belief.rest().is_some() && belief.is_ahead_of(watched.map(AsRef::as_ref)))
            .map(|(secret, _)| secret)
            .or(watched)
            .cloned()
    }

    fn keep(&mut self, secret: Secret) {
        let key = (secret.namespace().unwrap_or_default(), secret.name_any());
        let belief = Belief::new(&secret, self.written.get(&key).map(|(_, belief)| belief));
        self.written.insert(key, (Arc::new(secret), belief));
    }

    /// The shards that are in no Secret yet, or not as they should be.
    fn missing(&self, inventory: &Inventory, place: &Place, shards: &Shards) -> Vec<(usize, Shard)> {
        let is_there = |number: usize, shard: &Shard| {
            let secret = self.live(inventory, &place.namespace, &shard_secret(&place.name, number));
            let data = secret.as_ref().and_then(|secret| secret.data.as_ref());
            data.and_then(|data| data.get(shard_entry(&shard.digest)))
                .is_some_and(|bytes| *bytes.0 == *shard.bytes)
        };
        let numbered = shards.shards.iter().enumerate();
        numbered
            .filter(|(number, shard)| !is_there(*number, shard))
            .map(|(number, shard)| (number, shard.clone()))
            .collect()
    }

    async fn write_shards(
        &mut self,
        cluster: &Cluster,
        inventory: &Inventory,
        place: &Place,
        (missing, standing): (&[(usize, Shard)], Option<&Index>),
    ) -> Result<(), CallError> {
        let writes: Vec<_> = missing
            .iter()
            .map(|(number, shard)| {
                let live = self.live(inventory, &place.namespace, &shard_secret(&place.name, *number));
                let keep = standing
                    .and_then(|index| index.shards.get(*number))
                    .map(|digest| shard_entry(digest).to_owned());
                write_shard(cluster, place, (*number, shard), (live, keep))
            })
            .collect();
        let written: Vec<Secret> = futures::stream::iter(writes)
            .buffer_unordered(AT_A_TIME)
            .try_collect()
            .await?;
        written.into_iter().for_each(|secret| self.keep(secret));
        Ok(())
    }

    async fn write_index(
        &mut self,
        cluster: &Cluster,
        place: &Place,
        standing: Option<&Secret>,
        (index, made_of): (&Index, &MadeOf),
    ) -> Result<(), Error> {
        let mut secret = place.secret(&place.index(), INDEX_ENTRY, serde_json::to_vec(index)?);
        secret.metadata.annotations = Some(BTreeMap::from([(MADE_OF.to_owned(), serde_json::to_string(made_of)?)]));
        let written = match standing {
            None => cluster.create(&secret).await?,
            Some(standing) => {
                secret.metadata.resource_version = standing.resource_version();
                cluster.replace(&secret).await?
            }
        };
        self.keep(written);
        Ok(())
    }
}

async fn write_shard(
    cluster: &Cluster,
    place: &Place,
    (number, shard): (usize, &Shard),
    (live, keep): (Option<Arc<Secret>>, Option<String>),
) -> Result<Secret, CallError> {
    let name = shard_secret(&place.name, number);
    let entry = shard_entry(&shard.digest);
    let Some(live) = live else {
        return cluster.create(&place.secret(&name, entry, shard.bytes.to_vec())).await;
    };
    let mut data = serde_json::Map::new();
    for stale in live
        .data
        .iter()
        .flatten()
        .map(|(entry, _)| entry)
        .filter(|entry| Some(*entry) != keep.as_ref())
    {
        data.insert(stale.clone(), serde_json::Value::Null);
    }
    data.insert(entry.to_owned(), json!(ByteString(shard.bytes.to_vec())));
    let change = json!({
        "metadata": { "resourceVersion": live.resource_version(), "labels": { INSTANCE_LABEL: place.name } },
        "data": data,
    });
    cluster.merge(&place.namespace, &name, &change).await
}

/// Where an instance is published.
struct Place {
    namespace: String,
    name: String,
}

impl Place {
    fn of(instance: &Instance) -> Self {
        Self {
            namespace: instance.namespace(),
            name: instance.authd.name_any(),
        }
    }

    fn index(&self) -> String {
        index_secret(&self.name)
    }

    fn secret(&self, name: &str, entry: &str, bytes: Vec<u8>) -> Secret {
        Secret {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(self.namespace.clone()),
                labels: Some(BTreeMap::from([(INSTANCE_LABEL.to_owned(), self.name.clone())])),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([(entry.to_owned(), ByteString(bytes))])),
            type_: Some("authd.dev/snapshot".to_owned()),
            ..Secret::default()
        }
    }
}

fn index_in(secret: &Secret) -> Option<Index> {
    serde_json::from_slice(&secret.data.as_ref()?.get(INDEX_ENTRY)?.0).ok()
}

fn made_of_in(secret: &Secret) -> Option<MadeOf> {
    serde_json::from_str(secret.annotations().get(MADE_OF)?).ok()
}
