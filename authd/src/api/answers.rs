//! What the JSON API answers: the members that clients of the seed know, and ours. The OpenAPI document is made from these types.
//!
//! Times are epoch seconds. Not here: refusals, which are all alike ([`crate::error::ApiError`]).

use std::collections::BTreeMap;

use crds::Endpoint;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::serving::Serving;
use crate::store::{self, Role, User};

/// What an account may do, in the words of the seed's clients.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Permissions {
    features: FeaturePermissions,
}

#[derive(Debug, Serialize, JsonSchema)]
struct FeaturePermissions {
    /// Whether it may make API keys.
    api_keys: bool,
}

impl Permissions {
    /// Those of an account with this role.
    #[must_use]
    pub fn of(serving: &Serving, role: Role) -> Self {
        Self {
            features: FeaturePermissions {
                api_keys: serving.settings().api_keys.enabled && role != Role::Pending,
            },
        }
    }
}

/// An account, as much as others of the instance may see of it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Account {
    #[schemars(with = "String")]
    id: Uuid,
    email: String,
    name: String,
    role: Role,
    /// A path on this host, an `https` address, or a `data:` URL.
    profile_image_url: String,
}

impl From<&User> for Account {
    fn from(user: &User) -> Self {
        Self {
            id: user.id,
            email: user.email.clone(),
            name: user.name.clone(),
            role: user.role,
            profile_image_url: user.profile_image_url.clone(),
        }
    }
}

/// Somebody who signed in.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Session {
    /// For the `Authorization` header.
    pub token: String,
    /// `Bearer`.
    pub token_type: &'static str,
    /// When the token expires; `null` is never.
    pub expires_at: Option<i64>,
    /// Whose it is.
    #[serde(flatten)]
    pub account: Account,
    /// What the account may do.
    pub permissions: Permissions,
}

/// Who is signed in.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Me {
    /// The session's token; `null` for an API key.
    pub token: Option<String>,
    /// `Bearer`.
    pub token_type: &'static str,
    /// When the token expires; `null` is never, or an API key.
    pub expires_at: Option<i64>,
    /// Whose it is.
    #[serde(flatten)]
    pub account: Account,
    /// What the person says of themselves.
    pub bio: Option<String>,
    /// In the person's own words.
    pub gender: Option<String>,
    /// The day of birth, `YYYY-MM-DD`.
    #[schemars(with = "Option<String>")]
    pub date_of_birth: Option<jiff::civil::Date>,
    /// Always `null`: the seed's clients ask for it.
    pub status_emoji: Option<String>,
    /// Always `null`: the seed's clients ask for it.
    pub status_message: Option<String>,
    /// Always `null`: the seed's clients ask for it.
    pub status_expires_at: Option<i64>,
    /// What the account may do.
    pub permissions: Permissions,
}

/// Signed out.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SignedOut {
    /// `true`.
    pub status: bool,
    /// Where the instance sends people who signed out, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_url: Option<String>,
}

/// Whom to ask.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Contact {
    /// Their name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
}

/// What is known of an API key. Never the key.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Key {
    #[schemars(with = "String")]
    id: Uuid,
    name: String,
    /// The first characters of the key, by which its owner knows it again.
    prefix: String,
    /// Where it may be used; `null` is wherever its owner may go.
    endpoints: Option<Vec<Endpoint>>,
    created_at: i64,
    /// `null` is never.
    expires_at: Option<i64>,
    /// `null` is never yet.
    last_used_at: Option<i64>,
}

impl From<&store::Key> for Key {
    fn from(key: &store::Key) -> Self {
        Self {
            id: key.id,
            name: key.name.clone(),
            prefix: key.prefix.clone(),
            endpoints: key.endpoints.as_ref().and_then(|text| serde_json::from_str(text).ok()),
            created_at: key.created_at.as_second(),
            expires_at: key.expires_at.map(|at| at.as_second()),
            last_used_at: key.last_used_at.map(|at| at.as_second()),
        }
    }
}

/// A key that was just made.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MadeKey {
    /// The key, shown this once.
    pub api_key: String,
    /// What stays known of it.
    #[serde(flatten)]
    pub key: Key,
}

/// One's own API keys.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Keys {
    /// The newest last.
    pub keys: Vec<Key>,
}

