//! What an Authd becomes in the cluster, made and kept as it should be.
//!
//! Nothing here has an owner reference: if the definition of Authds is removed, the API server deletes every Authd, and what was
//! deployed must go on. What belonged to an Authd is deleted when the Authd was seen to go while its definition stood.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use crds::published::{INSTANCE_LABEL, READ_AT_START};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ObjectReference, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::ResourceExt as _;
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::events::{Event, EventType, Recorder};

use crate::belief::Belief;
use crate::cluster::{Cluster, Error};
use crate::guard;
use crate::plan::Instance;
use crate::report::reference;
use crate::watch::World;

/// The kinds that an Authd becomes, in the order in which they are made.
#[must_use]
pub fn kinds() -> [ApiResource; 7] {
    [
        ApiResource::erase::<ServiceAccount>(&()),
        ApiResource::erase::<Role>(&()),
        ApiResource::erase::<RoleBinding>(&()),
        ApiResource::erase::<NetworkPolicy>(&()),
        ApiResource::erase::<Service>(&()),
        ApiResource::erase::<Deployment>(&()),
        ApiResource::erase::<PodDisruptionBudget>(&()),
    ]
}

/// What was made, and as what the API server has it.
#[derive(Default)]
pub struct Children {
    made: HashMap<Key, Made>,
    /// Authds that were there, with the definition that they had.
    instances: BTreeMap<String, Option<String>>,
    definition: Option<String>,
    /// When to look again at what is believed to be there though the watch does not show it: it may have been taken away since.
    look_again: Option<Duration>,
}

/// Kind, namespace and name.
type Key = (String, String, String);

struct Made {
    desired: u64,
    live: u64,
    belief: Belief,
}

/// Why an object was not made.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is one of that name, and it is not of this Authd.
    #[error("{kind} `{name}` is there already and does not belong to this Authd: rename or remove it")]
    Taken {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
    },
    /// The call failed.
    #[error("{kind} `{name}`: {error}")]
    Call {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// What failed.
        error: Error,
    },
}

impl Children {
    /// When to look again at what the watch did not show yet, if there was something since this was last asked.
    pub fn look_again(&mut self) -> Option<Duration> {
        self.look_again.take()
    }

    fn look_again_in(&mut self, pause: Duration) {
        self.look_again = Some(self.look_again.map_or(pause, |sooner| sooner.min(pause)));
    }

    /// Makes what is not there, and puts back what somebody changed.
    ///
    /// # Errors
    /// Something cannot be made; the rest is tried all the same, and the first refusal returned.
    pub async fn keep(
        &mut self,
        (cluster, recorder): (&Cluster, &Recorder),
        world: &World,
        instance: &Instance,
        desired: &[DynamicObject],
    ) -> Result<(), Refusal> {
        let mut refused = Ok(());
        for object in desired {
            let outcome = self.keep_one(cluster, world, instance, object).await;
            match outcome {
                Ok(Some(put_back)) => tell(recorder, instance, &put_back).await,
                Ok(None) => {}
                Err(refusal) if refused.is_ok() => refused = Err(refusal),
                Err(_) => {}
            }
        }
        refused
    }

    /// What was put back, if something was.
    async fn keep_one(
        &mut self,
        cluster: &Cluster,
        world: &World,
        instance: &Instance,
        object: &DynamicObject,
    ) -> Result<Option<String>, Refusal> {
        let Some(kind) = kind_of(object) else { return Ok(None) };
        let (kind_name, name) = (kind.kind.clone(), object.name_any());
        let key = (kind_name.clone(), object.namespace().unwrap_or_default(), name.clone());
        let desired = fingerprint(object);
        let live = live(world, &key);
        let before = self.made.get(&key).filter(|made| made.desired == desired);
        if let Some(made) = before {
            if live.as_deref().is_some_and(|live| made.live == fingerprint(live)) {
                return Ok(None);
            }
            if made.belief.is_ahead_of(live.as_deref())
                && let Some(rest) = made.belief.rest()
            {
                self.look_again_in(rest);
                return Ok(None);
            }
        }
        let refused = |error: Error| Refusal::Call {
            kind: kind_name.clone(),
            name: name.clone(),
            error,
        };
        let is_new = live.is_none() && !self.made.contains_key(&key);
        if is_new && is_taken(cluster, &kind, object, instance).await.map_err(refused)? {
            return Err(Refusal::Taken { kind: kind_name, name });
        }
        let applied = cluster.apply(&kind, object).await.map_err(refused)?;
        let made = Made {
            desired,
            live: fingerprint(&applied),
            belief: Belief::new(&applied, before.map(|made| &made.belief)),
        };
        let is_put_back = before.is_some_and(|before| match live.as_deref() {
            Some(live) => fingerprint(live) != made.live,
            None => !before.belief.is_in(&applied),
        });
        if let Some(rest) = made.belief.rest() {
            self.look_again_in(rest);
        }
        self.made.insert(key, made);
        Ok(is_put_back.then(|| format!("{kind_name} `{name}`")))
    }

