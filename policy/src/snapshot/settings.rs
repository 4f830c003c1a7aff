//! How the instance behaves.

use std::net::IpAddr;

use crds::{Algorithm, DefaultRole, SameSite};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::identity_headers::IdentityHeaders;
use crate::secret::Secret;

/// How the instance behaves: the fields of an Authd with their defaults, durations in seconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// The Authd, as `namespace/name`.
    pub instance: String,
    /// Where people reach the sign-in page: scheme, host and port, without a trailing slash.
    pub public_url: String,
    /// What people read at the top of the sign-in page.
    pub display_name: String,
    /// The session cookie.
    pub cookie: Cookie,
    /// Session tokens.
    pub tokens: Tokens,
    /// How long somebody stays signed in.
    pub sessions: Sessions,
    /// What a password must be like.
    pub passwords: Passwords,
    /// The role of accounts that people make for themselves; `None` lets nobody make one.
    pub signup: Option<DefaultRole>,
    /// The first administrator.
    pub bootstrap_admin: Option<BootstrapAdmin>,
    /// Whom people may ask, as name and address.
    pub admin_contact: Option<(String, String)>,
    /// Where people go after signing out.
    pub sign_out_redirect: Option<String>,
    /// Keys that encrypt what is kept of sign-ins at providers, the one that encrypts first; none: the data plane's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encryption_keys: Vec<Secret>,
    /// The database that replicas share; `None`: each has a file of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,
    /// The Redis by which replicas hear of each other; `None`: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis: Option<Redis>,
    /// Failures to sign in.
    pub sign_in_limit: Limit,
    /// Rules for all API keys.
    pub api_keys: ApiKeys,
    /// How applications are told who is calling.
    #[serde(default, skip_serializing_if = "IdentityHeaders::is_usual")]
    pub identity_headers: IdentityHeaders,
    /// For how many seconds a signed assertion is valid; `None`: none is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion_lifetime: Option<u64>,
    /// Whose questions are answered and whose forwarded headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How proxies prove that they are proxies; `None`: by their address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_auth: Option<ProxyAuth>,
}

impl Settings {
    /// Whether a proxy at this address is believed.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&peer))
    }

    /// Whether cookies carry `Secure`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

/// A PostgreSQL database.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Database {
    /// Its URL.
    pub url: Secret,
    /// Certificates of the authorities to believe, as PEM; `None`: the public ones.
    pub ca: Option<String>,
}

/// A Redis.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Redis {
    /// Its URL, as [`crate::redis::Address`] reads it.
    pub url: Secret,
    /// Certificates of the authorities to believe, as PEM; `None`: the system's.
    pub ca: Option<String>,
    /// What names of keys and channels begin with.
    pub key_prefix: String,
}

/// How proxies prove that they are proxies: everything that is here must be shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxyAuth {
    /// Values of the header `X-Authd-Proxy`, of which one must be sent; none: the header is not asked for.
    pub secrets: Vec<Secret>,
    /// Mutual TLS on the listeners that proxies ask on.
    pub tls: Option<ProxyTls>,
}

/// Mutual TLS; all of it as PEM.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxyTls {
    /// Our certificate and its chain.
    pub certificate: String,
    /// Its key.
    pub key: Secret,
    /// Who issues the certificates of proxies.
    pub client_ca: String,
    /// The names of which a proxy's certificate must have one.
    pub client_names: Vec<String>,
}

/// The session cookie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// The domain whose hosts share it.
    pub domain: Option<String>,
    /// When a browser sends it with requests from other sites.
    pub same_site: SameSite,
}

/// Session tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// How they are signed.
    pub algorithm: Algorithm,
    /// The secret for `HS256`.
    pub secret: Option<Secret>,
    /// The keys that the operator made for `EdDSA`, oldest first; none: the data plane makes its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signing_keys: Vec<SigningKey>,
    /// Seconds of validity; `None`: without an end.
    pub lifetime: Option<u64>,
    /// Seconds between two signing keys.
    pub rotate_every: u64,
}

/// An Ed25519 key for session tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SigningKey {
    /// The key pair (PKCS #8, DER).
    pub pair: Secret,
    /// When it was made, in epoch seconds: it is published from then on.
    pub made_at: i64,
    /// When it begins to sign, in epoch seconds, until a newer one does.
    pub signs_from: i64,
}

/// How long somebody stays signed in, in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sessions {
    /// From signing in; `None`: without an end.
    pub lifetime: Option<u64>,
    /// From the last use; `None`: without an end.
    pub idle: Option<u64>,
    /// Sessions of one person at a time.
    pub max_per_user: u32,
    /// Between two times that a provider outside is asked again; `None`: it is not.
    #[serde(default)]
    pub revalidate: Option<u64>,
}

/// What a password must be like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Passwords {
    /// The fewest characters.
    pub min_length: u32,
    /// The cost of bcrypt.
    pub bcrypt_cost: u32,
}

/// The first administrator.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BootstrapAdmin {
    /// E-mail address.
    pub email: String,
    /// The name that is shown.
    pub name: String,
    /// The first password.
    pub password: Secret,
    /// Where the password came from, for people: `Secret namespace/name, key`.
    pub password_source: String,
}

/// So many in so long a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limit {
    /// How many.
    pub limit: u32,
    /// In how many seconds.
    pub window: u64,
}

/// Rules for all API keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeys {
    /// Whether people may make and use keys of their own.
    pub enabled: bool,
    /// What keys without endpoints of their own may reach; `None`: all that their owner may.
    pub allowed_endpoints: Option<Vec<String>>,
    /// Keys that one person may have.
    pub max_per_user: u32,
}
