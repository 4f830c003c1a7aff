//! The tokens of a session, as they are kept: sealed for that session alone.

use jiff::{SignedDuration, Timestamp};
use policy::snapshot::Settings;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::exchange::Tokens;
use crate::random::Random;
use crate::seal::{Keyring, NoKey, Purpose};

/// Tokens of a session.
#[derive(Clone, Serialize, Deserialize)]
pub struct Held {
    access_token: String,
    refresh_token: Option<String>,
    id_token: Option<String>,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

impl Held {
    /// What a provider gave; what it did not give again stays what it was.
    #[must_use]
    pub fn of(tokens: &Tokens, before: Option<&Self>) -> Self {
        let text = |token: &Option<SecretString>| token.as_ref().map(|token| token.expose_secret().to_owned());
        Self {
            access_token: tokens.access_token.expose_secret().to_owned(),
            refresh_token: text(&tokens.refresh_token).or_else(|| before?.refresh_token.clone()),
            id_token: text(&tokens.id_token).or_else(|| before?.id_token.clone()),
        }
    }

    /// Nothing, where a session keeps no token of its provider.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            access_token: String::new(),
            refresh_token: None,
            id_token: None,
        }
    }

    /// What opens the provider's endpoints.
    #[must_use]
    pub fn access_token(&self) -> SecretString {
        self.access_token.clone().into()
    }

    /// What gets new tokens.
    #[must_use]
    pub fn refresh_token(&self) -> Option<&str> {
        self.refresh_token.as_deref()
    }

    /// Says at the provider whose session it is.
    #[must_use]
    pub fn id_token(&self) -> Option<&str> {
        self.id_token.as_deref()
    }

    /// As it is sealed.
    ///
    /// # Errors
    /// Never: every part can be written.
    pub fn json(&self) -> Result<Zeroizing<Vec<u8>>, NoKey> {
        serde_json::to_vec(self).map(Zeroizing::new).map_err(|_| NoKey)
    }

    /// Sealed for the session.
    ///
    /// # Errors
    /// Nothing can be sealed.
    pub fn seal(&self, keys: &Keyring, session: Uuid, random: &Random) -> Result<Vec<u8>, NoKey> {
        keys.seal(Purpose::Grant, &session.to_string(), &self.json()?, random)
    }

    /// What was sealed for the session.
    #[must_use]
    pub fn open(keys: &Keyring, session: Uuid, sealed: &[u8]) -> Option<Self> {
        serde_json::from_slice(&keys.open(Purpose::Grant, &session.to_string(), sealed)?).ok()
    }
}

/// When a provider is to be asked again; `None`: never.
#[must_use]
pub fn due(settings: &Settings, now: Timestamp) -> Option<Timestamp> {
    let seconds = i64::try_from(settings.sessions.revalidate?).ok()?;
    now.checked_add(SignedDuration::from_secs(seconds)).ok()
}
