//! A secret value inside a Snapshot: it can be stored, never printed.

use secrecy::{ExposeSecret, SecretBox, SerializableSecret, zeroize::Zeroize};
use serde::{Deserialize, Serialize};

/// The bytes of a secret, erased when dropped.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Bytes(Vec<u8>);

impl Zeroize for Bytes {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl SerializableSecret for Bytes {}

impl secrecy::CloneableSecret for Bytes {}

/// A secret value.
pub type Secret = SecretBox<Bytes>;

/// Wraps a value so that it is never printed.
#[must_use]
pub fn secret(bytes: &[u8]) -> Secret {
    SecretBox::new(Box::new(Bytes(bytes.to_vec())))
}

/// The value, for the one place that needs it.
#[must_use]
pub fn expose(secret: &Secret) -> &[u8] {
    &secret.expose_secret().0
}
