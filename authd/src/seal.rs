//! What is kept where others can read it: encrypted and authenticated, for one purpose each.
//!
//! A sealed value names the key that it was made with, so that keys can be replaced: the first key of the ring seals, every key opens.
//! AES-256-GCM with a key derived for each purpose (HKDF, RFC 5869), and what the value belongs to as associated data.

#[cfg(test)]
mod tests;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

use crate::random::Random;

/// The bytes by which a key is known.
const ID: usize = 4;

/// What a sealed value is for; one for another purpose is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// An attempt to sign in, in a cookie.
    Attempt,
    /// What a provider gave a session, in the database.
    Grant,
    /// authd's own registration at a provider, in the database.
    Registration,
    /// The proof that a replica published a signing key, in the database.
    SigningKey,
}

/// Keys, the one that seals first.
pub struct Keyring {
    keys: Vec<Key>,
}

struct Key {
    id: [u8; ID],
    attempt: LessSafeKey,
    grant: LessSafeKey,
    registration: LessSafeKey,
    signing_key: LessSafeKey,
}

/// A key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no key that seals")]
pub struct NoKey;

impl Keyring {
    /// A ring of these secrets, each of 32 bytes or more. The first one seals.
    ///
    /// # Errors
    /// There is none.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, NoKey> {
        let keys: Vec<Key> = secrets
            .into_iter()
            .map(Key::derive)
            .collect::<Option<_>>()
            .ok_or(NoKey)?;
        if keys.is_empty() { Err(NoKey) } else { Ok(Self { keys }) }
    }

    /// Seals a value that belongs to `owner`.
    ///
    /// # Errors
    /// Nothing can be sealed.
    pub fn seal(&self, purpose: Purpose, owner: &str, value: &[u8], random: &Random) -> Result<Vec<u8>, NoKey> {
        let key = self.keys.first().ok_or(NoKey)?;
        let nonce: [u8; NONCE_LEN] = random.bytes();
        let mut sealed = value.to_vec();
        key.of(purpose)
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(owner.as_bytes()),
                &mut sealed,
            )
            .map_err(|_| NoKey)?;
        Ok([&key.id[..], &nonce, &sealed].concat())
    }

    /// The value, if it was sealed for this purpose and owner with a key of the ring.
    #[must_use]
    pub fn open(&self, purpose: Purpose, owner: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (id, rest) = sealed.split_first_chunk::<ID>()?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>()?;
        self.keys.iter().filter(|key| key.id == *id).find_map(|key| {
            let mut value = Zeroizing::new(rest.to_vec());
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let length = key
                .of(purpose)
                .open_in_place(nonce, Aad::from(owner.as_bytes()), &mut value)
                .ok()?
                .len();
            value.truncate(length);
            Some(value)
        })
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring")
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

impl Key {
    fn derive(secret: &[u8]) -> Option<Self> {
        let material = Salt::new(HKDF_SHA256, b"authd seal 1").extract(secret);
        let derived = |purpose: &'static [u8]| {
            let info = [purpose];
            let key = material.expand(&info, &AES_256_GCM).ok()?;
            Some(LessSafeKey::new(UnboundKey::from(key)))
        };
        let mut id = [0; 32];
        material.expand(&[b"id"], HKDF_SHA256).ok()?.fill(&mut id).ok()?;
        Some(Self {
            id: *id.first_chunk()?,
            attempt: derived(b"attempt")?,
            grant: derived(b"grant")?,
            registration: derived(b"registration")?,
            signing_key: derived(b"signing key")?,
        })
    }

    fn of(&self, purpose: Purpose) -> &LessSafeKey {
        match purpose {
            Purpose::Attempt => &self.attempt,
            Purpose::Grant => &self.grant,
            Purpose::Registration => &self.registration,
            Purpose::SigningKey => &self.signing_key,
        }
    }
}
