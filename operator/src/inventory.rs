//! All that the cluster held at one moment, in the form that the policy engine reads.

use std::collections::HashMap;
use std::sync::Arc;

use crds::{AccessPolicy, AccessPolicySpec, ApiKey, Mode, OnRevocationUnknown, Reason, Resource};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::ResourceExt as _;
use kube::core::PartialObjectMeta;
use policy::resources::{self, Origin};
use policy::{Problem, Resources};

use crate::stored::{Stored, Unreadable};
use crate::watch::{Kept, World};

/// All that the cluster held at one moment.
#[derive(Default)]
pub struct Inventory {
    /// Everything that can be read.
    pub resources: Resources,
    /// What cannot.
    pub unreadable: Vec<Problem>,
    /// Secrets as the API server has them, by namespace and name.
    pub secrets: HashMap<(String, String), Arc<Secret>>,
    /// The namespaces whose Secrets may be read.
    pub opted_in: Vec<String>,
    /// Namespaces that are being deleted: nothing can be made in them.
    pub ending: Vec<String>,
}

impl Inventory {
    /// Takes everything down.
    #[must_use]
    pub fn take(world: &World) -> Self {
        let mut unreadable = Vec::new();
        let mut secrets = HashMap::new();
        let mut resources = Resources {
            origin: Origin::Cluster,
            authds: readable(&world.authds, &mut unreadable),
            providers: readable(&world.providers, &mut unreadable),
            role_mappings: readable(&world.role_mappings, &mut unreadable),
            api_keys: readable(&world.api_keys, &mut unreadable),
            access_policies: readable(&world.access_policies, &mut unreadable),
            ..Resources::default()
        };
        // A key that is being deleted is refused from then on, whatever holds its resource.
        let stays = |key: &ApiKey| key.metadata.deletion_timestamp.is_none();
        resources.api_keys.retain(stays);
        resources.access_policies.extend(closed(&world.access_policies));
        for secret in world.secrets.values().flat_map(|store| store.state()) {
            resources.secrets.push(plain(&secret));
            secrets.insert((secret.namespace().unwrap_or_default(), secret.name_any()), secret);
        }
        for map in world.config_maps.iter().flat_map(|store| store.state()) {
            resources.config_maps.push(config_map(&map));
        }
        let namespaces = world.namespaces.state();
        resources.namespaces = namespaces.iter().map(|namespace| labelled(namespace)).collect();
        let ending = namespaces
            .iter()
            .filter(|namespace| namespace.metadata.deletion_timestamp.is_some());
        Self {
            ending: ending.map(|namespace| namespace.name_any()).collect(),
            opted_in: world.secrets.keys().cloned().collect(),
            resources,
            unreadable,
            secrets,
        }
    }

    /// The Secret of that name.
    #[must_use]
    pub fn secret(&self, namespace: &str, name: &str) -> Option<&Arc<Secret>> {
        self.secrets.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// Whether Secrets can be made in the namespace.
    #[must_use]
    pub fn may_make_in(&self, namespace: &str) -> bool {
        self.opted_in.iter().any(|one| one == namespace) && !self.ending.iter().any(|one| one == namespace)
    }
}

fn readable<K: Resource<DynamicType = ()> + Clone>(kept: &Kept<K>, unreadable: &mut Vec<Problem>) -> Vec<K> {
    let mut read = Vec::new();
    for object in kept.state() {
        match &object.0 {
            Ok(resource) => read.push(resource.clone()),
            Err(invalid) => unreadable.push(Problem {
                kind: K::kind(&()).into_owned(),
                namespace: invalid.metadata.namespace.clone().unwrap_or_default(),
                name: invalid.metadata.name.clone().unwrap_or_default(),
                field: "spec".to_owned(),
                reason: Reason::InvalidField,
                message: format!(
                    "{}: it was stored before the definition of its kind was what it is",
                    invalid.error
                ),
            }),
        }
    }
    read
}

/// In place of policies that cannot be read, such that allow nothing: another's wildcard shall not open their hosts.
fn closed(kept: &Kept<AccessPolicy>) -> Vec<AccessPolicy> {
    let unreadable = |object: &Arc<Stored<AccessPolicy>>| object.0.as_ref().err().cloned();
    let stored = kept.state();
    let claiming = stored.iter().filter_map(unreadable).filter(|one| !one.hosts.is_empty());
    let close = |Unreadable { metadata, hosts, .. }| AccessPolicy {
        metadata,
        spec: AccessPolicySpec {
            mode: Mode::Enforce,
            on_revocation_unknown: OnRevocationUnknown::default(),
            hosts,
            rules: Vec::new(),
            cedar: None,
        },
        status: None,
    };
    claiming.map(close).collect()
}

fn plain(secret: &Secret) -> resources::Secret {
    let data = secret.data.iter().flatten();
    resources::Secret {
        namespace: secret.namespace().unwrap_or_default(),
        name: secret.name_any(),
        data: data.map(|(name, value)| (name.clone(), value.0.clone())).collect(),
        annotations: secret.annotations().clone(),
        owner: secret.owner_references().first().map(|owner| owner.uid.clone()),
    }
}

fn config_map(map: &ConfigMap) -> resources::ConfigMap {
    let texts = map.data.iter().flatten();
    let texts = texts.map(|(name, value)| (name.clone(), value.clone().into_bytes()));
    let binary = map.binary_data.iter().flatten();
    let binary = binary.map(|(name, value)| (name.clone(), value.0.clone()));
    resources::ConfigMap {
        namespace: map.namespace().unwrap_or_default(),
        name: map.name_any(),
        data: texts.chain(binary).collect(),
    }
}

fn labelled(namespace: &PartialObjectMeta<Namespace>) -> resources::Namespace {
    resources::Namespace {
        name: namespace.name_any(),
        labels: namespace.labels().clone(),
    }
}
