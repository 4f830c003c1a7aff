//! Which keys sign and verify session tokens now, and which come next?
//!
//! An Ed25519 key is published for a while before it signs ([`State::Next`]), signs ([`State::Current`]), and then verifies
//! for as long as tokens that it signed may live ([`State::Previous`]). [`KeyRing::revoke`] takes a key away at once.
//! Readers never wait: the ring is swapped whole. A shared HS256 secret is one key that never rotates. Keys that the operator gives
//! (`given`) change by its plan alone.
//!
//! Not here: the form of a token (`parse`), how keys lie on disk (`folder`).

mod folder;
mod given;
mod keeper;
mod key;
mod secret;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use jiff::{SignedDuration, Timestamp};
use policy::snapshot::SigningKey;
use secrecy::{ExposeSecret as _, SecretBox};

use super::{Lifetime, SKEW_SECONDS};
use crate::random::Random;
use given::Given;
use keeper::Keeper;
pub use key::{Algorithm, Key, State};

/// How long a key is published before it signs, so that whoever keeps a copy of the JWKS has it by then.
pub const PUBLISHED_AHEAD: SignedDuration = SignedDuration::from_mins(10);

/// How many ids of keys that were revoked are kept, so that every replica hears of them.
const MOST_REVOKED: usize = 100;

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The shared secret has fewer than 32 bytes.
    #[error("the signing secret has {bytes} bytes, and HS256 needs at least 32: `openssl rand -base64 48` makes one")]
    ShortSecret {
        /// How many it has.
        bytes: usize,
    },
    /// The shared secret is one that everybody knows or can guess.
    #[error("the signing secret is a well-known or repeated text: `openssl rand -base64 48` makes a good one")]
    GuessableSecret,
    /// A file or folder cannot be read or written.
    #[error("`{path}`: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The index is not what we write.
    #[error("`{path}` is not a key index: {detail}; restore it, or move the folder away to start with new keys")]
    Index {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A key file holds no Ed25519 key, or another than its name says.
    #[error("`{path}` does not hold the Ed25519 key of its name")]
    Key {
        /// Which file.
        path: PathBuf,
    },
    /// Others may read a key file.
    #[error("`{path}` is readable by others: `chmod 600` it, and revoke the key if somebody may have read it")]
    ReadableByOthers {
        /// Which file.
        path: PathBuf,
    },
    /// The operator gave something else than an Ed25519 key pair with its times.
    #[error("key {number} of those that were given is no Ed25519 key pair (PKCS #8) with times")]
    Given {
        /// Its number, from 1.
        number: usize,
    },
    /// The index was there and is not any more.
    #[error("`{path}` is gone: the keys that were in it go on until the next start; restore it")]
    Gone {
        /// Which file.
        path: PathBuf,
    },
    /// The system refused to make a key.
    #[error("no key could be made")]
    NotMade,
}

/// When keys change.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// How long a key signs; `None` keeps it until it is revoked.
    pub rotate_every: Option<SignedDuration>,
    /// How long the tokens live.
    pub lifetime: Lifetime,
}

/// All keys at one moment.
#[derive(Debug, Default)]
pub struct Ring {
    keys: Vec<Arc<Key>>,
    /// The ids of keys that were revoked, the last ones.
    revoked: Vec<String>,
    /// Keys that other replicas sign with, which verify here.
    others: Vec<Arc<Key>>,
}

impl Ring {
    /// The keys that verify at `now`, the signing key and those of other replicas among them.
    pub fn published(&self, now: Timestamp) -> impl Iterator<Item = &Key> {
        let others = self.others.iter().map(|key| &**key);
        self.own(now).chain(others.filter(move |key| !key.is_retired(now)))
    }

    /// The same without those of others.
    pub fn own(&self, now: Timestamp) -> impl Iterator<Item = &Key> {
        self.keys
            .iter()
            .map(|key| &**key)
            .filter(move |key| !key.is_retired(now))
    }

    /// The ids of keys that were revoked, the last ones.
    pub fn revoked(&self) -> impl Iterator<Item = &String> {
        self.revoked.iter()
    }

    pub(super) fn signing(&self) -> Option<&Key> {
        self.find(|state| matches!(state, State::Current { .. }))
            .map(|key| &**key)
    }

