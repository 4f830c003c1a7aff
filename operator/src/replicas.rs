//! Which Snapshot does each replica serve, and how do providers fare? As the replicas say themselves, each in a Lease of its own.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use crds::ResourceExt;
use crds::published::{self, Fares, INSTANCE_LABEL, LEASE_DURATION_SECONDS, PROVIDERS, REFUSED, SEQUENCE};
use k8s_openapi::api::coordination::v1::Lease;

use crate::plan::Instance;
use crate::watch::World;

/// What the replicas of every instance serve.
#[derive(Default)]
pub struct Replicas {
    by_instance: HashMap<String, Vec<Replica>>,
    seen: FirstSeen,
}

/// What one replica says.
#[derive(Clone, Debug, Default)]
struct Replica {
    sequence: u64,
    refused: Option<String>,
    fares: BTreeMap<String, Fares>,
}

impl Replicas {
    /// Reads what they say now. A replica that said nothing for too long does not count.
    pub fn update(&mut self, world: &World) {
        self.by_instance.clear();
        let lasts = Duration::from_secs(u64::try_from(LEASE_DURATION_SECONDS).unwrap_or(30));
        for lease in world.leases.iter().flat_map(|store| store.state()) {
            let Some(instance) = lease.labels().get(INSTANCE_LABEL) else {
                continue;
            };
            if self.seen.age(&*lease) <= lasts {
                let name = format!("{}/{instance}", lease.namespace().unwrap_or_default());
                self.by_instance.entry(name).or_default().push(replica(&lease));
            }
        }
    }

    /// How many replicas serve this sequence number or a later one, of how many that run or should.
    #[must_use]
    pub fn serving(&self, instance: &Instance, since: u64) -> (usize, usize) {
        let replicas = self.of(instance);
        let serving = replicas.iter().filter(|replica| replica.sequence >= since).count();
        let wanted = usize::try_from(instance.authd.spec.replicas).unwrap_or(usize::MAX);
        (serving, replicas.len().max(wanted))
    }

    /// The greatest sequence number that a replica serves.
    #[must_use]
    pub fn furthest(&self, instance: &Instance) -> u64 {
        self.of(instance)
            .iter()
            .map(|replica| replica.sequence)
            .max()
            .unwrap_or(0)
    }

    /// Why some replica does not serve what is published, if it says so.
    #[must_use]
    pub fn refusal(&self, instance: &Instance) -> Option<&str> {
        self.of(instance).iter().find_map(|replica| replica.refused.as_deref())
    }

    /// How many replicas run.
    #[must_use]
    pub fn count(&self, instance: &Instance) -> usize {
        self.of(instance).len()
    }

    /// How a provider fares, as each of those says that have asked it and serve this sequence number or a later one.
    #[must_use]
    pub fn fares(&self, instance: &Instance, provider: &str, since: u64) -> Vec<&Fares> {
        let serving = self.of(instance).iter().filter(|replica| replica.sequence >= since);
        serving.filter_map(|replica| replica.fares.get(provider)).collect()
    }

    fn of(&self, instance: &Instance) -> &[Replica] {
        self.by_instance.get(&instance.full_name()).map_or(&[], Vec::as_slice)
    }
}

fn replica(lease: &Lease) -> Replica {
    let said = |name: &str| lease.annotations().get(name);
    Replica {
        sequence: said(SEQUENCE).and_then(|text| text.parse().ok()).unwrap_or(0),
        refused: said(REFUSED).cloned(),
        fares: said(PROVIDERS).map(|text| published::fares(text)).unwrap_or_default(),
    }
}

/// When each object was first seen as it is, by a clock that nobody sets.
#[derive(Default)]
struct FirstSeen {
    seen: HashMap<String, (String, Instant)>,
}

impl FirstSeen {
    /// How long this object has been as it is.
    fn age(&mut self, object: &impl ResourceExt) -> Duration {
        let key = format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any());
        let version = object.resource_version().unwrap_or_default();
        let entry = self
            .seen
            .entry(key)
            .or_insert_with(|| (version.clone(), Instant::now()));
        if entry.0 != version {
            *entry = (version, Instant::now());
        }
        entry.1.elapsed()
    }
}
