//! What one instance may see: its own namespace, and tenants as far as they are granted hosts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crds::{Authd, ConfigMapKeyRef, Duration, Reason, Resource, ResourceExt, SecretKeyRef};

use crate::problem::Problem;
use crate::resources::{ConfigMap, Resources, Secret};
use crate::target::host_matches;

/// The instance, and how to find what it refers to.
pub(super) struct Scope<'a> {
    pub(super) resources: &'a Resources,
    pub(super) authd: &'a Authd,
    secrets: HashMap<(&'a str, &'a str), &'a Secret>,
    config_maps: HashMap<(&'a str, &'a str), &'a ConfigMap>,
    granted: BTreeMap<&'a str, Vec<&'a str>>,
}

/// Finds the instance.
pub(super) fn choose<'a>(
    resources: &'a Resources,
    instance: Option<&str>,
    problems: &mut Vec<Problem>,
) -> Option<&'a Authd> {
    let named = |authd: &&Authd| instance.is_none_or(|instance| instance == full_name(*authd));
    let mut found = resources.authds.iter().filter(named);
    let (first, second) = (found.next(), found.next());
    match (first, second) {
        (Some(authd), None) => Some(authd),
        (Some(_), Some(_)) => {
            let mut names: Vec<String> = resources
                .authds
                .iter()
                .map(|authd| format!("`{}`", full_name(authd)))
                .collect();
            names.sort();
            let message = format!(
                "there is more than one Authd ({}): choose one with `--instance NAMESPACE/NAME`",
                names.join(", ")
            );
            let all = resources.authds.iter().filter(named);
            problems.extend(all.map(|authd| problem(authd, "", Reason::ManyInstances, message.clone())));
            None
        }
        (None, _) => {
            let wanted = instance.map_or(String::new(), |instance| format!(" named `{instance}`"));
            problems.push(Problem {
                kind: "Authd".to_owned(),
                namespace: String::new(),
                name: String::new(),
                field: String::new(),
                reason: Reason::NoInstance,
                message: format!("there is no Authd{wanted}: add one with at least `spec.publicUrl`"),
            });
            None
        }
    }
}

impl<'a> Scope<'a> {
    pub(super) fn new(resources: &'a Resources, authd: &'a Authd) -> Self {
        let secrets = resources
            .secrets
            .iter()
            .map(|s| ((s.namespace.as_str(), s.name.as_str()), s))
            .collect();
        let config_maps = resources
            .config_maps
            .iter()
            .map(|map| ((map.namespace.as_str(), map.name.as_str()), map))
            .collect();
        let mut granted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for tenant in &authd.spec.tenants {
            let labels = &tenant.namespace_selector.match_labels;
            let chosen = |labels_of: &BTreeMap<String, String>| labels.iter().all(|(k, v)| labels_of.get(k) == Some(v));
            for namespace in resources
                .namespaces
                .iter()
                .filter(|namespace| !labels.is_empty() && chosen(&namespace.labels))
            {
                granted
                    .entry(&namespace.name)
                    .or_default()
                    .extend(tenant.hosts.iter().map(String::as_str));
            }
        }
        Self {
            resources,
            authd,
            secrets,
            config_maps,
            granted,
        }
    }

    /// The namespaces whose resources the instance reads.
    pub(super) fn namespaces(&self) -> BTreeSet<String> {
        let granted = self.granted.keys().map(|namespace| (*namespace).to_owned());
        granted.chain(self.authd.namespace()).collect()
    }

    /// The Secret of that name.
    pub(super) fn secret_named(&self, namespace: &str, name: &str) -> Option<&'a Secret> {
        self.secrets.get(&(namespace, name)).copied()
    }

    /// Whether the resource is none of this instance's business: it lives beside another Authd, and no tenant grants it anything
    /// here.
    pub(super) fn is_elsewhere(&self, resource: &impl ResourceExt) -> bool {
        let beside = |authd: &Authd| authd.namespace() == resource.namespace();
        self.granted_hosts(resource).is_some_and(<[_]>::is_empty) && self.resources.authds.iter().any(beside)
    }

    /// Whether the resource lives in the instance's own namespace.
    pub(super) fn is_home(&self, resource: &impl ResourceExt) -> bool {
        resource.namespace() == self.authd.namespace()
    }

    /// The hosts granted to a tenant's namespace; `None` for the instance's own namespace, which needs no grant.
    pub(super) fn granted_hosts(&self, resource: &impl ResourceExt) -> Option<&[&'a str]> {
        let namespace = resource.namespace().unwrap_or_default();
        (!self.is_home(resource)).then(|| self.granted.get(namespace.as_str()).map_or(&[][..], Vec::as_slice))
    }

    /// The value that a reference in this resource points at.
    pub(super) fn secret<K: Resource<DynamicType = ()> + ResourceExt>(
        &self,
        resource: &K,
        field: &str,
        reference: &SecretKeyRef,
    ) -> Result<&'a [u8], Problem> {
        let SecretKeyRef { name, key } = reference;
        let namespace = resource.namespace().unwrap_or_default();
        let secret = self.secrets.get(&(namespace.as_str(), name.as_str()));
        entry(secret.map(|secret| &secret.data), &SECRET, (&namespace, name, key))
            .map_err(|(reason, message)| problem(resource, field, reason, message))
    }

    /// The same in a ConfigMap.
    pub(super) fn config_map<K: Resource<DynamicType = ()> + ResourceExt>(
        &self,
        resource: &K,
        field: &str,
        reference: &ConfigMapKeyRef,
    ) -> Result<&'a [u8], Problem> {
        let ConfigMapKeyRef { name, key } = reference;
        let namespace = resource.namespace().unwrap_or_default();
        let map = self.config_maps.get(&(namespace.as_str(), name.as_str()));
        entry(map.map(|map| &map.data), &CONFIG_MAP, (&namespace, name, key))
            .map_err(|(reason, message)| problem(resource, field, reason, message))
    }
}

