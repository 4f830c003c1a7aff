//! `AuthProvider`: one way to sign in.

mod accounts;
mod github;
mod google;
mod jwt;
mod ldap;
mod microsoft;
mod oidc;
mod outbound;
mod token_exchange;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::AuthProviderStatus;

pub use accounts::{Accounts, ClaimNames, TrustEmail};
pub use github::GitHub;
pub use google::Google;
pub use jwt::Jwt;
pub use ldap::{
    ClientCertificate, Encryption, Ldap, LdapAnonymous, LdapApplication, LdapAttributes, LdapBind, LdapGroupSearch,
    LdapGroups, LdapLimits, LdapPerson, LdapScope, LdapSearch, LdapTls, Nested,
};
pub use microsoft::Microsoft;
pub use oidc::{Authentication, AuthorizeParameter, ClientAuth, DynamicRegistration, IdTokenAlgorithm, Oidc, UserInfo};
pub use outbound::Outbound;
pub use token_exchange::TokenExchange;

/// What a URL of a provider must be.
pub(crate) const URL_RULE: &str = "self.matches('^(https://[a-z0-9.-]+(:[0-9]{1,5})?|http://(([a-z0-9-]+[.])*localhost|127[.]0[.]0[.]1|\\\\[::1\\\\])(:[0-9]{1,5})?)(/[A-Za-z0-9._~/-]*)?$')";
/// In words.
pub(crate) const URL_MESSAGE: &str = "must be https://HOST[:PORT][/PATH] without user, query and fragment; http:// only for localhost, names below .localhost, 127.0.0.1 and [::1]";

/// Authorities come out of one place.
pub(crate) const CA_RULE: &str = "!has(self.caSecretRef) || !has(self.caConfigMapRef)";
/// In words.
pub(crate) const CA_MESSAGE: &str =
    "certificates come out of a Secret or a ConfigMap: leave out `caSecretRef` or `caConfigMapRef`";

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
    status = "AuthProviderStatus",
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
    printcolumn(
        name = "Reachable",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Reachable\")].status"
    ),
    printcolumn(name = "Issuer", type_ = "string", json_path = ".status.issuer", priority = 1),
    printcolumn(
        name = "Redirect URI",
        type_ = "string",
        json_path = ".status.redirectUri",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
// Every kind of provider is one line of this list.
#[x_kube(validation = Rule::new(
    "[has(self.password),
      has(self.oidc),
      has(self.google),
      has(self.microsoft),
      has(self.github),
      has(self.jwt),
      has(self.ldap)].exists_one(given, given)"
).message("give exactly one kind of provider, such as `password: {}` or `oidc`"))]
#[x_kube(validation = Rule::new("!has(self.password) || (!has(self.claims) && !has(self.accounts))").message("`claims` and `accounts` are for providers outside: leave them out beside `password`"))]
#[x_kube(validation = Rule::new("!has(self.jwt) || !has(self.accounts)").message("`accounts` are for people: leave them out beside `jwt`, which makes none"))]
#[x_kube(validation = Rule::new("!has(self.tokenExchange) || has(self.oidc) || has(self.google) || has(self.microsoft)").message("`tokenExchange` is for tokens of OpenID providers: it goes with `oidc`, `google` and `microsoft`"))]
#[x_kube(validation = Rule::new("!has(self.ldap) || !has(self.claims)").message("`claims` are for OpenID providers: name the attributes of a directory in `ldap.attributes`"))]
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
    /// Accounts of Google.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub google: Option<Google>,
    /// Accounts of Microsoft's identity platform (Entra).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub microsoft: Option<Microsoft>,
    /// Accounts of GitHub, or of an Enterprise server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub github: Option<GitHub>,
    /// An issuer of tokens that programs show as they are, such as a Kubernetes cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<Jwt>,
    /// A directory, such as OpenLDAP or Active Directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ldap: Option<Ldap>,
    /// Which claims of a provider outside say what. Absent: the names that OpenID gives them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<ClaimNames>,
    /// Who gets an account that comes from a provider outside. Absent: everybody whom a RoleMapping admits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Accounts>,
    /// Lets programs exchange tokens of the provider for sessions. Absent: they cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_exchange: Option<TokenExchange>,
}

impl AuthProviderSpec {
    /// Whether people sign in on pages of the provider, which then sends them back.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        self.oidc.is_some() || self.google.is_some() || self.microsoft.is_some() || self.github.is_some()
    }
}

/// Accounts that authd keeps itself. Their claims are `email`, `email_verified`, `name` and `role`.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Password {}
