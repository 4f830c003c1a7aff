//! The compiled, serializable result: everything that the data plane serves from, immutable and named by its digest.

pub mod keys;
mod provider;
mod settings;
pub mod shard;
mod tree;

use crds::{Endpoint, Mode, OnRevocationUnknown};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use keys::Keys;

pub use provider::{
    Accounts, Authentication, Client, ClientProof, Flavour, GitHub, GroupSync, Jwt, Method, Oidc, Outbound, Provider,
    TokenExchange,
};
pub use settings::{
    ApiKeys, BootstrapAdmin, Cookie, Database, Limit, Passwords, ProxyAuth, ProxyTls, Redis, Sessions, Settings,
    SigningKey, Tokens,
};
pub use tree::Tree;

/// The format that this program writes and reads.
pub const FORMAT: u32 = 1;

/// The most rules that an AccessPolicy may have: the Engine keeps one bit for each.
pub(crate) const MOST_RULES: usize = 64;

/// Everything that the data plane serves from. Equal Resources give equal bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The format, [`FORMAT`].
    pub format: u32,
    /// How the instance behaves.
    pub settings: Settings,
    /// Ways to sign in, by name.
    pub providers: Vec<Provider>,
    /// Keys of ApiKey resources, by digest.
    pub keys: Keys,
    /// AccessPolicies, by namespace and name.
    pub access: Vec<Access>,
}

/// A Snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The bytes are not a Snapshot.
    #[error("not a snapshot: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// It was written by a program of another version.
    #[error("snapshot format {found} cannot be read: this program reads format {FORMAT}")]
    Format {
        /// The format found.
        found: u32,
    },
    /// A policy in it does not parse.
    #[error("policy `{id}`: {message}")]
    Policy {
        /// Where the policy comes from.
        id: String,
        /// What Cedar says.
        message: String,
    },
}

impl Snapshot {
    /// The bytes that are published. They contain secrets.
    ///
    /// # Errors
    /// Never: every part can be written.
    pub fn bytes(&self) -> Result<Vec<u8>, LoadError> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Reads published bytes.
    ///
    /// # Errors
    /// The bytes are not a Snapshot of this format.
    pub fn read(bytes: &[u8]) -> Result<Self, LoadError> {
        serde_json::from_slice::<Self>(bytes)?.understood()
    }

    /// The Snapshot, if it has the format that this program reads.
    ///
    /// # Errors
    /// It has another.
    pub fn understood(self) -> Result<Self, LoadError> {
        if self.format == FORMAT {
            Ok(self)
        } else {
            Err(LoadError::Format { found: self.format })
        }
    }
}

/// The name of a Snapshot: `sha256:` and 64 hexadecimal digits of its bytes.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    digest_of(&Sha256::digest(bytes))
}

/// The name of the Snapshot whose bytes have this SHA-256.
#[must_use]
pub fn digest_of(hash: &[u8]) -> String {
    format!("sha256:{}", hexadecimal(hash))
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// What may be granted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Granted {
    /// A role.
    Role(String),
    /// Membership of a group.
    Group(String),
}

/// What some claims grant, as a Cedar policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// What is granted.
    pub granted: Granted,
    /// The claims and globs that the policy asks for as tags.
    pub globs: Vec<(String, String)>,
    /// The policy.
    pub policy: CedarPolicy,
}

/// A Cedar policy and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CedarPolicy {
    /// The resource, as `Kind/namespace/name`.
    pub source: String,
    /// The field, such as `spec.rules[1]`.
    pub rule: String,
    /// The policy as Cedar's JSON syntax tree.
    pub tree: Tree,
}

/// A key of an ApiKey resource. The key itself is nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// SHA-256 of the key.
    #[serde(with = "hex_digest")]
    pub digest: [u8; 32],
    /// The ApiKey, as `namespace/name`.
    pub name: String,
    /// For whom it acts.
    pub owner: KeyOwner,
    /// Roles of the service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Lists of endpoints of each of which one must fit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restrictions: Vec<Vec<Endpoint>>,
    /// Refused before, in epoch seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<i64>,
    /// Refused from then on, in epoch seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// Switched off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
}

/// For whom a key acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KeyOwner {
    /// A service, as `namespace/service`.
    Service(String),
    /// A person, by e-mail address.
    User(String),
}

/// An AccessPolicy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// The AccessPolicy, as `namespace/name`.
    pub name: String,
    /// Whether refusals take effect.
    pub mode: Mode,
    /// Whether people count while it is not known what was revoked.
    #[serde(default, skip_serializing_if = "OnRevocationUnknown::is_allow")]
    pub on_revocation_unknown: OnRevocationUnknown,
    /// The hosts that it governs.
    pub hosts: Vec<String>,
    /// Whether it was left out for its problems: its hosts are refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub broken: bool,
    /// Where each rule applies.
    pub rules: Vec<Place>,
    /// What the rules allow, one policy a rule, in their order.
    pub allows: Vec<CedarPolicy>,
    /// Policies written by hand.
    pub cedar: Vec<CedarPolicy>,
}

/// Where a rule applies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// Path prefixes; none: every path.
    pub paths: Vec<String>,
    /// Methods; none: every method.
    pub methods: Vec<String>,
    /// What it asks of the sign-in of people.
    #[serde(flatten)]
    pub sign_in: WantedSignIn,
    /// For how many seconds a connection may stay open; `None`: the rule does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_connection_age: Option<u64>,
}

/// What a rule asks of the sign-in behind a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WantedSignIn {
    /// How many seconds ago it may have been; `None`: it does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_in_within: Option<u64>,
    /// The classes of which it has to be one; none: any will do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acr: Vec<String>,
}

mod hex_digest {
    //! A digest as hexadecimal digits.
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(digest: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::hexadecimal(digest))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        super::read_digest(&text).ok_or_else(|| D::Error::custom("not 64 hexadecimal digits"))
    }
}

/// Reads 64 hexadecimal digits.
#[must_use]
pub fn read_digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, index) in digest.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(index..index + 2)?, 16).ok()?;
    }
    Some(digest)
}