/// A device on which somebody is signed in.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Device {
    #[schemars(with = "String")]
    id: Uuid,
    /// Whether it is the one that asks.
    current: bool,
    created_at: i64,
    last_seen_at: i64,
    /// `null` is never.
    expires_at: Option<i64>,
    client_address: String,
    user_agent: String,
    /// The AuthProvider through which the person signed in.
    provider: String,
}

impl Device {
    fn of(session: &store::Session, here: Option<Uuid>) -> Self {
        Self {
            id: session.id,
            current: Some(session.id) == here,
            created_at: session.created_at.as_second(),
            last_seen_at: session.last_seen_at.as_second(),
            expires_at: session.expires_at.map(|at| at.as_second()),
            client_address: session.client_address.clone(),
            user_agent: session.user_agent.clone(),
            provider: session.provider.clone(),
        }
    }
}

/// The devices on which somebody is signed in.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Devices {
    /// The one used last first.
    pub sessions: Vec<Device>,
}

impl Devices {
    /// These sessions, as seen from one of them or from elsewhere.
    #[must_use]
    pub fn of(sessions: &[store::Session], here: Option<Uuid>) -> Self {
        Self {
            sessions: sessions.iter().map(|session| Device::of(session, here)).collect(),
        }
    }
}

/// Sessions were ended.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Ended {
    /// How many.
    pub ended: usize,
}

/// An account, for administrators.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    #[serde(flatten)]
    account: Account,
    /// Whether somebody proved that the address is theirs.
    email_verified: bool,
    /// Whether it is kept out.
    disabled: bool,
    created_at: i64,
    updated_at: i64,
    /// `null` is never.
    last_sign_in_at: Option<i64>,
}

impl From<&User> for Listed {
    fn from(user: &User) -> Self {
        Self {
            account: user.into(),
            email_verified: user.email_verified,
            disabled: user.disabled,
            created_at: user.created_at.as_second(),
            updated_at: user.updated_at.as_second(),
            last_sign_in_at: user.last_sign_in_at.map(|at| at.as_second()),
        }
    }
}

/// A page of accounts.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Page {
    /// At most 30.
    pub users: Vec<Listed>,
    /// How many there are on all pages.
    pub total: u64,
}

/// What clients need to know before anybody signs in.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PublicConfig {
    /// `true`.
    pub status: bool,
    /// What the instance is called.
    pub name: String,
    /// Ways to sign in with accounts that are kept elsewhere.
    pub oauth: Elsewhere,
    /// The directories that are signed in with at `/api/v1/auths/ldap`.
    pub ldap: Elsewhere,
    /// What is switched on.
    pub features: Features,
    /// `true` while there is no account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onboarding: Option<bool>,
}

/// Ways to sign in with accounts that are kept elsewhere.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Elsewhere {
    /// What each is called, by the name of its AuthProvider.
    pub providers: BTreeMap<String, String>,
}

/// What is switched on.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Features {
    /// `true`.
    pub auth: bool,
    /// Signing in by a header of a proxy.
    pub auth_trusted_header: bool,
    /// Signing in with a directory's password.
    pub enable_ldap: bool,
    /// Making API keys.
    pub enable_api_keys: bool,
    /// Making an account of one's own.
    pub enable_signup: bool,
    /// Signing in with a password.
    pub enable_login_form: bool,
}

/// The settings in force, under the names that the seed's clients know.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct EffectiveConfig {
    /// Whether everybody who is signed in may see whom to ask.
    pub show_admin_details: bool,
    /// `spec.publicUrl`.
    pub webui_url: String,
    /// `spec.signup.enabled`.
    pub enable_signup: bool,
    /// `spec.apiKeys.enabled`.
    pub enable_api_keys: bool,
    /// Whether keys open some endpoints alone.
    pub enable_api_keys_endpoint_restrictions: bool,
    /// Which, separated by commas.
    pub api_keys_allowed_endpoints: String,
    /// The role of accounts that people make for themselves.
    pub default_user_role: Role,
    /// How long a token lives; `-1` is for ever.
    pub jwt_expires_in: String,
    /// The Authd, as `namespace/name`.
    #[serde(rename = "instance")]
    pub instance: String,
    /// The digest of the Snapshot.
    #[serde(rename = "snapshot")]
    pub snapshot: String,
    /// `true`: settings are changed in the resources.
    #[serde(rename = "read_only")]
    pub read_only: bool,
}
