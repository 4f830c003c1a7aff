//! `tokenExchange`: a provider's token for a session of ours.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Lets programs exchange a token that the provider gave them for a person for a session of that person (RFC 8693, at
/// `PUBLIC_URL/oauth/NAME/token`). Whoever may sign in may be exchanged for, with the roles and groups that follow from what the token
/// says; the session ends with the token.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenExchange {
    /// Whom tokens have to be for (`aud`), one of these: for ID tokens the names that programs have at the provider, for access tokens
    /// the name of an API that stands for what authd protects.
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 512)))]
    pub audiences: Vec<String>,
    /// The programs that may do so, by the names that they have at the provider (`azp` or `client_id`). Absent: with an ID token those
    /// among `audiences`, with an access token every one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 512)))]
    pub clients: Vec<String>,
}
