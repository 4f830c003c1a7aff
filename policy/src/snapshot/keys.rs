//! Keys of ApiKey resources, found by digest. Compact: what many keys share is kept once.

use std::collections::HashMap;
use std::sync::Arc;

use crds::Endpoint;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::principal::KeyUse;
use crate::snapshot::{self, KeyOwner};

/// Keys, by digest. Written as a list of [`snapshot::Key`], and read one by one, so that the list is never there as a whole.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    sorted: Vec<Key>,
}

/// One key.
#[derive(Clone, Debug)]
pub struct Key {
    digest: [u8; 32],
    name: Box<str>,
    owner: Owner,
    class: Arc<Class>,
    not_before: i64,
    expires_at: i64,
    suspended: bool,
}

#[derive(Clone, Debug)]
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
    fn sort(mut keys: Vec<Key>) -> Self {
        keys.sort_unstable_by_key(|key| key.digest);
        keys.shrink_to_fit();
        Self { sorted: keys }
    }

    /// The key with this SHA-256.
    #[must_use]
    pub fn find(&self, digest: &[u8; 32]) -> Option<&Key> {
        let index = self.sorted.binary_search_by(|key| key.digest.cmp(digest)).ok()?;
        self.sorted.get(index)
    }

    /// Every key as it is published.
    pub fn written(&self) -> impl Iterator<Item = snapshot::Key> {
        self.sorted.iter().map(Key::written)
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
    /// As it is published.
    fn written(&self) -> snapshot::Key {
        snapshot::Key {
            digest: self.digest,
            name: self.name.to_string(),
            owner: match &self.owner {
                Owner::Service(service) => KeyOwner::Service(service.to_string()),
                Owner::User(email) => KeyOwner::User(email.to_string()),
            },
            roles: self.class.roles.clone(),
            restrictions: self.class.restrictions.clone(),
            not_before: (self.not_before != i64::MIN).then_some(self.not_before),
            expires_at: self.expires_at(),
            suspended: self.suspended,
        }
    }

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

impl FromIterator<snapshot::Key> for Keys {
    fn from_iter<I: IntoIterator<Item = snapshot::Key>>(keys: I) -> Self {
        let mut classes = HashMap::new();
        Self::sort(keys.into_iter().map(|key| compact(key, &mut classes)).collect())
    }
}

impl Serialize for Keys {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.written())
    }
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Keys;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of keys")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut keys: A) -> Result<Keys, A::Error> {
                let (mut classes, mut read) = (HashMap::new(), Vec::new());
                while let Some(key) = keys.next_element()? {
                    read.push(compact(key, &mut classes));
                }
                Ok(Keys::sort(read))
            }
        }
        deserializer.deserialize_seq(List)
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
