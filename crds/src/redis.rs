//! Where replicas tell each other at once what changed, and count together.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::SecretKeyRef;

/// A Redis that replicas share.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Redis {
    /// The key of a Secret whose value is the URL: `redis://USER:PASSWORD@HOST:PORT/DATABASE`;
    /// `redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/MASTER` with the addresses of Sentinels;
    /// `redis+cluster://USER:PASSWORD@HOST:PORT,HOST:PORT` with those of some nodes of a Cluster. `rediss` in place of `redis` is TLS.
    /// Running replicas take another URL over when they start again.
    pub secret_ref: SecretKeyRef,
    /// The key of a Secret with the certificates of the authorities that the servers' certificates are believed from, as PEM.
    /// Absent: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeyRef>,
    /// What the names of authd's keys and of its channel begin with, followed by `:`. Instances that share a Redis need one each.
    #[serde(default = "authd")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9][A-Za-z0-9._/-]*$"))]
    pub key_prefix: String,
}

fn authd() -> String {
    "authd".to_owned()
}
