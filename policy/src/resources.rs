//! All that was read from the cluster or folder at one moment.

use std::collections::BTreeMap;

use crds::{AccessPolicy, ApiKey, AuthProvider, Authd, RoleMapping};

/// All that was read from the cluster or folder at one moment. Their order has no meaning.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// Where they were read.
    pub origin: Origin,
    /// Instances.
    pub authds: Vec<Authd>,
    /// Ways to sign in.
    pub providers: Vec<AuthProvider>,
    /// Which claims grant what.
    pub role_mappings: Vec<RoleMapping>,
    /// Keys for programs.
    pub api_keys: Vec<ApiKey>,
    /// Who may do what.
    pub access_policies: Vec<AccessPolicy>,
    /// Secrets that the others refer to.
    pub secrets: Vec<Secret>,
    /// ConfigMaps that the others refer to.
    pub config_maps: Vec<ConfigMap>,
    /// Namespaces, for the labels that tenants are chosen by.
    pub namespaces: Vec<Namespace>,
}

/// Where resources were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// In a folder: one author wrote all of it.
    #[default]
    Folder,
    /// In a cluster, where whoever writes an ApiKey need not be whoever may read a Secret.
    Cluster,
}

/// A Kubernetes Secret. Its values are never printed.
#[derive(Clone, Default)]
pub struct Secret {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its entries, decoded.
    pub data: BTreeMap<String, Vec<u8>>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// The `metadata.uid` of the resource that owns it.
    pub owner: Option<String>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: Vec<&String> = self.data.keys().collect();
        f.debug_struct("Secret")
            .field("namespace", &self.namespace)
            .field("name", &self.name)
            .field("keys", &keys)
            .finish()
    }
}

/// A Kubernetes ConfigMap.
#[derive(Clone, Debug, Default)]
pub struct ConfigMap {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its entries, decoded.
    pub data: BTreeMap<String, Vec<u8>>,
}

/// A Kubernetes Namespace.
#[derive(Clone, Debug, Default)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Resources {
    /// Whether nothing of ours is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.authds.is_empty()
            && self.providers.is_empty()
            && self.role_mappings.is_empty()
            && self.api_keys.is_empty()
            && self.access_policies.is_empty()
    }

    /// The Secret of that name.
    #[must_use]
    pub fn secret(&self, namespace: &str, name: &str) -> Option<&Secret> {
        self.secrets
            .iter()
            .find(|secret| secret.namespace == namespace && secret.name == name)
    }
}
