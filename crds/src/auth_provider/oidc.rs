//! `oidc`: an OpenID provider.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Outbound;
use crate::{Duration, SecretKeyRef};

/// An OpenID provider. authd is a client of it: authorization code with PKCE (S256), `state` and `nonce` always.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.clientId) != has(self.dynamicRegistration)").message("give exactly one of `clientId` and `dynamicRegistration`"))]
#[x_kube(validation = Rule::new("!has(self.clientAuth) || !(self.clientAuth in ['ClientSecretBasic', 'ClientSecretPost']) || has(self.clientSecretRef) || has(self.dynamicRegistration)").message("this `clientAuth` needs `clientSecretRef`"))]
#[x_kube(validation = Rule::new("(has(self.clientAuth) && self.clientAuth == 'PrivateKeyJwt') == has(self.privateKeyRef)").message("`clientAuth: PrivateKeyJwt` and `privateKeyRef` go together"))]
pub struct Oidc {
    /// The issuer, exactly as the provider's own metadata names it. Plain http only on this machine (`localhost`, a name below
    /// `.localhost`, `127.0.0.1`, `[::1]`).
    #[schemars(length(min = 8, max = 512))]
    #[x_kube(validation = Rule::new(super::URL_RULE).message(super::URL_MESSAGE))]
    pub issuer: String,
    /// The name under which authd is registered at the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = "^[ -~]+$"))]
    pub client_id: Option<String>,
    /// The secret that goes with `clientId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_ref: Option<SecretKeyRef>,
    /// How authd proves at the token endpoint who it is. Absent: `ClientSecretBasic` where there is a secret, otherwise `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_auth: Option<ClientAuth>,
    /// The private key (PEM, PKCS #8: RSA, P-256 or Ed25519) for `clientAuth: PrivateKeyJwt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key_ref: Option<SecretKeyRef>,
    /// authd registers itself at the provider (RFC 7591).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dynamic_registration: Option<DynamicRegistration>,
    /// What is asked for. With `offline_access`, and at providers that give refresh tokens without it, authd asks again in the
    /// background whether somebody may still be here.
    #[serde(default = "scopes")]
    #[schemars(
        length(min = 1, max = 32),
        inner(length(min = 1, max = 128), regex(pattern = "^[!#-\\[\\]-~]+$"))
    )]
    #[x_kube(validation = Rule::new("'openid' in self").message("`openid` must be among the scopes: without it there is no ID token"))]
    pub scopes: Vec<String>,
    /// What else the provider is sent when somebody is sent there, such as `prompt` or `audience`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub authorize_parameters: Vec<AuthorizeParameter>,
    /// How ID tokens may be signed.
    #[serde(default = "algorithms")]
    #[schemars(length(min = 1, max = 8))]
    pub id_token_algorithms: Vec<IdTokenAlgorithm>,
    /// How people must have signed in at the provider. What an ID token does not say counts as not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// Whether the provider's userinfo endpoint is asked for claims that the ID token lacks.
    #[serde(default)]
    pub userinfo: UserInfo,
    /// How the provider's servers are reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbound: Option<Outbound>,
}

fn scopes() -> Vec<String> {
    ["openid", "email", "profile"].map(str::to_owned).to_vec()
}

pub(super) fn algorithms() -> Vec<IdTokenAlgorithm> {
    vec![
        IdTokenAlgorithm::RS256,
        IdTokenAlgorithm::ES256,
        IdTokenAlgorithm::EdDSA,
    ]
}

/// How authd proves at the token endpoint who it is.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// The secret in the `Authorization` header.
    ClientSecretBasic,
    /// The secret in the body.
    ClientSecretPost,
    /// An assertion signed with a private key (RFC 7523).
    PrivateKeyJwt,
    /// Nothing but the name: a public client.
    None,
}

/// How authd registers itself.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DynamicRegistration {
    /// A token that lets authd register, where the provider asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_access_token_ref: Option<SecretKeyRef>,
}

/// Something that the provider is sent beside what OpenID asks for.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthorizeParameter {
    /// Its name.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_.-]+$"))]
    #[x_kube(validation = Rule::new("!(self in ['client_id', 'redirect_uri', 'response_type', 'response_mode', 'scope', 'state', 'nonce', 'code_challenge', 'code_challenge_method', 'request', 'request_uri', 'max_age', 'acr_values'])").message("authd sends this parameter itself"))]
    pub name: String,
    /// Its value.
    #[schemars(length(min = 1, max = 512))]
    pub value: String,
}

/// A signature algorithm of JSON Web Tokens.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "RFC 7518 and RFC 8037 name and define them")]
pub enum IdTokenAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

/// How people must have signed in at the provider.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Authentication {
    /// No longer ago than this (`auth_time`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,
    /// In one of these classes (`acr`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 256)))]
    pub acr: Vec<String>,
    /// With all of these methods (`amr`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 64)))]
    pub amr: Vec<String>,
}

/// Whether the userinfo endpoint is asked.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UserInfo {
    /// At each sign-in, where the provider has one.
    #[default]
    Always,
    /// Never: the ID token says everything.
    Never,
}
