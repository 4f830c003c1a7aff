//! `jwt`: tokens of an issuer outside, which programs show as they are.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{IdTokenAlgorithm, Outbound, oidc};

/// An issuer of tokens that programs show at the gate (`Authorization: Bearer`), such as a Kubernetes cluster whose ServiceAccounts
/// call an application. Nobody signs in with it, and it makes no accounts: a caller is the issuer's subject, for as long as the token
/// is good, with the roles and groups that RoleMappings grant its claims.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Jwt {
    /// The issuer, exactly as its tokens name it (`iss`). Plain http only on this machine (`localhost`, a name below `.localhost`,
    /// `127.0.0.1`, `[::1]`).
    #[schemars(length(min = 8, max = 512))]
    #[x_kube(validation = Rule::new(super::URL_RULE).message(super::URL_MESSAGE))]
    pub issuer: String,
    /// Whom tokens are for (`aud`): one of these has to be named, so give a name that stands for what authd protects, and not the
    /// issuer's own API.
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 512)))]
    pub audiences: Vec<String>,
    /// How tokens may be signed.
    #[serde(default = "oidc::algorithms")]
    #[schemars(length(min = 1, max = 8))]
    pub algorithms: Vec<IdTokenAlgorithm>,
    /// Where the issuer's public keys are (JWKS). Absent: where its metadata says, at `/.well-known/openid-configuration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 512))]
    #[x_kube(validation = Rule::new(super::URL_RULE).message(super::URL_MESSAGE))]
    pub jwks_url: Option<String>,
    /// How the issuer's servers are reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbound: Option<Outbound>,
}
