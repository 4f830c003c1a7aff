//! Replicas that each have signing keys of their own: how do others verify what one signed?
//!
//! Each publishes the public halves of its keys in the database, with a proof that only whoever has `encryptionKeys` can make: who may
//! write to the database alone makes no key that anybody believes. A key that is revoked there is let go of by the replica that has
//! it too. Keys that the operator gives, and shared secrets, are the same everywhere and are not published.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::app::App;
use crate::random::Random;
use crate::seal::{Keyring, NoKey, Purpose};
use crate::serving::Serving;
use crate::store::{self, PublicHalf};
use crate::token::Lifetime;
use crate::token::keys::{Key, State};

#[cfg(test)]
mod tests;

/// How much longer than its tokens a key is published for, so that it need not be said anew all the time.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// How much of that is left when it is said anew.
const LEFT: SignedDuration = SignedDuration::from_hours(12);

/// What this replica has published, and what is not believed.
#[derive(Debug, Default)]
pub struct PublicHalves {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Which Snapshot's keys seal.
    generation: u64,
    /// Until when each key of ours was published.
    published: BTreeMap<String, Option<Timestamp>>,
    /// Keys of ours that are revoked there too.
    revoked: Vec<String>,
    /// What was complained of.
    disbelieved: Vec<String>,
}

/// What became of keys when the others' were read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Keys of this replica that somebody revoked in the database.
    pub revoked_here: Vec<String>,
    /// Keys of others that do not verify any more.
    pub gone: Vec<String>,
}

impl PublicHalves {
    /// Publishes the keys of this replica that others do not know yet or would soon forget, and revokes those that were revoked here.
    /// Returns how many keys are new to them.
    ///
    /// # Errors
    /// The database does not answer: it is tried again the next time.
    pub async fn publish(&self, app: &App, serving: &Serving) -> Result<usize, store::Error> {
        if !app.store.is_shared() || !serving.key_ring.is_of_a_folder() {
            return Ok(0);
        }
        let now = app.now();
        let ring = serving.key_ring.load();
        for kid in ring.revoked().filter(|kid| !self.known().revoked.contains(kid)) {
            app.store.revoke_signing_key(kid, now).await?;
            self.known().revoked.push(kid.clone());
        }
        let lifetime = serving.lifetime();
        let due: Vec<(&Key, Option<Timestamp>)> = ring
            .own(now)
            .filter_map(|key| Some((key, self.due(key, (serving.generation, lifetime), now)?)))
            .collect();
        let halves: Vec<PublicHalf> = due
            .iter()
            .filter_map(|(key, until)| half(key, *until, (&serving.sealing, &app.random)).ok())
            .collect();
        if halves.is_empty() {
            return Ok(0);
        }
        app.store.publish_signing_keys(&halves).await?;
        let mut known = self.known();
        if known.generation != serving.generation {
            known.generation = serving.generation;
            known.published.clear();
        }
        let published = halves.into_iter();
        Ok(published
            .filter(|half| known.published.insert(half.kid.clone(), half.until).is_none())
            .count())
    }

    /// Until when a key is to be published now; `None`: it is already.
    fn due(&self, key: &Key, (generation, lifetime): (u64, Lifetime), now: Timestamp) -> Option<Option<Timestamp>> {
        let known = self.known();
        let published = known
            .published
            .get(key.kid())
            .filter(|_| known.generation == generation);
        let (until, least) = match (key.state(), lifetime) {
            (State::Previous { retire_at }, _) => (retire_at, retire_at),
            (_, Lifetime::Unlimited) => (None, None),
            (_, Lifetime::Limited(lifetime)) => {
                let later = |more| now.saturating_add(lifetime.saturating_add(more)).ok();
                (later(AHEAD), later(LEFT))
            }
        };
        let is_known = published.is_some_and(|published| match (key.state(), published, least) {
            (State::Previous { .. }, published, _) => *published == until,
            (_, Some(published), Some(least)) => *published >= least,
            (_, published, least) => *published == least,
        });
        (!is_known).then_some(until)
    }

    /// Takes over the keys of the others, and lets go of those of this replica that were revoked in the database.
    ///
    /// # Errors
    /// The database does not answer: those that are known go on.
    pub async fn read(&self, app: &App, serving: &Serving) -> Result<Read, store::Error> {
        let mut read = Read::default();
        if !app.store.is_shared() || !serving.key_ring.is_of_a_folder() {
            return Ok(read);
        }
        let now = app.now();
        let mut others = Vec::new();
        for half in app.store.signing_keys(now).await? {
            let is_ours = serving.key_ring.load().own(now).any(|key| key.kid() == half.kid);
            match (is_ours, half.revoked_at) {
                (true, Some(_)) => match serving.key_ring.revoke(&half.kid, now) {
                    Ok(_) => read.revoked_here.push(half.kid),
                    Err(error) => tracing::error!(
                        kid = half.kid,
                        error = %error,
                        "a signing key that was revoked could not be taken out of its folder: it is out of use until the next start"
                    ),
                },
                (false, None) => others.extend(self.believed(&half, &serving.sealing)),
                (true, None) | (false, Some(_)) => {}
            }
        }
        read.gone = serving.key_ring.others_are(&others, now);
        Ok(read)
    }

    /// The key, if a replica published it.
    fn believed(&self, half: &PublicHalf, sealing: &Keyring) -> Option<Arc<Key>> {
        let key = Key::public(&half.public, half.until).filter(|key| key.kid() == half.kid);
        let is_proven = sealing.open(Purpose::SigningKey, &said(half), &half.proof).is_some();
        if let Some(key) = key
            && is_proven
        {
            return Some(Arc::new(key));
        }
        let mut known = self.known();
        if !known.disbelieved.contains(&half.kid) {
            tracing::error!(
                kid = half.kid,
                "a signing key in the database is not believed: no replica with these `encryptionKeys` published it"
            );
            known.disbelieved.push(half.kid.clone());
        }
        None
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The public half of a key, with its proof.
fn half(key: &Key, until: Option<Timestamp>, (sealing, random): (&Keyring, &Random)) -> Result<PublicHalf, NoKey> {
    let mut half = PublicHalf {
        kid: key.kid().to_owned(),
        public: key.public_bytes().ok_or(NoKey)?.to_vec(),
        until,
        proof: Vec::new(),
        revoked_at: None,
    };
    half.proof = sealing.seal(Purpose::SigningKey, &said(&half), b"", random)?;
    Ok(half)
}

/// What the proof is of.
fn said(half: &PublicHalf) -> String {
    let until = half.until.map_or(i64::MAX, Timestamp::as_millisecond);
    let public: String = half.public.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{} {until} {public}", half.kid)
}