    /// The key that a header means: by its id, or, without one, the only key of that algorithm.
    pub(super) fn verifying(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Result<&Key, super::Error> {
        let Some(kid) = kid else {
            let mut fitting = self.published(now).filter(|key| key.algorithm() == algorithm);
            return match (fitting.next(), fitting.next()) {
                (Some(key), None) => Ok(key),
                _ => Err(super::Error::UnknownKey),
            };
        };
        let key = self
            .published(now)
            .find(|key| key.kid == kid)
            .ok_or(super::Error::UnknownKey)?;
        if key.algorithm() == algorithm {
            Ok(key)
        } else {
            Err(super::Error::WrongAlgorithm)
        }
    }

    fn find(&self, state: impl Fn(State) -> bool) -> Option<&Arc<Key>> {
        self.keys.iter().find(|key| state(key.state))
    }

    fn holds(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid == kid)
    }

    /// The same with other keys of its own.
    fn with(&self, keys: Vec<Arc<Key>>) -> Self {
        Self {
            keys,
            revoked: self.revoked.clone(),
            others: self.others.clone(),
        }
    }

    fn without(&self, kid: &str) -> Vec<Arc<Key>> {
        self.keys.iter().filter(|key| key.kid != kid).cloned().collect()
    }
}

/// The keys of one instance.
#[derive(Debug)]
pub struct KeyRing {
    ring: ArcSwap<Ring>,
    origin: Origin,
}

/// Where keys come from.
#[derive(Debug)]
enum Origin {
    /// A secret that services share.
    Secret,
    /// The operator.
    Given(Given),
    /// A folder of our own.
    Folder(Mutex<Keeper>),
}

impl KeyRing {
    /// The Ed25519 keys that lie in folder `path`, or a first one where there is none.
    pub fn open(path: &Path, random: Random, schedule: Schedule, now: Timestamp) -> Result<Self, Error> {
        let mut keeper = Keeper::open(path, random, schedule)?;
        let lock = keeper.lock()?;
        let read = keeper.read()?;
        let ring = match keeper.due(&read, now)? {
            Some(ring) => {
                keeper.write(&ring)?;
                ring
            }
            None => read,
        };
        // Also what a crash left behind: the private half of a key that was just revoked, perhaps.
        keeper.sweep(&ring)?;
        drop(lock);
        Ok(Self {
            ring: ArcSwap::from_pointee(ring),
            origin: Origin::Folder(Mutex::new(keeper)),
        })
    }

    /// One HS256 key from a secret that other services share; short and guessable ones are refused.
    pub fn hs256(secret: &SecretBox<[u8]>) -> Result<Self, Error> {
        let secret = secret.expose_secret();
        secret::check(secret)?;
        let state = State::Current {
            since: Timestamp::UNIX_EPOCH,
        };
        let keys = vec![Arc::new(Key::hs256(secret, state))];
        Ok(Self {
            ring: ArcSwap::from_pointee(Ring::default().with(keys)),
            origin: Origin::Secret,
        })
    }

    /// The keys that the operator gives, of which there is at least one. `lifetime` is that of the tokens.
    pub fn given(keys: &[SigningKey], lifetime: Lifetime, now: Timestamp) -> Result<Self, Error> {
        let given = Given::new(keys, lifetime)?;
        Ok(Self {
            ring: ArcSwap::from_pointee(Ring::default().with(given.at(now))),
            origin: Origin::Given(given),
        })
    }

    /// The keys as they are now.
    pub fn load(&self) -> Guard<Arc<Ring>> {
        self.ring.load()
    }

    /// Does what is due at `now`: publishes the next key, lets it sign, drops retired ones. True if something changed.
    ///
    /// To be asked every minute or so. On an error the ring stays as it is, and also where another process changed the folder:
    /// that is for [`KeyRing::look_again`] to say.
    pub fn rotate_if_due(&self, now: Timestamp) -> Result<bool, Error> {
        let mut keeper = match &self.origin {
            Origin::Secret => return Ok(false),
            Origin::Given(given) => return Ok(self.follow(given, now)),
            Origin::Folder(keeper) => keeper.lock().unwrap_or_else(PoisonError::into_inner),
        };
        let _lock = keeper.lock()?;
        if keeper.has_changed() {
            return Ok(false);
        }
        let Some(ring) = keeper.due(&self.ring.load(), now)? else {
            return Ok(false);
        };
        keeper.write(&ring)?;
        self.put(&ring);
        keeper.sweep(&self.ring.load())?;
        Ok(true)
    }

