//! Where accounts and sessions are kept when replicas share them.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::SecretKeyRef;

/// A database that replicas share.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Database {
    /// The key of a Secret whose value is the URL of a PostgreSQL database of authd's own:
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`. A server on another machine has to show a certificate of its name, unless
    /// the URL has a parameter `sslmode` that says otherwise. Running replicas take another URL over when they start again.
    pub postgres_secret_ref: SecretKeyRef,
    /// The key of a Secret with the certificates of the authorities that the server's certificate is believed from, as PEM. Absent:
    /// the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeyRef>,
}
