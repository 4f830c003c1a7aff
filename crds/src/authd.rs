//! `Authd`: one instance, and how it behaves.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AuthdStatus, Cookie, Database, Duration, IdentityHeaders, NamespaceSelector, ProxyAuth, Redis, SecretKeyRef,
};

/// One instance of authd.
#[derive(CustomResource, Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[kube(
    group = "authd.dev",
    version = "v1alpha1",
    kind = "Authd",
    namespaced,
    plural = "authds",
    category = "authd",
    status = "AuthdStatus",
    doc = "One instance of authd.",
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$')").message("the name of an Authd must be 1 to 40 lower-case letters, digits and hyphens and begin with a letter: its Deployment and Service are named after it"),
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.publicUrl"),
    printcolumn(name = "Enforced", type_ = "string", json_path = ".status.enforced"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("!has(self.cookie) || !has(self.cookie.name) || !self.cookie.name.matches('(?i)^__(host|secure)-') || self.publicUrl.startsWith('https:')").message("browsers take a cookie named `__Host-` or `__Secure-` over https alone, and `publicUrl` is http"))]
#[x_kube(validation = Rule::new("!has(self.database) || (has(self.encryptionKeys) && size(self.encryptionKeys) > 0)").message("`database` needs `encryptionKeys`: what one replica encrypts the others must be able to read"))]
#[x_kube(validation = Rule::new("!has(self.redis) || has(self.database)").message("`redis` needs `database`: replicas that keep accounts apart have nothing to tell each other"))]
pub struct AuthdSpec {
    /// Where people reach the sign-in page, without a path: `https://auth.example.com`. Plain http only on this machine
    /// (`localhost`, a name below `.localhost`, `127.0.0.1`, `[::1]`).
    #[schemars(length(min = 8, max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^(https://[a-z0-9.-]+(:[0-9]{1,5})?|http://(([a-z0-9-]+[.])*localhost|127[.]0[.]0[.]1|\\\\[::1\\\\])(:[0-9]{1,5})?)/?$')").message("must be https://HOST[:PORT] in lower case and without a path; http:// only for localhost, names below .localhost, 127.0.0.1 and [::1]"))]
    pub public_url: String,
    /// What people read at the top of the sign-in page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub display_name: Option<String>,
    /// The cookie that carries the session's token. It is HttpOnly always, and Secure unless `publicUrl` is http.
    #[serde(default)]
    pub cookie: Cookie,
    /// The tokens that are issued when somebody signs in.
    #[serde(default)]
    pub tokens: Tokens,
    /// How long somebody stays signed in.
    #[serde(default)]
    pub sessions: Sessions,
    /// What a password must be like.
    #[serde(default)]
    pub passwords: Passwords,
    /// Whether people may make their own accounts.
    #[serde(default)]
    pub signup: SignUp,
    /// The first administrator, made once, when there is no administrator yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap_admin: Option<BootstrapAdmin>,
    /// Whom people who wait for access may ask. Absent: nobody is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_contact: Option<AdminContact>,
    /// Where people go after signing out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_out: Option<SignOut>,
    /// Keys that encrypt what is kept of people's sign-ins at providers: attempts in cookies, and tokens in the database. Each has 32
    /// bytes or more. The first one encrypts and each decrypts, so that a key is replaced by putting a new one before it and taking
    /// it out when everything was renewed. Absent: a key that authd keeps beside its database.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub encryption_keys: Vec<SecretKeyRef>,
    /// How often something may be tried.
    #[serde(default)]
    pub rate_limits: RateLimits,
    /// Rules for all API keys.
    #[serde(default)]
    pub api_keys: ApiKeys,
    /// How applications are told who is calling. Every answer that lets a request pass has all of these headers, empty where there
    /// is nothing to say.
    #[serde(default)]
    pub identity_headers: IdentityHeaders,
    /// Addresses of the proxies whose questions are answered and whose forwarded headers are believed, as CIDR. With `proxyAuth`
    /// they say only which addresses in `X-Forwarded-For` are those of proxies.
    #[serde(default = "loopback")]
    #[schemars(
        length(max = 64),
        inner(length(min = 3, max = 49), regex(pattern = "^[0-9a-fA-F:.]+/[0-9]{1,3}$"))
    )]
    pub trusted_proxies: Vec<String>,
    /// How proxies prove that they are proxies. Absent: by their address alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_auth: Option<ProxyAuth>,
    /// How many replicas the operator runs. People's sessions are kept by each replica alone unless they share a `database`, so
    /// that without one more than one replica is for API keys.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: u32,
    /// The image that the operator runs. Absent: the one that the operator was installed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = "^[A-Za-z0-9][A-Za-z0-9._:/@-]*$"))]
    pub image: Option<String>,
    /// The PostgreSQL database in which replicas keep accounts and sessions together. Absent: each keeps them in a file of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,
    /// The Redis by which replicas of one `database` hear at once what changed there, and count failures to sign in together. Absent:
    /// they look every half second, and each counts by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis: Option<Redis>,
    /// Where a replica keeps files in a cluster: accounts and sessions too, where there is no `database`. Absent: in the Pod, so that
    /// they end with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
    /// Which other namespaces may declare ApiKeys and AccessPolicies, and for which hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub tenants: Vec<Tenant>,
}

fn one() -> u32 {
    1
}

fn loopback() -> Vec<String> {
    vec!["127.0.0.0/8".to_owned(), "::1/128".to_owned()]
}

/// Where accounts and sessions are kept in a cluster.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Storage {
    /// A PersistentVolumeClaim of this namespace.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub claim_name: String,
}

