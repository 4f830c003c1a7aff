//! What is known of each provider, kept over changes of configuration that leave the provider as it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// What is known, by the provider's name.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    known: Mutex<HashMap<String, Known<T>>>,
}

#[derive(Debug)]
struct Known<T> {
    /// Of the settings that it was made with.
    fingerprint: [u8; 32],
    state: Arc<T>,
}

/// What tells settings from others.
pub(crate) fn fingerprint(settings: &impl Serialize) -> [u8; 32] {
    serde_json::to_vec(settings).map_or([0; 32], |bytes| Sha256::digest(bytes).into())
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
        }
    }
}

impl<T> Kept<T> {
    /// What is known of a provider with these settings; it begins anew when they change.
    pub(crate) fn take<E>(
        &self,
        name: &str,
        settings: &impl Serialize,
        begin: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let fingerprint = fingerprint(settings);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(name).filter(|known| known.fingerprint == fingerprint) {
            return Ok(Arc::clone(&known.state));
        }
        let state = Arc::new(begin()?);
        let fresh = Known {
            fingerprint,
            state: Arc::clone(&state),
        };
        known.insert(name.to_owned(), fresh);
        Ok(state)
    }
}
