//! `ldap`: a directory, such as OpenLDAP or Active Directory.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ConfigMapKeyRef, Duration, SecretKeyRef};

/// A directory. People type the user name and the password that they have there; authd never keeps the password.
///
/// Its claims are `username`, `email`, `name`, `groups` (the groups' names), `group_dns` (their full names in one spelling) and `dn`.
/// An account belongs to `attributes.id`, so it survives a new name and a new address, and nobody inherits it with either.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("self.encryption != 'None' || self.urls.all(url, url.startsWith('ldap://'))").message("`encryption: None` is for `ldap://` alone: leave it out, or `ldaps://`"))]
#[x_kube(validation = Rule::new("self.encryption != 'None' || !has(self.tls)").message("`tls` says nothing with `encryption: None`: leave one of them out"))]
#[x_kube(validation = Rule::new("has(self.bind.person) != has(self.search)").message("people are found by `search`, or their DN is known by `bind.person`: give exactly one"))]
pub struct Ldap {
    /// The directory's servers: `ldaps://HOST[:636]`, with TLS from the first byte, or `ldap://HOST[:389]`, with StartTLS. They are
    /// asked in this order: one that does not work is left for the next.
    #[schemars(length(min = 1, max = 8), inner(length(min = 8, max = 300)))]
    #[x_kube(validation = Rule::new("self.all(url, url.matches('^ldaps?://([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\\\\[[0-9a-f:.]+\\\\])(:[0-9]{1,5})?/?$'))").message("each must be ldaps://HOST[:PORT] or ldap://HOST[:PORT] in lower case, without user, path and query"))]
    pub urls: Vec<String>,
    /// Whether passwords may travel in the clear.
    #[serde(default)]
    pub encryption: Encryption,
    /// Whom the servers' certificates are signed by, and what is shown to the servers. Absent: the authorities that the system
    /// trusts, and nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<LdapTls>,
    /// As whom authd asks.
    pub bind: LdapBind,
    /// How people are found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<LdapSearch>,
    /// What is read of a person's entry.
    #[serde(default)]
    pub attributes: LdapAttributes,
    /// How a person's groups are found. Absent: the directory says nothing of groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<LdapGroups>,
    /// How much is asked at once, and for how long.
    #[serde(default)]
    pub limits: LdapLimits,
}

/// Whether passwords may travel in the clear.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// Never: `ldaps://`, or `ldap://` with StartTLS.
    #[default]
    Required,
    /// Yes: `ldap://` without StartTLS. Whoever is on the way reads every password.
    None,
}

/// How TLS is done with the servers. Certificates are always checked.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new(super::CA_RULE).message(super::CA_MESSAGE))]
pub struct LdapTls {
    /// Certificates (PEM) of the authorities that sign the servers' certificates, instead of those that the system trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeyRef>,
    /// The same out of a ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_config_map_ref: Option<ConfigMapKeyRef>,
    /// The name that the servers' certificates are for. Absent: the host in the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub server_name: Option<String>,
    /// The certificate that authd shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<ClientCertificate>,
}

/// A certificate and its key, in PEM.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientCertificate {
    /// The certificate, and those that signed it.
    pub certificate_secret_ref: SecretKeyRef,
    /// The key.
    pub key_secret_ref: SecretKeyRef,
}

/// As whom authd asks.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("[has(self.application), has(self.anonymous), has(self.person)].exists_one(given, given)").message("give exactly one of `application`, `anonymous` and `person`"))]
pub struct LdapBind {
    /// As an application that may read people and groups. The right choice, where the directory has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<LdapApplication>,
    /// As nobody, where the directory lets everybody read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<LdapAnonymous>,
    /// As the person who signs in. Nobody is looked up between sign-ins then: `sessions.revalidate` changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<LdapPerson>,
}

/// An application's entry.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LdapApplication {
    /// Its DN; for Active Directory also `user@domain`.
    #[schemars(length(min = 1, max = 1024))]
    pub name: String,
    /// Its password.
    pub password_secret_ref: SecretKeyRef,
}

/// Nobody.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LdapAnonymous {}

/// People whose entries' names follow from what they type.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LdapPerson {
    /// The DN, with `{username}` for what was typed: `uid={username},ou=people,dc=example,dc=com`.
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = Rule::new("self.contains('{username}')").message("write `{username}` where the user name belongs, as in `uid={username},ou=people,dc=example,dc=com`"))]
    pub dn: String,
}

