//! Who is calling, as policies see them.

use std::collections::BTreeSet;

use crds::Endpoint;
use sha2::{Digest as _, Sha256};

/// Who is calling. Immutable, so that its fingerprint stands for all of it.
#[derive(Clone, Debug)]
pub struct Principal {
    identity: Identity,
    roles: BTreeSet<String>,
    groups: BTreeSet<String>,
    key: Option<KeyUse>,
    fingerprint: u128,
}

/// What kind of caller it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// Nobody in particular.
    Anonymous,
    /// A person, or a key that acts for one.
    User(User),
    /// A program, as `namespace/service`, or as `provider:subject` with a token of an issuer outside.
    Service(String),
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct User {
    /// The account's id.
    pub id: String,
    /// The name that is shown.
    pub name: String,
    /// E-mail address, for people to read.
    pub email: String,
    /// Whether the address is known to be theirs. Policies see only such addresses.
    pub email_verified: bool,
    /// The provider that they signed in with.
    pub provider: String,
    /// Whether they wait for an administrator.
    pub pending: bool,
}

/// The key that was shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyUse {
    /// Where the key comes from: `ApiKey/namespace/name`, or `key/prefix` for one that a person made.
    pub source: String,
    /// Lists of endpoints of each of which one must fit.
    pub restrictions: Vec<Vec<Endpoint>>,
}

impl Principal {
    /// Nobody in particular.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::new(Identity::Anonymous, BTreeSet::new(), BTreeSet::new(), None)
    }

    /// A person. One who is pending has no roles and no groups.
    #[must_use]
    pub fn user(user: User, roles: BTreeSet<String>, groups: BTreeSet<String>, key: Option<KeyUse>) -> Self {
        if user.pending {
            return Self::new(Identity::User(user), BTreeSet::new(), BTreeSet::new(), key);
        }
        Self::new(Identity::User(user), roles, groups, key)
    }

    /// A program.
    #[must_use]
    pub fn service(name: String, roles: BTreeSet<String>, key: KeyUse) -> Self {
        Self::new(Identity::Service(name), roles, BTreeSet::new(), Some(key))
    }

    /// A program that showed a token of an issuer outside.
    #[must_use]
    pub fn machine(name: String, roles: BTreeSet<String>, groups: BTreeSet<String>) -> Self {
        Self::new(Identity::Service(name), roles, groups, None)
    }

    fn new(identity: Identity, roles: BTreeSet<String>, groups: BTreeSet<String>, key: Option<KeyUse>) -> Self {
        let fingerprint = fingerprint(&identity, &roles, &groups, key.as_ref());
        Self {
            identity,
            roles,
            groups,
            key,
            fingerprint,
        }
    }

    /// What kind of caller it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Their roles.
    #[must_use]
    pub fn roles(&self) -> &BTreeSet<String> {
        &self.roles
    }

    /// Their groups.
    #[must_use]
    pub fn groups(&self) -> &BTreeSet<String> {
        &self.groups
    }

    /// The key that was shown.
    #[must_use]
    pub fn key(&self) -> Option<&KeyUse> {
        self.key.as_ref()
    }

    /// 128 bits that stand for everything about them.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        self.fingerprint
    }

    /// Whether they wait for an administrator.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(&self.identity, Identity::User(user) if user.pending)
    }

    /// Whether nobody is signed in.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.identity == Identity::Anonymous
    }
}

fn fingerprint(identity: &Identity, roles: &BTreeSet<String>, groups: &BTreeSet<String>, key: Option<&KeyUse>) -> u128 {
    let mut hash = HashWriter(Sha256::new());
    std::hash::Hash::hash(&(identity, roles, groups, key), &mut hash);
    let digest: [u8; 32] = hash.0.finalize().into();
    digest
        .iter()
        .take(16)
        .fold(0, |value, byte| value << 8 | u128::from(*byte))
}

/// Feeds what `Hash` writes to SHA-256: lengths and discriminants are written too, so that two values never run together.
struct HashWriter(Sha256);

impl std::hash::Hasher for HashWriter {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}