/// What holds values, and what is said where one is not to be had.
struct Holder {
    kind: &'static str,
    missing: Reason,
    unusable: Reason,
}

const SECRET: Holder = Holder {
    kind: "Secret",
    missing: Reason::SecretMissing,
    unusable: Reason::SecretUnusable,
};

const CONFIG_MAP: Holder = Holder {
    kind: "ConfigMap",
    missing: Reason::ConfigMapMissing,
    unusable: Reason::ConfigMapUnusable,
};

/// The value under a key of what has this name in a namespace; otherwise what is wrong.
fn entry<'a>(
    entries: Option<&'a BTreeMap<String, Vec<u8>>>,
    holder: &Holder,
    (namespace, name, key): (&str, &str, &str),
) -> Result<&'a [u8], (Reason, String)> {
    let Holder {
        kind,
        missing,
        unusable,
    } = *holder;
    let entries = entries.ok_or_else(|| {
        let message = format!("there is no {kind} `{name}` in namespace `{namespace}`: create it with the key `{key}`");
        (missing, message)
    })?;
    let value = entries.get(key).filter(|value| !value.is_empty());
    value.map(Vec::as_slice).ok_or_else(|| {
        let filled = entries.iter().filter(|(_, value)| !value.is_empty());
        let keys: Vec<String> = filled.map(|(key, _)| format!("`{key}`")).collect();
        let has = if keys.is_empty() {
            "no values at all".to_owned()
        } else {
            format!("only {}", keys.join(", "))
        };
        let message = format!("{kind} `{name}` has no value under `{key}`: it has {has}");
        (unusable, message)
    })
}

/// Whether everything that `pattern` covers is covered by one of the granted patterns.
pub(super) fn is_granted(granted: &[&str], pattern: &str) -> bool {
    granted
        .iter()
        .any(|grant| *grant == pattern || !pattern.starts_with("*.") && host_matches(grant, pattern))
}

/// `namespace/name`.
pub(super) fn full_name(resource: &impl ResourceExt) -> String {
    format!("{}/{}", resource.namespace().unwrap_or_default(), resource.name_any())
}

/// Older first, then by namespace and name: the order in which claims are settled.
pub(super) fn by_age<K: ResourceExt>(resources: &[K]) -> Vec<&K> {
    let mut sorted: Vec<&K> = resources.iter().collect();
    sorted.sort_by_cached_key(|resource| {
        let created = resource.creation_timestamp().map(|time| time.0.as_nanosecond());
        (
            created.unwrap_or(i128::MIN),
            resource.uid().unwrap_or_default(),
            full_name(*resource),
        )
    });
    sorted
}

/// Something wrong with this resource.
pub(super) fn problem<K>(resource: &K, field: &str, reason: Reason, message: impl Into<String>) -> Problem
where
    K: Resource<DynamicType = ()> + ResourceExt,
{
    Problem {
        kind: K::kind(&()).into_owned(),
        namespace: resource.namespace().unwrap_or_default(),
        name: resource.name_any(),
        field: field.to_owned(),
        reason,
        message: message.into(),
    }
}

/// Reads a duration in seconds; `None` is "without end".
pub(super) fn seconds<K>(resource: &K, field: &str, duration: &Duration) -> Result<Option<u64>, Problem>
where
    K: Resource<DynamicType = ()> + ResourceExt,
{
    duration
        .seconds()
        .map_err(|error| problem(resource, field, Reason::InvalidDuration, error.to_string()))
}

/// Reads a duration that must have an end.
pub(super) fn finite<K>(resource: &K, field: &str, duration: &Duration) -> Result<u64, Problem>
where
    K: Resource<DynamicType = ()> + ResourceExt,
{
    seconds(resource, field, duration)?.ok_or_else(|| {
        let message = format!("`{}` has no end: give a duration such as `12h`", duration.0);
        problem(resource, field, Reason::InvalidDuration, message)
    })
}
