//! Was this session or token revoked?
//!
//! Asked on every request, so the read path takes one uncontended read lock of one shard, or none while nothing is revoked.
//! An entry is needed only until the last token that it concerns has expired. By id, never by a token's text: a signature
//! may have a twin that verifies too.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use jiff::Timestamp;
use uuid::Uuid;

const SHARDS: usize = 16;

/// What an id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// A session (`sid`), with all its tokens.
    Session,
    /// One token (`jti`).
    Token,
}

/// Revoked ids, some 30 bytes each.
#[derive(Debug, Default)]
pub struct Revocations {
    sessions: Ids,
    tokens: Ids,
}

impl Revocations {
    /// Nothing revoked.
    pub fn new() -> Self {
        Self::default()
    }

    /// Revokes an id until `expires_at`, when no token can name it any more; `None` is for ever.
    pub fn revoke(&self, kind: Revoked, id: Uuid, expires_at: Option<Timestamp>) {
        let expires_at = expires_at.map_or(i64::MAX, |at| at.as_second().saturating_add(1));
        match kind {
            Revoked::Session => self.sessions.insert(id, expires_at),
            Revoked::Token => self.tokens.insert(id, expires_at),
        }
    }

    /// Whether the session or the token is revoked.
    pub fn is_revoked(&self, session: Uuid, token: Uuid) -> bool {
        self.sessions.contains(session) || self.tokens.contains(token)
    }

    /// Drops what had expired a clock's skew before `now`; to be asked every few minutes.
    pub fn forget_expired(&self, now: Timestamp) {
        // A token is good for the skew longer than it says.
        let now = now.as_second().saturating_sub(crate::token::SKEW_SECONDS);
        self.sessions.forget(now);
        self.tokens.forget(now);
    }

    /// How many ids are revoked.
    pub fn len(&self) -> usize {
        self.sessions.count.load(Ordering::Acquire) + self.tokens.count.load(Ordering::Acquire)
    }

    /// Whether nothing is revoked.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// 24 bytes an entry rather than the 32 that a `u128` would be padded to.
type Shard = HashMap<(u64, u64), i64, foldhash::fast::RandomState>;

#[derive(Debug, Default)]
struct Ids {
    count: AtomicUsize,
    shards: [RwLock<Shard>; SHARDS],
}

impl Ids {
    fn insert(&self, id: Uuid, expires_at: i64) {
        let Some(shard) = self.shard(id) else { return };
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        match shard.get_mut(&id.as_u64_pair()) {
            Some(known) => *known = expires_at.max(*known),
            None => {
                shard.insert(id.as_u64_pair(), expires_at);
                self.count.fetch_add(1, Ordering::Release);
            }
        }
    }

    fn contains(&self, id: Uuid) -> bool {
        self.count.load(Ordering::Acquire) > 0
            && self.shard(id).is_some_and(|shard| {
                let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
                shard.contains_key(&id.as_u64_pair())
            })
    }

    fn forget(&self, now: i64) {
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            let before = shard.len();
            shard.retain(|_, expires_at| *expires_at > now);
            self.count.fetch_sub(before - shard.len(), Ordering::Release);
        }
    }

    /// By the last byte, which is random in every version of UUID that we make.
    fn shard(&self, id: Uuid) -> Option<&RwLock<Shard>> {
        let [.., last] = id.into_bytes();
        self.shards.get(usize::from(last) % SHARDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn a35_a_revoked_session_or_token_is_known_at_once() {
        let revocations = Revocations::new();
        assert!(!revocations.is_revoked(id(1), id(2)));
        revocations.revoke(Revoked::Session, id(1), Some(at(100)));
        revocations.revoke(Revoked::Token, id(4), Some(at(100)));
        assert!(revocations.is_revoked(id(1), id(2)));
        assert!(revocations.is_revoked(id(3), id(4)));
        assert!(!revocations.is_revoked(id(3), id(2)), "control");
        assert!(!revocations.is_revoked(id(4), id(1)), "a session is no token");
    }

    #[test]
    fn only_what_expired_is_forgotten() {
        let revocations = Revocations::new();
        revocations.revoke(Revoked::Session, id(1), Some(at(1_000)));
        revocations.revoke(Revoked::Session, id(1), Some(at(500)));
        revocations.revoke(Revoked::Session, id(2), Some(at(500)));
        revocations.revoke(Revoked::Token, id(3), None);
        assert_eq!(revocations.len(), 3, "the same id counts once");
        revocations.forget_expired(at(560));
        assert!(
            revocations.is_revoked(id(2), id(0)),
            "a token may still be within the skew"
        );
        revocations.forget_expired(at(561));
        assert!(!revocations.is_revoked(id(2), id(0)));
        assert!(revocations.is_revoked(id(1), id(0)), "a later expiry stays");
        revocations.forget_expired(at(1_000_000_000));
        assert!(revocations.is_revoked(id(0), id(3)), "for ever");
        assert_eq!(revocations.len(), 1);
        assert!(!revocations.is_empty());
    }

    #[test]
    fn a_hundred_thousand_entries_are_kept() {
        let revocations = Revocations::new();
        for number in 0..100_000 {
            revocations.revoke(Revoked::Session, id(number), Some(at(100)));
        }
        assert!((0..100_000).all(|number| revocations.is_revoked(id(number), id(0))));
        assert!(!revocations.is_revoked(id(100_000), id(0)));
        revocations.forget_expired(at(161));
        assert!(revocations.is_empty());
    }
}
