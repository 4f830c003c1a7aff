//! `google`: accounts of Google.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::Outbound;
use crate::SecretKeyRef;

/// Accounts of Google. Their address counts as verified where Google is its authority: below `gmail.com`, and in the domains of
/// organisations.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Google {
    /// The name under which authd is registered.
    #[schemars(length(min = 1, max = 255), regex(pattern = "^[ -~]+$"))]
    pub client_id: String,
    /// The secret that goes with `clientId`.
    pub client_secret_ref: SecretKeyRef,
    /// Only people whose account belongs to an organisation with one of these domains (`hd`) sign in. Absent: everybody with an account
    /// of Google.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub hosted_domains: Vec<String>,
    /// The issuer, where it is not `https://accounts.google.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 512))]
    #[x_kube(validation = Rule::new(super::URL_RULE).message(super::URL_MESSAGE))]
    pub issuer: Option<String>,
    /// How Google's servers are reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbound: Option<Outbound>,
}
