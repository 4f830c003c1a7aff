//! Which resources a Snapshot has, and which version of each.

use std::collections::HashMap;
use std::sync::Arc;

use crds::{Resource, ResourceExt};
use k8s_openapi::api::core::v1::Secret;
use policy::Snapshot;

use crate::inventory::Inventory;

/// The version of a resource: its generation, and for a key that of the Secret that holds it.
#[must_use]
pub fn version_of<K: Resource>(resource: &K, secret: Option<&Arc<Secret>>) -> String {
    let generation = resource.meta().generation.unwrap_or(0);
    let secret = secret.and_then(|secret| secret.resource_version()).unwrap_or_default();
    format!("{generation}/{secret}")
}

/// The resources that a Snapshot has, by `metadata.uid`, with their versions.
pub fn contained<'a>(inventory: &'a Inventory, snapshot: &'a Snapshot) -> impl Iterator<Item = (String, String)> {
    let resources = &inventory.resources;
    let full_name = |namespace: Option<String>, name: String| format!("{}/{name}", namespace.unwrap_or_default());
    let whole: HashMap<&str, bool> = snapshot
        .access
        .iter()
        .map(|access| (access.name.as_str(), access.broken))
        .collect();
    let keys: std::collections::HashSet<&str> = snapshot.keys.iter().map(policy::snapshot::keys::Key::name).collect();
    let mut found = Vec::new();
    for resource in &resources.access_policies {
        if whole.get(full_name(resource.namespace(), resource.name_any()).as_str()) == Some(&false) {
            found.push((resource.uid(), version_of(resource, None)));
        }
    }
    for resource in &resources.api_keys {
        if keys.contains(full_name(resource.namespace(), resource.name_any()).as_str()) {
            let secret = key_secret(inventory, resource);
            found.push((resource.uid(), version_of(resource, secret)));
        }
    }
    let home: String = snapshot
        .settings
        .instance
        .split('/')
        .next()
        .unwrap_or_default()
        .to_owned();
    let at_home = |namespace: Option<String>| namespace.as_deref() == Some(home.as_str());
    let named = |name: &String| snapshot.settings.instance == format!("{home}/{name}");
    let authds = resources
        .authds
        .iter()
        .filter(|one| at_home(one.namespace()) && named(&one.name_any()));
    found.extend(authds.map(|one| (one.uid(), version_of(one, None))));
    let providers = resources.providers.iter().filter(|one| at_home(one.namespace()));
    found.extend(providers.map(|one| (one.uid(), version_of(one, None))));
    let mappings = resources.role_mappings.iter().filter(|one| at_home(one.namespace()));
    found.extend(mappings.map(|one| (one.uid(), version_of(one, None))));
    found.into_iter().filter_map(|(uid, version)| Some((uid?, version)))
}

/// The Secret that holds a key.
#[must_use]
pub fn key_secret<'a>(inventory: &'a Inventory, resource: &crds::ApiKey) -> Option<&'a Arc<Secret>> {
    let name = resource.spec.secret_name.as_ref()?;
    inventory.secret(&resource.namespace().unwrap_or_default(), name)
}
