//! Which keys does the operator give, and where does each stand now?
//!
//! All replicas are given the same list, so that they agree without asking each other. A key that is in it no more is gone at
//! once: nothing is kept here.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use aws_lc_rs::signature::Ed25519KeyPair;
use jiff::Timestamp;
use policy::snapshot::SigningKey;

use super::{Error, Key, Lifetime, State, retirement};

/// Keys that somebody else makes and takes away.
#[derive(Debug)]
pub(super) struct Given {
    /// By when they begin to sign.
    keys: Vec<One>,
    lifetime: Lifetime,
}

#[derive(Debug)]
struct One {
    key: Key,
    made_at: Timestamp,
    signs_from: Timestamp,
}

impl Given {
    /// Reads the keys.
    pub(super) fn new(given: &[SigningKey], lifetime: Lifetime) -> Result<Self, Error> {
        let mut keys = given
            .iter()
            .enumerate()
            .map(|(index, given)| read(given).ok_or(Error::Given { number: index + 1 }))
            .collect::<Result<Vec<_>, _>>()?;
        keys.sort_by_key(|one| one.signs_from);
        Ok(Self { keys, lifetime })
    }

    /// The keys as they stand at `now`: the newest whose time has come signs, and before the first one's time that one does.
    pub(super) fn at(&self, now: Timestamp) -> Vec<Arc<Key>> {
        let signing = self.keys.iter().rposition(|one| one.signs_from <= now).unwrap_or(0);
        let successors = self.keys.iter().skip(1).map(|one| Some(one.signs_from)).chain([None]);
        self.keys
            .iter()
            .zip(successors)
            .enumerate()
            .map(|(number, (one, successor))| {
                let state = match number.cmp(&signing) {
                    std::cmp::Ordering::Less => State::Previous {
                        retire_at: successor.and_then(|at| retirement(self.lifetime, at)),
                    },
                    std::cmp::Ordering::Equal => State::Current { since: one.signs_from },
                    std::cmp::Ordering::Greater => State::Next {
                        published_at: one.made_at,
                    },
                };
                Arc::new(one.key.with_state(state))
            })
            .filter(|key| !key.is_retired(now))
            .collect()
    }
}

fn read(given: &SigningKey) -> Option<One> {
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(policy::secret::expose(&given.pair)).ok()?;
    let made_at = Timestamp::from_second(given.made_at).ok()?;
    Some(One {
        key: Key::ed25519(pair, State::Next { published_at: made_at }).ok()?,
        made_at,
        signs_from: Timestamp::from_second(given.signs_from).ok()?,
    })
}
