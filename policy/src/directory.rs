//! How is a directory asked for a person? What an AuthProvider with `ldap` compiles to.
//!
//! Names and filters are read here, once; the connections, and what comes back, are authd's.

pub mod dn;
pub mod filter;

use serde::{Deserialize, Serialize};

pub use dn::Dn;
pub use filter::Filter;

use crate::secret::Secret;

/// A directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Directory {
    /// Its servers, in the order in which they are asked. There is at least one.
    pub servers: Vec<Server>,
    /// Whom connections are made with.
    pub tls: Tls,
    /// As whom people are looked up.
    pub bind: Bind,
    /// Where and how people are looked up.
    pub search: Search,
    /// What is read of an entry.
    pub attributes: Attributes,
    /// How groups are found; `None`: nobody is in any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Groups>,
    /// How much is done at once, and for how long.
    pub limits: Limits,
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Server {
    /// Its address as it is written in the resource.
    pub url: String,
    /// Its name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub protection: Protection,
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protection {
    /// TLS from the first byte.
    Tls,
    /// TLS before anything is asked.
    StartTls,
    /// Not at all.
    None,
}

/// Whom connections are made with.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// Who signs the servers' certificates, as PEM; `None`: whom the system trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities: Option<Secret>,
    /// The name in the servers' certificates; `None`: the host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// What is shown to the servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientCertificate>,
}

/// A certificate that is shown to servers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientCertificate {
    /// The certificate and those that signed it, as PEM.
    pub chain: Secret,
    /// Its key, as PEM.
    pub key: Secret,
}

/// As whom people are looked up.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Bind {
    /// As an application of its own.
    Application {
        /// Its name: a DN, or whatever else the directory takes.
        name: String,
        /// Its password.
        password: Secret,
    },
    /// As nobody.
    Anonymous,
    /// As the person who signs in, whose DN is known.
    Person(dn::Template),
}

/// Where and how people are looked up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Search {
    /// The entry below which is searched.
    pub base: String,
    /// How far below.
    pub scope: Scope,
    /// What is searched for.
    pub filter: Filter,
}

/// How far below the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// The base itself.
    Base,
    /// What is directly below.
    OneLevel,
    /// All that is below, and the base.
    Subtree,
}

/// What is read of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attributes {
    /// What never changes.
    pub id: String,
    /// The name that people sign in with.
    pub username: String,
    /// The e-mail address.
    pub email: String,
    /// The name that is shown.
    pub name: String,
}

/// How groups are found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Groups {
    /// What names a person's groups.
    pub source: GroupSource,
    /// How many times a group's own groups are looked up; 0: not at all.
    pub depth: u32,
    /// The entry below which groups count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
}

/// What names an entry's groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GroupSource {
    /// An attribute with the groups' DNs.
    Attribute(String),
    /// A search.
    Search(Search),
}

/// How much is done at once, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// How many connections there are at most.
    pub connections: u32,
    /// How long one may take to be made, in milliseconds.
    pub connect: u64,
    /// How long signing in may take on top of that, in milliseconds.
    pub operation: u64,
}
