//! A way to sign in.

use crds::{ClaimNames, IdTokenAlgorithm, OnAbsent, OnNoMatch, TrustEmail, UserInfo};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Grant;
use crate::directory::Directory;
use crate::email;
use crate::engine::roles::glob;
use crate::secret::Secret;

/// A way to sign in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provider {
    /// Its name.
    pub name: String,
    /// What people read on the sign-in page.
    pub display_name: String,
    /// How it works.
    pub method: Method,
    /// Which claims say what; `None` where authd keeps the accounts itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<ClaimNames>,
    /// Who gets an account.
    #[serde(default)]
    pub accounts: Accounts,
    /// Whose tokens are exchanged for sessions; `None`: nobody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_exchange: Option<TokenExchange>,
    /// What becomes of somebody to whom nothing is granted; `None`: no RoleMapping speaks of the provider.
    pub on_no_match: Option<OnNoMatch>,
    /// What its claims grant.
    pub grants: Vec<Grant>,
    /// How its groups become ours; `None`: they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<GroupSync>,
}

/// How a provider works.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Method {
    /// E-mail address and password.
    Password,
    /// An OpenID provider.
    Oidc(Box<Oidc>),
    /// GitHub, or an Enterprise server.
    GitHub(Box<GitHub>),
    /// An issuer whose tokens programs show.
    Jwt(Box<Jwt>),
    /// A directory.
    Ldap(Box<Directory>),
}

impl Method {
    /// Whether authd keeps the accounts and passwords itself.
    #[must_use]
    pub fn is_password(&self) -> bool {
        matches!(self, Self::Password)
    }

    /// The directory, where it is one.
    #[must_use]
    pub fn directory(&self) -> Option<&Directory> {
        match self {
            Self::Ldap(directory) => Some(directory),
            Self::Password | Self::Oidc(_) | Self::GitHub(_) | Self::Jwt(_) => None,
        }
    }

    /// Whether people sign in on pages of the provider, to which a link on the sign-in page leads.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        match self {
            Self::Password | Self::Jwt(_) | Self::Ldap(_) => false,
            Self::Oidc(_) | Self::GitHub(_) => true,
        }
    }

    /// Whether somebody whom it knows can be made to sign in again, so that it says when they did. Google and GitHub ask nobody again.
    #[must_use]
    pub fn asks_again(&self) -> bool {
        match self {
            Self::Password | Self::Ldap(_) => true,
            Self::Oidc(oidc) => !matches!(oidc.flavour, Flavour::Google { .. }),
            Self::GitHub(_) | Self::Jwt(_) => false,
        }
    }

    /// Whether it can be asked to sign people in as strongly as somebody wants (`acr_values`), and says whether it did (`acr`).
    #[must_use]
    pub fn puts_in_classes(&self) -> bool {
        matches!(self, Self::Oidc(oidc) if matches!(oidc.flavour, Flavour::Plain))
    }
}

/// Who gets an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Accounts {
    /// Whether somebody who is new gets one.
    pub create: bool,
    /// Only people with a verified address in one of these domains, in lower case; none: everybody.
    pub allowed_domains: Vec<String>,
    /// Whether somebody who is new gets the account with the same verified address.
    pub link_verified_email: bool,
    /// When an address counts as verified.
    pub trust_email: TrustEmail,
}

impl Accounts {
    /// Whether somebody with this verified address may sign in.
    #[must_use]
    pub fn allows(&self, address: Option<&str>) -> bool {
        let allowed = |address: &str| {
            self.allowed_domains
                .iter()
                .any(|domain| domain == email::domain(address))
        };
        self.allowed_domains.is_empty() || address.is_some_and(allowed)
    }
}

/// Whose tokens are exchanged for sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenExchange {
    /// Whom they have to be for: one of these.
    pub audiences: Vec<String>,
    /// The programs that may do so; none: those of the audiences with an ID token, every one with an access token.
    pub clients: Vec<String>,
}