    /// Puts other keys of its own to use, beside those of other replicas; returns what was before.
    fn put(&self, ring: &Ring) -> Arc<Ring> {
        let put = |before: &Arc<Ring>| Ring {
            keys: ring.keys.clone(),
            revoked: ring.revoked.clone(),
            others: before.others.clone(),
        };
        self.ring.rcu(put)
    }

    /// Whether the keys are in a folder of this replica's own.
    pub fn is_of_a_folder(&self) -> bool {
        matches!(self.origin, Origin::Folder(_))
    }

    /// Verifies with these keys of other replicas from now on, and with no others. Returns the ids of those that are gone and would
    /// still verify at `now`.
    pub fn others_are(&self, others: &[Arc<Key>], now: Timestamp) -> Vec<String> {
        let put = |before: &Arc<Ring>| Ring {
            keys: before.keys.clone(),
            revoked: before.revoked.clone(),
            others: others.to_vec(),
        };
        let before = self.ring.rcu(put);
        let gone = before.others.iter().filter(|key| {
            let stays = others.iter().any(|other| other.kid == key.kid);
            !stays && !key.is_retired(now)
        });
        gone.map(|key| key.kid.clone()).collect()
    }

    /// Takes over what another process, `authd signing-keys revoke`, did to the folder. Returns the ids of the keys that are gone
    /// and would still verify at `now`.
    ///
    /// To be asked every half second or so: nothing is read while the index is the same file. On an error, also where the index is
    /// gone, the ring stays as it is.
    pub fn look_again(&self, now: Timestamp) -> Result<Vec<String>, Error> {
        let Origin::Folder(keeper) = &self.origin else {
            return Ok(Vec::new());
        };
        let mut keeper = keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if !keeper.has_changed() {
            return Ok(Vec::new());
        }
        let _lock = keeper.lock()?;
        let ring = keeper.reread()?;
        let before = self.put(&ring);
        let gone = before.own(now).filter(|key| !ring.holds(&key.kid));
        Ok(gone.map(|key| key.kid.clone()).collect())
    }

    /// Lets given keys go on to where they stand at `now`. True if something changed.
    fn follow(&self, given: &Given, now: Timestamp) -> bool {
        let keys = given.at(now);
        let places = |keys: &[Arc<Key>]| keys.iter().map(|key| (key.kid.clone(), key.state)).collect::<Vec<_>>();
        let changed = places(&keys) != places(&self.ring.load().keys);
        if changed {
            self.put(&Ring::default().with(keys));
        }
        changed
    }

    /// Takes a key away at once: nothing that it signed is accepted any more. False if there is none of that id, or it is
    /// not ours to take away: a shared secret, or a key that the operator gives.
    ///
    /// Callers that are remembered with their tokens are not asked again before [`crate::app::App::accounts_changed`].
    ///
    /// The key is gone from memory even where an error says that the folder could not be written.
    pub fn revoke(&self, kid: &str, now: Timestamp) -> Result<bool, Error> {
        let Origin::Folder(keeper) = &self.origin else {
            return Ok(false);
        };
        let mut keeper = keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = keeper.lock()?;
        let ring = keeper.reread()?;
        if !ring.holds(kid) {
            return Ok(false);
        }
        let mut rest = ring.with(ring.without(kid));
        rest.revoked.push(kid.to_owned());
        let most = rest.revoked.len().saturating_sub(MOST_REVOKED);
        rest.revoked.drain(..most);
        let (rest, made) = match rest.signing() {
            Some(_) => (rest, Ok(())),
            None => match keeper.succeed(&rest, now) {
                Ok(ring) => (ring, Ok(())),
                Err(error) => (rest, Err(error)),
            },
        };
        let written = keeper.write(&rest);
        self.put(&rest);
        made.and(written)?;
        keeper.sweep(&self.ring.load())?;
        Ok(true)
    }
}

/// When a key stops verifying that signed until `at`; `None` where tokens never expire.
fn retirement(lifetime: Lifetime, at: Timestamp) -> Option<Timestamp> {
    match lifetime {
        Lifetime::Limited(lifetime) => {
            let lifetime = lifetime.saturating_add(SignedDuration::from_secs(SKEW_SECONDS));
            Some(later(at, lifetime))
        }
        Lifetime::Unlimited => None,
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}
