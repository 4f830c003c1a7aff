//! `microsoft`: accounts of Microsoft's identity platform (Entra).

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::Outbound;
use crate::SecretKeyRef;

/// Accounts of Microsoft's identity platform (Entra). Whoever runs a tenant chooses its people's addresses, so that one counts as
/// verified only where the token says that the tenant owns its domain (`xms_edov`).
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("!(self.tenant in ['common', 'organizations', 'consumers']) || has(self.allowedTenants)").message("people of every tenant could sign in: name theirs in `allowedTenants`, or write `[\"*\"]` there if all are meant"))]
pub struct Microsoft {
    /// The tenant's id; or `common`, `organizations` or `consumers` for people of several.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[A-Za-z0-9][A-Za-z0-9.-]*$"))]
    pub tenant: String,
    /// The ids of the tenants whose people sign in, where `tenant` stands for several. `*` is every tenant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 64)))]
    pub allowed_tenants: Vec<String>,
    /// The name under which authd is registered.
    #[schemars(length(min = 1, max = 255), regex(pattern = "^[ -~]+$"))]
    pub client_id: String,
    /// The secret that goes with `clientId`.
    pub client_secret_ref: SecretKeyRef,
    /// Where people sign in, where it is not `https://login.microsoftonline.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 512))]
    #[x_kube(validation = Rule::new(super::URL_RULE).message(super::URL_MESSAGE))]
    pub login_url: Option<String>,
    /// Where somebody's groups are when they are too many for a token, where it is not `https://graph.microsoft.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 512))]
    #[x_kube(validation = Rule::new(super::URL_RULE).message(super::URL_MESSAGE))]
    pub graph_url: Option<String>,
    /// How Microsoft's servers are reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbound: Option<Outbound>,
}
