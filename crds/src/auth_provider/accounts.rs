//! What every provider outside has: which claims say what, and who gets an account.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which claims say what. Each is the exact name of a claim, or a path through nested claims such as `realm_access.roles`; of both,
/// the exact name counts. RoleMappings test what is found under the names `email`, `name`, `picture`, `roles` and `groups`, and any
/// other claim under its own name or path.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ClaimNames {
    /// The e-mail address.
    #[schemars(length(min = 1, max = 256))]
    pub email: String,
    /// What the person is called.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// The URL of a picture. It is kept and shown as it is, and never fetched.
    #[schemars(length(min = 1, max = 256))]
    pub picture: String,
    /// Roles at the provider.
    #[schemars(length(min = 1, max = 256))]
    pub roles: String,
    /// Groups at the provider.
    #[schemars(length(min = 1, max = 256))]
    pub groups: String,
    /// What separates roles and groups that come as one text. Absent: such a text is one role or group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4))]
    pub separator: Option<String>,
}

impl Default for ClaimNames {
    fn default() -> Self {
        let name = str::to_owned;
        Self {
            email: name("email"),
            name: name("name"),
            picture: name("picture"),
            roles: name("roles"),
            groups: name("groups"),
            separator: None,
        }
    }
}

/// Who gets an account that comes from a provider outside.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Accounts {
    /// Whether somebody who is new gets an account. Where not, only people whose account is linked to the provider sign in.
    pub create: bool,
    /// Only people with a verified address in one of these domains sign in. Absent: everybody.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        inner(
            length(min = 1, max = 253),
            regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
        )
    )]
    pub allowed_domains: Vec<String>,
    /// Whether somebody who is new gets the account that has the same verified address, unless that is an administrator's.
    pub link_verified_email: bool,
    /// When an address that the provider names counts as verified.
    pub trust_email: TrustEmail,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            create: true,
            allowed_domains: Vec::new(),
            link_verified_email: false,
            trust_email: TrustEmail::default(),
        }
    }
}

/// When an address that a provider names counts as verified.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrustEmail {
    /// When the provider says so of that address: `email_verified` is `true`.
    #[default]
    WhenVerified,
    /// Always: the provider is a directory in which people cannot choose their address.
    Always,
    /// Never.
    Never,
}
