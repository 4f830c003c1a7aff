//! The resources that people write: group `authd.dev`, version `v1alpha1`, namespaced.
//!
//! The types here are the one definition of the resources. The YAML that a cluster installs (`crds/yaml/`), the checks that
//! `authd` runs on a folder, and what `kubectl explain` prints all come from them. What the resources *mean* is not here: see the
//! crate `policy`.

#![expect(
    clippy::duplicated_attributes,
    reason = "printer columns repeat the names of their arguments, which is how kube tells them apart"
)]

mod access_policy;
mod api_key;
mod auth_provider;
mod authd;
mod condition;
mod cookie;
mod database;
mod duration;
mod identity_headers;
mod kind;
mod proxy_auth;
pub mod published;
mod redis;
mod reference;
mod role_mapping;
mod status;
#[cfg(test)]
mod tests;

pub use access_policy::{AccessPolicy, AccessPolicySpec, AccessRule, Allow, Mode, OnRevocationUnknown};
pub use api_key::{ApiKey, ApiKeySpec, Endpoint, Owner, Rotation};
pub use auth_provider::{
    Accounts, AuthProvider, AuthProviderSpec, Authentication, AuthorizeParameter, ClaimNames, ClientAuth,
    ClientCertificate, DynamicRegistration, Encryption, GitHub, Google, IdTokenAlgorithm, Jwt, Ldap, LdapAnonymous,
    LdapApplication, LdapAttributes, LdapBind, LdapGroupSearch, LdapGroups, LdapLimits, LdapPerson, LdapScope,
    LdapSearch, LdapTls, Microsoft, Nested, Oidc, Outbound, Password, TrustEmail, UserInfo,
};
pub use authd::{
    AdminContact, Algorithm, ApiKeys, Authd, AuthdSpec, BootstrapAdmin, DefaultRole, Passwords, RateLimit, RateLimits,
    Sessions, SignOut, SignUp, Storage, Tenant, Tokens,
};
pub use condition::{ConditionType, Reason};
pub use cookie::{Cookie, SameSite};
pub use database::Database;
pub use duration::{Duration, InvalidDuration};
pub use identity_headers::{Assertion, HeaderName, HeaderNames, HeaderPreset, IdentityHeaders};
pub use kind::{GROUP, KINDS, Kind, VERSION};
pub use proxy_auth::{ProxyAuth, ProxyTls};
pub use redis::Redis;
pub use reference::{ConfigMapKeyRef, NamespaceSelector, ProviderRef, SecretKeyRef};
pub use role_mapping::{Grant, GroupGrant, GroupGrants, OnAbsent, OnNoMatch, RoleMapping, RoleMappingSpec, When};
pub use status::{AccessPolicyStatus, ApiKeyStatus, AuthProviderStatus, AuthdStatus, Status};

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta, Time};
pub use kube::{Resource, ResourceExt};