/// How a provider's groups become ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupSync {
    /// Whether a group comes to be when somebody arrives who is in it.
    pub create: bool,
    /// Patterns of groups that are neither joined nor left.
    pub ignore: Vec<String>,
    /// What the absence of the claim means.
    pub on_absent: OnAbsent,
}

impl GroupSync {
    /// Whether the group is neither joined nor left.
    #[must_use]
    pub fn ignores(&self, group: &str) -> bool {
        self.ignore.iter().any(|pattern| glob(pattern, group))
    }
}

/// An OpenID provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Oidc {
    /// The issuer, exactly.
    pub issuer: String,
    /// Who authd is there.
    pub client: Client,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// What else the provider is sent, as names and values.
    pub authorize_parameters: Vec<(String, String)>,
    /// How ID tokens may be signed.
    pub id_token_algorithms: Vec<IdTokenAlgorithm>,
    /// How people must have signed in.
    pub authentication: Authentication,
    /// Whether the userinfo endpoint is asked.
    pub userinfo: UserInfo,
    /// How its servers are reached.
    pub outbound: Outbound,
    /// What it does in ways of its own.
    #[serde(default)]
    pub flavour: Flavour,
}

/// What an OpenID provider does in ways of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Flavour {
    /// Nothing: as OpenID says.
    #[default]
    Plain,
    /// As Google.
    #[serde(rename_all = "camelCase")]
    Google {
        /// The domains of organisations whose people sign in, in lower case; none: everybody.
        hosted_domains: Vec<String>,
    },
    /// As Microsoft.
    Microsoft {
        /// The issuer with `{tenantid}` in it, where people of several tenants sign in.
        template: Option<String>,
        /// The tenants whose people sign in then; `*` is every one.
        tenants: Vec<String>,
        /// Where groups are that are too many for a token.
        graph: String,
    },
}

/// GitHub, or an Enterprise server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GitHub {
    /// Our name there.
    pub client_id: String,
    /// The secret that goes with it.
    pub client_secret: Secret,
    /// Where people sign in, without a trailing slash.
    pub base: String,
    /// Where its API is, without a trailing slash.
    pub api: String,
    /// How its servers are reached.
    pub outbound: Outbound,
}

/// An issuer whose tokens programs show.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Jwt {
    /// The issuer, exactly.
    pub issuer: String,
    /// Whom its tokens are for: one of these.
    pub audiences: Vec<String>,
    /// How they may be signed.
    pub algorithms: Vec<IdTokenAlgorithm>,
    /// Where its keys are; `None`: where its metadata says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<String>,
    /// How its servers are reached.
    pub outbound: Outbound,
}

/// Who authd is at a provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Client {
    /// Registered by whoever runs the provider.
    Registered {
        /// Its name there.
        id: String,
        /// How it proves that.
        proof: ClientProof,
    },
    /// authd registers itself.
    Dynamic {
        /// What lets it register, where the provider asks for something.
        initial_access_token: Option<Secret>,
    },
}

/// How authd proves who it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ClientProof {
    /// A secret in the `Authorization` header.
    Basic(Secret),
    /// A secret in the body.
    Post(Secret),
    /// An assertion signed with this private key (PKCS #8, PEM).
    PrivateKeyJwt(Secret),
    /// Nothing.
    None,
}

/// How people must have signed in at the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Authentication {
    /// At most so many seconds ago.
    pub max_age: Option<u64>,
    /// In one of these classes; none: in any.
    pub acr: Vec<String>,
    /// With all of these methods.
    pub amr: Vec<String>,
}

/// How a provider's servers are reached.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Outbound {
    /// Networks that are not public and may be reached.
    pub allowed_networks: Vec<IpNet>,
    /// Certificates (PEM) of the only authorities that count; `None`: the public ones.
    pub ca: Option<Secret>,
}
