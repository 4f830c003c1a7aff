//! When sessions and keys were last used: collected in memory, written down together.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use uuid::Uuid;

use crate::store::{self, Store};

/// Last uses that are not written down yet, in epoch seconds.
#[derive(Debug, Default)]
pub struct Uses {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    sessions: HashMap<Uuid, i64>,
    keys: HashMap<Uuid, i64>,
}

impl Uses {
    /// A session was used.
    pub fn session(&self, id: Uuid, at: i64) {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .sessions
            .insert(id, at);
    }

    /// When a session was last used, if that is not written down yet.
    #[must_use]
    pub fn last_of_session(&self, id: Uuid) -> Option<i64> {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .sessions
            .get(&id)
            .copied()
    }

    /// A key was used.
    pub fn key(&self, id: Uuid, at: i64) {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .keys
            .insert(id, at);
    }

    /// Writes down what was collected.
    ///
    /// # Errors
    /// The database does not answer; what was collected is lost, and with it at most a minute of "last seen".
    pub async fn write_down(&self, store: &Store) -> Result<(), store::Error> {
        let Waiting { sessions, keys } =
            std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let moments = |uses: HashMap<Uuid, i64>| -> Vec<(Uuid, Timestamp)> {
            uses.into_iter()
                .filter_map(|(id, at)| Some((id, Timestamp::from_second(at).ok()?)))
                .collect()
        };
        if !sessions.is_empty() {
            store.touch_sessions(&moments(sessions)).await?;
        }
        if !keys.is_empty() {
            store.touch_keys(&moments(keys)).await?;
        }
        Ok(())
    }
}
