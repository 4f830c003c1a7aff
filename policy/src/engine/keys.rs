//! Keys of ApiKey resources, found by digest. Compact: what many keys share is kept once.

use std::collections::HashMap;
use std::sync::Arc;

use crds::Endpoint;

use crate::principal::KeyUse;
use crate::snapshot::{self, KeyOwner};

/// Keys, by digest.
#[derive(Debug, Default)]
pub struct Keys {
    sorted: Vec<Key>,
}

/// One key.
#[derive(Debug)]
pub struct Key {
    digest: [u8; 32],
    name: Box<str>,
    owner: Owner,
    class: Arc<Class>,
    not_before: i64,
    expires_at: i64,
    suspended: bool,
}

#[derive(Debug)]
enum Owner {
    Service(Box<str>),
    User(Box<str>),
}

/// What keys have in common.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Class {
    roles: Vec<String>,
    restrictions: Vec<Vec<Endpoint>>,
}

/// For whom a key acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActsFor<'a> {
    /// A service, as `namespace/service`, with these roles.
    Service(&'a str, &'a [String]),
    /// A person, by e-mail address.
    User(&'a str),
}

/// Why a key is refused though it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is not valid yet.
    NotYet,
    /// It has expired.
    Expired,
    /// It is switched off.
    Suspended,
}

impl Keys {
    pub(super) fn new(keys: Vec<snapshot::Key>) -> Self {
        let mut classes: HashMap<Class, Arc<Class>> = HashMap::new();
        let mut sorted: Vec<Key> = keys.into_iter().map(|key| compact(key, &mut classes)).collect();
        sorted.sort_unstable_by_key(|key| key.digest);
        sorted.shrink_to_fit();
        Self { sorted }
    }

    /// The key with this SHA-256.
    #[must_use]
    pub fn find(&self, digest: &[u8; 32]) -> Option<&Key> {
        let index = self.sorted.binary_search_by(|key| key.digest.cmp(digest)).ok()?;
        self.sorted.get(index)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// Every key.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.sorted.iter()
    }
}

impl Key {
    /// The ApiKey, as `namespace/name`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// For whom it acts.
    #[must_use]
    pub fn acts_for(&self) -> ActsFor<'_> {
        match &self.owner {
            Owner::Service(service) => ActsFor::Service(service, &self.class.roles),
            Owner::User(email) => ActsFor::User(email),
        }
    }

    /// The use of it, for a [`crate::Principal`].
    #[must_use]
    pub fn as_used(&self) -> KeyUse {
        KeyUse {
            source: format!("ApiKey/{}", self.name),
            restrictions: self.class.restrictions.clone(),
        }
    }

    /// From when on it is refused, in epoch seconds.
    #[must_use]
    pub fn expires_at(&self) -> Option<i64> {
        (self.expires_at != i64::MAX).then_some(self.expires_at)
    }

    /// Whether it may be used at this moment, in epoch seconds.
    ///
    /// # Errors
    /// It is too early, too late, or switched off.
    pub fn usable(&self, now: i64) -> Result<(), Unusable> {
        if self.suspended {
            Err(Unusable::Suspended)
        } else if now < self.not_before {
            Err(Unusable::NotYet)
        } else if now >= self.expires_at {
            Err(Unusable::Expired)
        } else {
            Ok(())
        }
    }
}

fn compact(key: snapshot::Key, classes: &mut HashMap<Class, Arc<Class>>) -> Key {
    let class = Class {
        roles: key.roles,
        restrictions: key.restrictions,
    };
    let class = match classes.get(&class) {
        Some(known) => Arc::clone(known),
        None => {
            let shared = Arc::new(Class {
                roles: class.roles.clone(),
                restrictions: class.restrictions.clone(),
            });
            classes.insert(class, Arc::clone(&shared));
            shared
        }
    };
    Key {
        digest: key.digest,
        name: key.name.into(),
        owner: match key.owner {
            KeyOwner::Service(service) => Owner::Service(service.into()),
            KeyOwner::User(email) => Owner::User(email.into()),
        },
        class,
        not_before: key.not_before.unwrap_or(i64::MIN),
        expires_at: key.expires_at.unwrap_or(i64::MAX),
        suspended: key.suspended,
    }
}