/// Session tokens.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("(has(self.algorithm) && self.algorithm == 'HS256') == has(self.secretRef)").message("`secretRef` goes with `algorithm: HS256`, and HS256 needs one"))]
#[x_kube(validation = Rule::new("!has(self.lifetime) || !(self.lifetime in ['-1', '0']) || (has(self.unsafeNeverExpire) && self.unsafeNeverExpire)").message("tokens without an end need `unsafeNeverExpire: true`"))]
pub struct Tokens {
    /// `EdDSA` with keys that authd makes and rotates, published at `/.well-known/jwks.json`; or `HS256` for services that
    /// share a secret.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// The secret for `HS256`: 32 bytes or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,
    /// How long a token is valid. A browser's token is renewed while it is in use, up to `sessions.lifetime`.
    #[serde(default = "half_a_day")]
    pub lifetime: Duration,
    /// How often a new signing key is made (`EdDSA`).
    #[serde(default = "a_month")]
    pub rotate_every: Duration,
    /// Signing keys that were made before this moment are gone at once, and tokens that they signed are worth nothing: for the day
    /// on which one was seen by somebody. Only in a cluster (`EdDSA`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke_keys_made_before: Option<Time>,
    /// Allows a `lifetime` of `-1` or `0`: tokens without an end. They can still be revoked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsafe_never_expire: bool,
}

fn half_a_day() -> Duration {
    "12h".into()
}

fn a_month() -> Duration {
    "30d".into()
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::EdDSA,
            secret_ref: None,
            lifetime: half_a_day(),
            rotate_every: a_month(),
            revoke_keys_made_before: None,
            unsafe_never_expire: false,
        }
    }
}

/// How tokens are signed.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 signatures (RFC 8037).
    #[default]
    EdDSA,
    /// HMAC with SHA-256 and a shared secret (RFC 7518).
    HS256,
}

/// How long somebody stays signed in.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Sessions {
    /// A session ends this long after signing in, however busy it is.
    pub lifetime: Duration,
    /// A session ends when it was not used for this long.
    pub idle: Duration,
    /// Sessions of one person at a time; the oldest is ended for a new one.
    #[schemars(range(min = 1, max = 1000))]
    pub max_per_user: u32,
    /// How often a provider outside is asked again whether somebody may still be here, and what it says of them now. A session ends when
    /// the provider says no. `-1`: never.
    pub revalidate: Duration,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            lifetime: "4w".into(),
            idle: "7d".into(),
            max_per_user: 50,
            revalidate: "15m".into(),
        }
    }
}

/// What a password must be like.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Passwords {
    /// The fewest characters; 15 are what NIST SP 800-63B-4 asks of a password that is the only factor. The most are 72 bytes of UTF-8, which is what bcrypt reads.
    #[schemars(range(min = 8, max = 64))]
    pub min_length: u32,
    /// How much work a hash costs, as bcrypt counts it: each step doubles it.
    #[schemars(range(min = 10, max = 15))]
    pub bcrypt_cost: u32,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            min_length: 15,
            bcrypt_cost: 12,
        }
    }
}

/// Whether people may make their own accounts.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SignUp {
    /// `true` lets anybody who reaches the page make an account.
    pub enabled: bool,
    /// The role of a new account.
    pub default_role: DefaultRole,
}

/// The role of a new account.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum DefaultRole {
    /// Waits for an administrator.
    #[default]
    Pending,
    /// May sign in and use what `user` may.
    User,
}

/// The first administrator.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BootstrapAdmin {
    /// E-mail address, in lower case.
    #[schemars(length(min = 3, max = 254), regex(pattern = "^[^A-Z@\\s]+@[^A-Z@\\s]+$"))]
    pub email: String,
    /// The name that is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub name: Option<String>,
    /// Where the first password comes from.
    pub password_secret_ref: SecretKeyRef,
}

/// Whom people may ask.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AdminContact {
    /// The name that is shown.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// E-mail address.
    #[schemars(length(min = 3, max = 254), regex(pattern = "^[^@\\s]+@[^@\\s]+$"))]
    pub email: String,
}

/// What follows signing out.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignOut {
    /// Where people go.
    #[schemars(length(min = 8, max = 512), regex(pattern = r"^https?://[^\s\\@]+$"))]
    pub redirect_url: String,
}

/// How often something may be tried.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RateLimits {
    /// Failures to sign in, counted for each account and for each address.
    pub sign_in: RateLimit,
}

/// So many failures in so long a time.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RateLimit {
    /// How many.
    #[schemars(range(min = 1, max = 10000))]
    pub limit: u32,
    /// In how long.
    pub window: Duration,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            limit: 15,
            window: "3m".into(),
        }
    }
}

/// Rules for all API keys.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ApiKeys {
    /// `false` suspends every key that people made for themselves, and lets nobody make one.
    pub enabled: bool,
    /// `true` limits keys that name no endpoints of their own to `allowedEndpoints`.
    pub endpoint_restrictions: bool,
    /// Path prefixes, by whole segments, on every host.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        inner(length(min = 1, max = 1024), regex(pattern = r"^/[^?#;\\%\s]*$"))
    )]
    pub allowed_endpoints: Vec<String>,
    /// Keys that one person may have at a time.
    #[schemars(range(min = 1, max = 1000))]
    pub max_per_user: u32,
}

impl Default for ApiKeys {
    fn default() -> Self {
        Self {
            enabled: true,
            endpoint_restrictions: false,
            allowed_endpoints: Vec::new(),
            max_per_user: 20,
        }
    }
}

/// Namespaces and the hosts that they are granted.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tenant {
    /// Which namespaces.
    pub namespace_selector: NamespaceSelector,
    /// The hosts that they may declare policies and keys for, exact or with one leading wildcard label.
    #[schemars(
        length(min = 1, max = 64),
        inner(
            length(min = 1, max = 253),
            regex(pattern = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
        )
    )]
    pub hosts: Vec<String>,
}