/// How people are found.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LdapSearch {
    /// The DN of the entry below which people are.
    #[schemars(length(max = 1024))]
    pub base: String,
    /// How far below.
    #[serde(default)]
    pub scope: LdapScope,
    /// Which entry is the person's (RFC 4515), with `{username}` for what was typed. It must find one entry: none and several are
    /// refused. Whoever is to be kept out of authd can be left out here, and loses their sessions at the next `revalidate`.
    #[schemars(length(min = 3, max = 2048))]
    #[x_kube(validation = Rule::new("self.contains('{username}')").message("write `{username}` where the user name belongs, as in `(uid={username})`"))]
    pub filter: String,
}

/// How far below an entry is searched.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LdapScope {
    /// All that is below, however deep.
    #[default]
    Subtree,
    /// What is directly below.
    OneLevel,
}

/// What is read of a person's entry. Of several values the first in the order of the alphabet counts.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LdapAttributes {
    /// What never changes and is never given to anybody else: `entryUUID`, or `objectGUID` on Active Directory. It must have one
    /// value.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[a-zA-Z][a-zA-Z0-9-]*$"))]
    pub id: String,
    /// The user name, which becomes the claim `username`.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[a-zA-Z][a-zA-Z0-9-]*$"))]
    pub username: String,
    /// The e-mail address. It counts as verified only with `accounts.trustEmail: Always`.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[a-zA-Z][a-zA-Z0-9-]*$"))]
    pub email: String,
    /// What the person is called.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[a-zA-Z][a-zA-Z0-9-]*$"))]
    pub name: String,
}

impl Default for LdapAttributes {
    fn default() -> Self {
        let name = str::to_owned;
        Self {
            id: name("entryUUID"),
            username: name("uid"),
            email: name("mail"),
            name: name("cn"),
        }
    }
}

/// How a person's groups are found. A group is called as its own part of its DN says: `devs` for `cn=devs,ou=groups,dc=example`.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.attribute) != has(self.search)").message("give exactly one of `attribute` and `search`"))]
#[x_kube(validation = Rule::new("self.nested != 'InChain' || (has(self.attribute) && has(self.within))").message("`nested: InChain` goes with `attribute`, and needs `within`: the DN below which groups are searched"))]
pub struct LdapGroups {
    /// The attribute of a person's entry that has the DNs of their groups: `memberOf`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[a-zA-Z][a-zA-Z0-9-]*$"))]
    pub attribute: Option<String>,
    /// A search that finds the groups of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<LdapGroupSearch>,
    /// Whether members of a group are members of the groups that it is in.
    #[serde(default)]
    pub nested: Nested,
    /// The DN of the entry below which groups count. Absent: every group does, and two of one name are one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub within: Option<String>,
}

/// A search that finds the groups of a person.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LdapGroupSearch {
    /// The DN of the entry below which groups are.
    #[schemars(length(max = 1024))]
    pub base: String,
    /// How far below.
    #[serde(default)]
    pub scope: LdapScope,
    /// Which groups (RFC 4515), with `{dn}` for the person's DN or `{username}` for their user name: `(member={dn})`.
    #[schemars(length(min = 3, max = 2048))]
    #[x_kube(validation = Rule::new("self.contains('{dn}') || self.contains('{username}')").message("write `{dn}` or `{username}` where the person belongs, as in `(member={dn})`"))]
    pub filter: String,
}

/// Whether members of a group are members of the groups that it is in.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nested {
    /// They are not.
    #[default]
    No,
    /// They are: each group's own groups are looked up, ten times at most.
    Recursive,
    /// They are, and the directory itself looks them up: Active Directory's `LDAP_MATCHING_RULE_IN_CHAIN`.
    InChain,
}

/// How much is asked at once, and for how long.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LdapLimits {
    /// How many connections a replica has at most. Who finds none free waits, and is refused where too many wait.
    #[schemars(range(min = 1, max = 256))]
    pub connections: u32,
    /// How long a server may take to be connected to, before the next is tried; up to 30 s.
    pub connect: Duration,
    /// How long signing in may take after that; up to 30 s.
    pub operation: Duration,
}

impl Default for LdapLimits {
    fn default() -> Self {
        Self {
            connections: 8,
            connect: "2s".into(),
            operation: "3s".into(),
        }
    }
}
