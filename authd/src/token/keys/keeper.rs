//! Which keys of the folder are due to come, to sign and to go?

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::signature::Ed25519KeyPair;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::folder::{Folder, Lock, Stamp};
use super::{Error, Key, PUBLISHED_AHEAD, Ring, Schedule, State, later, retirement};
use crate::random::Random;

/// Makes, keeps and retires Ed25519 keys.
#[derive(Debug)]
pub(super) struct Keeper {
    folder: Folder,
    random: Random,
    schedule: Schedule,
    /// The index that the ring in memory was read from, or written to.
    seen: Option<Stamp>,
}

impl Keeper {
    /// The keeper of a folder, which is made if it does not exist.
    pub(super) fn open(path: &Path, random: Random, schedule: Schedule) -> Result<Self, Error> {
        Ok(Self {
            folder: Folder::open(path)?,
            random,
            schedule,
            seen: None,
        })
    }

    /// Keeps other processes out until the lock is dropped.
    pub(super) fn lock(&self) -> Result<Lock, Error> {
        self.folder.lock()
    }

    /// Whether the index is another than the one that was read or written last.
    pub(super) fn has_changed(&self) -> bool {
        self.folder.stamp() != self.seen
    }

    /// The keys as they lie in the folder.
    pub(super) fn read(&mut self) -> Result<Ring, Error> {
        let stamp = self.folder.stamp();
        let (keys, revoked) = self.folder.read()?;
        self.seen = stamp;
        Ok(Ring {
            keys,
            revoked,
            others: Vec::new(),
        })
    }

    /// The same, of a folder that held keys.
    pub(super) fn reread(&mut self) -> Result<Ring, Error> {
        if self.folder.stamp().is_none() {
            return Err(Error::Gone {
                path: self.folder.index(),
            });
        }
        self.read()
    }

    /// Replaces what lies in the folder.
    pub(super) fn write(&mut self, ring: &Ring) -> Result<(), Error> {
        self.folder.write(ring)?;
        self.seen = self.folder.stamp();
        Ok(())
    }

    /// Removes the key files that the ring does not hold.
    pub(super) fn sweep(&self, ring: &Ring) -> Result<(), Error> {
        self.folder.sweep(ring)
    }

    /// The keys as they should be at `now`; `None` if they are so.
    pub(super) fn due(&self, ring: &Ring, now: Timestamp) -> Result<Option<Ring>, Error> {
        let mut keys: Vec<_> = ring.keys.iter().filter(|key| !key.is_retired(now)).cloned().collect();
        let mut changed = keys.len() != ring.keys.len();
        let Some(current) = ring.find(|state| matches!(state, State::Current { .. })) else {
            return self.succeed(&ring.with(keys), now).map(Some);
        };
        let (State::Current { since }, Some(every)) = (current.state, self.schedule.rotate_every) else {
            return Ok(changed.then(|| ring.with(keys)));
        };
        let next = ring.find(|state| matches!(state, State::Next { .. }));
        let due_at = later(since, every);
        match next.map(|key| key.state) {
            None if later(now, PUBLISHED_AHEAD) >= due_at => {
                keys.push(self.mint(State::Next { published_at: now })?);
                changed = true;
            }
            Some(State::Next { published_at }) if now >= due_at && now >= later(published_at, PUBLISHED_AHEAD) => {
                keys.retain(|key| key.kid != current.kid);
                keys.push(Arc::new(current.with_state(State::Previous {
                    retire_at: retirement(self.schedule.lifetime, now),
                })));
                return self.succeed(&ring.with(keys), now).map(Some);
            }
            _ => {}
        }
        Ok(changed.then(|| ring.with(keys)))
    }

    /// The keys with the next one, or a new one, as the current.
    pub(super) fn succeed(&self, ring: &Ring, now: Timestamp) -> Result<Ring, Error> {
        let state = State::Current { since: now };
        let Some(next) = ring.find(|state| matches!(state, State::Next { .. })) else {
            let mut keys = ring.keys.clone();
            keys.push(self.mint(state)?);
            return Ok(ring.with(keys));
        };
        let mut keys = ring.without(&next.kid);
        keys.push(Arc::new(next.with_state(state)));
        Ok(ring.with(keys))
    }

    fn mint(&self, state: State) -> Result<Arc<Key>, Error> {
        let seed = Zeroizing::new(self.random.bytes::<32>());
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| Error::NotMade)?;
        let key = Key::ed25519(pair, state)?;
        self.folder.keep(&key)?;
        Ok(Arc::new(key))
    }
}
