//! May this account, from this address, have another guess? This replica's counts say so ([`memory`]), and where there is a Redis those
//! of all replicas ([`redis`]): both have to agree. While Redis is away the replica's own limits go on to hold.
//!
//! [`memory`]: super::memory
//! [`redis`]: super::redis

use jiff::{SignedDuration, Timestamp};

use super::memory::{self, Attempt, End, Guesses, Limited, Rules};
use super::redis::{Place, Redis, Said};

/// Counts failures and refuses too many; clones share the counts.
#[derive(Clone, Debug)]
pub struct RateLimits {
    rules: Rules,
    guesses: Guesses,
    redis: Option<Redis>,
}

/// A place for one guess; say how it ended. Dropped without a word it counts as a failure.
#[must_use = "a reservation that is dropped counts as a failure"]
#[derive(Debug)]
pub struct Reservation {
    here: memory::Reservation,
    everywhere: Option<Place>,
}

impl RateLimits {
    /// At most `limit` failures (at least 1) in `window` for each account and for each address, of those that are counted there.
    #[must_use]
    pub fn new(limit: usize, window: SignedDuration, guesses: &Guesses, redis: Option<&Redis>) -> Self {
        Self {
            rules: Rules::new(limit, window),
            guesses: guesses.clone(),
            redis: redis.cloned(),
        }
    }

    /// Takes a place for one guess before it is tried.
    ///
    /// # Errors
    /// Too many failed.
    pub async fn reserve(&self, attempt: Attempt<'_>, now: Timestamp) -> Result<Reservation, Limited> {
        let Some(redis) = &self.redis else {
            return self.reserve_here(attempt, now);
        };
        let subjects = self.guesses.subjects(attempt);
        let is_known = self.guesses.is_known(subjects);
        let Said { is_known, place } = redis.reserve(subjects, is_known, self.rules, now).await;
        let place = place.map_err(|retry_after| Limited::counted(attempt.purpose, retry_after))?;
        let chosen = (subjects, is_known);
        match self.guesses.reserve(self.rules, attempt.purpose, chosen, now) {
            Ok(here) => Ok(Reservation {
                here,
                everywhere: Some(place),
            }),
            Err(limited) => {
                place.ended(End::Withdrawn);
                Err(limited)
            }
        }
    }

    /// The same by this replica's counts alone, for whoever must not wait.
    ///
    /// # Errors
    /// Too many failed here.
    pub fn reserve_here(&self, attempt: Attempt<'_>, now: Timestamp) -> Result<Reservation, Limited> {
        let subjects = self.guesses.subjects(attempt);
        let chosen = (subjects, self.guesses.is_known(subjects));
        let here = self.guesses.reserve(self.rules, attempt.purpose, chosen, now)?;
        Ok(Reservation { here, everywhere: None })
    }
}

impl Reservation {
    /// The guess was wrong. Before whoever guessed is told, it is to be written down: [`Guesses::write_down`].
    pub fn failed(self) {
        drop(self);
    }

    /// The guess was right: the account's failures are forgotten, and the account is known at this address from now on.
    /// The address's failures stay, or an attacker with one good account would wipe them.
    pub fn succeeded(self) {
        self.ended(End::Succeeded);
    }

    /// Nothing was guessed: authd was busy or at fault.
    pub fn withdrawn(self) {
        self.ended(End::Withdrawn);
    }

    fn ended(self, end: End) {
        self.here.ended(end);
        if let Some(place) = self.everywhere {
            place.ended(end);
        }
    }
}