    /// Deletes what belonged to Authds that went while their definition stood, and remembers those that are there.
    pub async fn prune(&mut self, cluster: &Cluster, world: &World, instances: &[Instance]) {
        let present: BTreeSet<String> = instances.iter().map(Instance::full_name).collect();
        let gone: Vec<String> = self
            .instances
            .keys()
            .filter(|name| !present.contains(*name))
            .cloned()
            .collect();
        let has_new = present.iter().any(|name| !self.instances.contains_key(name));
        if has_new || !gone.is_empty() {
            self.definition = guard::authds_stand(&cluster.client()).await;
        }
        for name in gone {
            let had = self.instances.remove(&name).flatten();
            if had.is_some() && had == self.definition {
                self.delete(cluster, world, &name).await;
            } else {
                tracing::warn!(
                    instance = name,
                    "instance_kept: its definition went with it, so what was deployed stays"
                );
            }
        }
        for name in present {
            self.instances.entry(name).or_insert_with(|| self.definition.clone());
        }
    }

    async fn delete(&mut self, cluster: &Cluster, world: &World, instance: &str) {
        let Some((namespace, name)) = instance.split_once('/') else {
            return;
        };
        let deployed = world.children.iter();
        let deployed = deployed.flat_map(|(kind, store)| store.state().into_iter().map(|child| (kind.clone(), child)));
        let secrets = world.secrets.get(namespace).into_iter().flat_map(|store| store.state());
        let secrets = secrets.map(|secret| (ApiResource::erase::<Secret>(&()), Arc::new(named(&*secret))));
        let leases = world.leases.iter().flat_map(|store| store.state());
        let leases = leases.map(|lease| (ApiResource::erase::<Lease>(&()), Arc::new(named(&*lease))));
        let belongs = |child: &DynamicObject| {
            child.namespace().as_deref() == Some(namespace)
                && child.labels().get(INSTANCE_LABEL).is_some_and(|of| of == name)
        };
        for (kind, child) in deployed
            .chain(secrets)
            .chain(leases)
            .filter(|(_, child)| belongs(child))
        {
            if let Err(error) = cluster.delete(&kind, &child).await {
                tracing::warn!(kind = kind.kind, name = child.name_any(), %error, "child_not_deleted");
            }
        }
        self.made.retain(|(_, in_namespace, _), _| in_namespace != namespace);
        tracing::info!(instance, "instance_deleted");
    }
}

/// What Pods read when they were deployed, as their Deployment says: what cannot be read at the moment has none replaced.
#[must_use]
pub fn deployed_with(world: &World, instance: &Instance) -> Option<String> {
    instance.authd.spec.database.as_ref()?;
    let key = ("Deployment".to_owned(), instance.namespace(), instance.authd.name_any());
    let deployed = live(world, &key)?;
    let annotations = deployed.data.pointer("/spec/template/metadata/annotations")?;
    annotations.get(READ_AT_START)?.as_str().map(str::to_owned)
}

/// The metadata alone, for a kind that is watched by its own type.
fn named<K: kube::Resource<DynamicType = ()>>(object: &K) -> DynamicObject {
    DynamicObject {
        types: None,
        metadata: object.meta().clone(),
        data: serde_json::Value::Null,
    }
}

fn kind_of(object: &DynamicObject) -> Option<ApiResource> {
    let name = &object.types.as_ref()?.kind;
    kinds().into_iter().find(|kind| kind.kind == *name)
}

fn live(world: &World, (kind, namespace, name): &Key) -> Option<Arc<DynamicObject>> {
    let same = |child: &DynamicObject| child.namespace().as_ref() == Some(namespace) && child.name_any() == *name;
    let stores = world.children.iter().filter(|(of, _)| of.kind == *kind);
    stores.into_iter().find_map(|(_, store)| store.find(same))
}

/// Whether something of that name is there that is not of this Authd: the watch shows only what carries the label.
async fn is_taken(
    cluster: &Cluster,
    kind: &ApiResource,
    object: &DynamicObject,
    instance: &Instance,
) -> Result<bool, Error> {
    let found = cluster.find(kind, object).await?;
    let own = |found: &DynamicObject| found.labels().get(INSTANCE_LABEL) == Some(&instance.authd.name_any());
    Ok(found.is_some_and(|found| !own(&found)))
}

/// What somebody may have changed: all but what the API server and controllers write.
fn fingerprint(object: &DynamicObject) -> u64 {
    let mut data = object.data.clone();
    if let Some(members) = data.as_object_mut() {
        members.remove("status");
    }
    let mut hasher = DefaultHasher::new();
    data.to_string().hash(&mut hasher);
    let noise = |name: &str| name.starts_with("deployment.kubernetes.io/");
    let annotations = object.annotations().iter().filter(|(name, _)| !noise(name));
    annotations
        .chain(object.labels())
        .for_each(|pair| pair.hash(&mut hasher));
    hasher.finish()
}

async fn tell(recorder: &Recorder, instance: &Instance, what: &str) {
    tracing::warn!(instance = instance.full_name(), what, "put_back");
    let event = Event {
        type_: EventType::Warning,
        reason: "PutBack".to_owned(),
        note: Some(format!(
            "{what} was changed by somebody else and put back: change the Authd instead"
        )),
        action: "Deploy".to_owned(),
        secondary: None,
    };
    let about: ObjectReference = reference(&instance.authd);
    if let Err(error) = recorder.publish(&event, &about).await {
        tracing::debug!(%error, "event_not_written");
    }
}
