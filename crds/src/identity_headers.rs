//! How applications are told who is calling: a part of an `Authd`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;

/// The headers that tell an application who is calling.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct IdentityHeaders {
    /// Which names are used.
    pub preset: HeaderPreset,
    /// Other names than those of the preset, or names for what it leaves out.
    pub names: HeaderNames,
    /// Says who is calling once more in `X-Auth-Assertion`, signed for this one request, for applications that want to be sure that
    /// it was authd who said so. Absent: that header is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assertion: Option<Assertion>,
}

/// A signed assertion of who is calling (JWT, RFC 7519), to be verified with the keys at `/.well-known/jwks.json`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Assertion {
    /// How long it is valid, `60s` at most.
    pub lifetime: Duration,
}

impl Default for Assertion {
    fn default() -> Self {
        Self { lifetime: "60s".into() }
    }
}

/// A set of header names that applications know.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderPreset {
    /// `X-Auth-User`, `-Email`, `-Name`, `-Roles`, `-Groups`, `-Provider`.
    #[default]
    XAuth,
    /// `Remote-User`, `-Email`, `-Name`, `-Groups`, as behind Authelia.
    Remote,
    /// `X-Forwarded-User`, `-Email`, `-Preferred-Username`, `-Groups`, as behind oauth2-proxy.
    XForwarded,
}

/// Names of headers, for each part of an identity.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HeaderNames {
    /// For the account's id, which never changes; of a service, for its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<HeaderName>,
    /// For the e-mail address, where it is verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<HeaderName>,
    /// For the name that is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<HeaderName>,
    /// For the roles, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<HeaderName>,
    /// For the groups, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<HeaderName>,
    /// For the AuthProvider that the person signed in with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<HeaderName>,
}

/// The name of a header: letters, digits and hyphens, and none that proxies or HTTP itself give a meaning.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(transparent)]
pub struct HeaderName(#[schemars(length(min = 1, max = 64), regex(pattern = "^[!-~]+$"))] pub String);
