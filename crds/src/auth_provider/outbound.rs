//! How a provider's servers are reached.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::{ConfigMapKeyRef, SecretKeyRef};

/// How a provider's servers are reached. Without it only addresses of the public Internet are, and with certificates of public
/// authorities.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new(super::CA_RULE).message(super::CA_MESSAGE))]
pub struct Outbound {
    /// Networks that are not public in which the provider's servers may be, as CIDR.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        inner(length(min = 3, max = 49), regex(pattern = "^[0-9a-fA-F:.]+/[0-9]{1,3}$"))
    )]
    pub allowed_networks: Vec<String>,
    /// Certificates (PEM) of the authorities that vouch for the provider's servers, instead of the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeyRef>,
    /// The same out of a ConfigMap, such as `kube-root-ca.crt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_config_map_ref: Option<ConfigMapKeyRef>,
}
