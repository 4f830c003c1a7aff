//! `github`: accounts of GitHub.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::Outbound;
use crate::SecretKeyRef;

/// Accounts of GitHub, or of an Enterprise server. The claim `groups` holds organisations, and teams as `organisation/team`; the address
/// is the primary one, if it is verified.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GitHub {
    /// The name under which authd is registered.
    #[schemars(length(min = 1, max = 255), regex(pattern = "^[ -~]+$"))]
    pub client_id: String,
    /// The secret that goes with `clientId`.
    pub client_secret_ref: SecretKeyRef,
    /// Where an Enterprise server is. Absent: `https://github.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 512))]
    #[x_kube(validation = Rule::new(super::URL_RULE).message(super::URL_MESSAGE))]
    pub base_url: Option<String>,
    /// How GitHub's servers are reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbound: Option<Outbound>,
}
