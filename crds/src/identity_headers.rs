//! How applications are told who is calling: a part of an `Authd`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The headers that tell an application who is calling.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct IdentityHeaders {
    /// Which names are used.
    pub preset: HeaderPreset,
    /// Other names than those of the preset, or names for what it leaves out.
    pub names: HeaderNames,
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
