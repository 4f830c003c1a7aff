//! From an API key to its owner. Keys are known by hash alone, and every hash is in memory: a wrong key costs two hashes and no
//! look-up in the database.

use std::collections::{BTreeSet, HashMap};
use std::sync::{PoisonError, RwLock};

use aws_lc_rs::hmac;
use crds::Endpoint;
use policy::Principal;
use policy::principal::KeyUse;
use policy::snapshot::keys::{ActsFor, Key, Unusable};
use secrecy::{ExposeSecret, SecretBox};
use uuid::Uuid;

use super::session::{home, principal};
use super::{Caller, Error, Means};
use crate::app::App;
use crate::serving::Serving;
use crate::store::{ActiveKey, KeyHash};

/// Keys that people made for themselves, by keyed hash.
#[derive(Debug)]
pub struct PersonalKeys {
    secret: hmac::Key,
    known: RwLock<HashMap<KeyHash, ActiveKey>>,
}

impl PersonalKeys {
    /// The keys that the store knows.
    #[must_use]
    pub fn new(secret: &SecretBox<[u8; 32]>, keys: Vec<ActiveKey>) -> Self {
        let known = keys.into_iter().map(|key| (key.hash, key)).collect();
        Self {
            secret: hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret()),
            known: RwLock::new(known),
        }
    }

    /// The keyed hash under which a key with this SHA-256 is kept.
    #[must_use]
    pub fn hash(&self, digest: &[u8; 32]) -> KeyHash {
        let tag = hmac::sign(&self.secret, digest);
        let mut hash = KeyHash::default();
        for (to, from) in hash.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        hash
    }

    /// Knows another key from now on.
    pub fn learn(&self, key: ActiveKey) {
        self.known
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key.hash, key);
    }

    /// Does not know the key any more.
    pub fn forget(&self, hash: &KeyHash) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(hash);
    }

    /// Knows these keys of the account from now on, and no others.
    pub fn are(&self, owner: Uuid, keys: Vec<ActiveKey>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, key| key.user_id != owner);
        known.extend(keys.into_iter().map(|key| (key.hash, key)));
    }

    /// Knows these keys from now on, and no others of anybody.
    pub fn are_all(&self, keys: Vec<ActiveKey>) {
        let keys = keys.into_iter().map(|key| (key.hash, key)).collect();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    fn find(&self, digest: &[u8; 32]) -> Option<ActiveKey> {
        let hash = self.hash(digest);
        self.known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&hash)
            .cloned()
    }
}

/// The name of a key that is known, good or not: what audit lines say in its place.
pub(super) fn name(app: &App, serving: &Serving, digest: &[u8; 32]) -> Option<String> {
    match serving.engine.key(digest) {
        Some(key) => Some(key.as_used().source),
        None => app.personal_keys.find(digest).map(|key| source(&key)),
    }
}

fn source(key: &ActiveKey) -> String {
    format!("key/{}", key.id)
}

/// Who has the key with this SHA-256.
pub(super) async fn identify(app: &App, serving: &Serving, digest: &[u8; 32], epoch: u64) -> Result<Caller, Error> {
    if let Some(key) = serving.engine.key(digest) {
        return declared(app, serving, key, digest, epoch).await;
    }
    let key = app.personal_keys.find(digest).ok_or(Error::UnknownKey)?;
    personal(app, serving, key, epoch).await
}

async fn declared(app: &App, serving: &Serving, key: &Key, digest: &[u8; 32], epoch: u64) -> Result<Caller, Error> {
    let now = app.now().as_second();
    key.usable(now).map_err(|unusable| match unusable {
        Unusable::Expired => Error::KeyExpired,
        Unusable::NotYet | Unusable::Suspended => Error::KeySuspended,
    })?;
    let principal = match key.acts_for() {
        ActsFor::Service(name, roles) => {
            let roles: BTreeSet<String> = roles.iter().cloned().collect();
            Principal::service(name.to_owned(), roles, key.as_used())
        }
        ActsFor::User(email) => {
            let user = app.store.user_by_email(email).await?.ok_or(Error::NoAccount)?;
            let provider = home(&app.store, serving, &user).await?.ok_or(Error::NotAdmitted)?;
            principal(&app.store, serving, &user, &provider, Some(key.as_used())).await?
        }
    };
    let means = Means::DeclaredKey {
        digest: *digest,
        expires_at: key.expires_at(),
    };
    Ok(serving.caller(principal, means, epoch, now))
}

async fn personal(app: &App, serving: &Serving, key: ActiveKey, epoch: u64) -> Result<Caller, Error> {
    if !serving.settings().api_keys.enabled {
        return Err(Error::KeysDisabled);
    }
    let now = app.now();
    if key.expires_at.is_some_and(|at| now >= at) {
        return Err(Error::KeyExpired);
    }
    let user = app.store.user_by_id(key.user_id).await?.ok_or(Error::NoAccount)?;
    let provider = home(&app.store, serving, &user).await?.ok_or(Error::NotAdmitted)?;
    let used = KeyUse {
        source: source(&key),
        restrictions: restrictions(serving, &key)?,
    };
    let principal = principal(&app.store, serving, &user, &provider, Some(used)).await?;
    let expires_at = key.expires_at.map(|at| at.as_second());
    let means = Means::PersonalKey {
        id: key.id,
        owner: key.user_id,
        expires_at,
    };
    // Not seen yet by this process, so that the first use is written down.
    Ok(serving.caller(principal, means, epoch, i64::MIN / 2))
}

/// The instance's list and the key's own: each narrows. A list that cannot be read opens nothing.
fn restrictions(serving: &Serving, key: &ActiveKey) -> Result<Vec<Vec<Endpoint>>, Error> {
    let mut lists = Vec::new();
    if let Some(paths) = &serving.settings().api_keys.allowed_endpoints {
        lists.push(
            paths
                .iter()
                .map(|path| Endpoint {
                    paths: vec![path.clone()],
                    ..Endpoint::default()
                })
                .collect(),
        );
    }
    if let Some(own) = &key.endpoints {
        lists.push(serde_json::from_str(own).map_err(|_| Error::KeySuspended)?);
    }
    Ok(lists)
}
