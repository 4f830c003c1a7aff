//! `AuthProvider`: one way to sign in.

mod accounts;
mod oidc;
mod outbound;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::Status;

pub use accounts::{Accounts, ClaimNames, TrustEmail};
pub use oidc::{Authentication, AuthorizeParameter, ClientAuth, DynamicRegistration, IdTokenAlgorithm, Oidc, UserInfo};
pub use outbound::Outbound;

/// One way to sign in.
#[derive(CustomResource, Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[kube(
    group = "authd.dev",
    version = "v1alpha1",
    kind = "AuthProvider",
    namespaced,
    plural = "authproviders",
    shortname = "aprov",
    category = "authd",
    status = "Status",
    doc = "One way to sign in.",
    printcolumn(name = "Display name", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
// Every kind of provider is one line of this list.
#[x_kube(validation = Rule::new(
    "[has(self.password),
      has(self.oidc)].exists_one(given, given)"
).message("give exactly one kind of provider, such as `password: {}` or `oidc`"))]
#[x_kube(validation = Rule::new("!has(self.password) || (!has(self.claims) && !has(self.accounts))").message("`claims` and `accounts` are for providers outside: leave them out beside `password`"))]
pub struct AuthProviderSpec {
    /// What people read on the sign-in page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub display_name: Option<String>,
    /// Accounts with an e-mail address and a password that authd keeps itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
    /// An OpenID provider, such as Keycloak, Okta, Auth0 or Dex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<Oidc>,
    /// Which claims of a provider outside say what. Absent: the names that OpenID gives them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<ClaimNames>,
    /// Who gets an account that comes from a provider outside. Absent: everybody whom a RoleMapping admits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Accounts>,
}

/// Accounts that authd keeps itself. Their claims are `email`, `email_verified`, `name` and `role`.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Password {}
