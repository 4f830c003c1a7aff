//! May this account, from this address, have another guess?
//!
//! Failures alone count, in a sliding window. A guess reserves its place before it is tried, so parallel guesses cannot
//! exceed the limit; a guess that is refused here is not counted, so it does not extend a block. A subject is
//!
//! - an address: IPv4 alone, IPv6 by its /64;
//! - an account. Each further block is twice as long, up to a day, until the person signs in;
//! - an account from an address where it signed in before. It is counted by itself, so that nobody who is elsewhere can
//!   lock the person out.
//!
//! Memory is bounded. Subjects that never reached a limit and subjects that did are kept apart, each with the least recently
//! used leaving first: inventing accounts or addresses never evicts a blocked one. That takes as many blocks as fit, each
//! of them a limit's worth of failed guesses.
//!
//! What is counted, and that a restart does not forget it, is in [`guesses`]. Not here: what other replicas counted
//! ([`crate::shared::RateLimits`]), and who is behind a proxy (the caller's address is an argument).

mod guesses;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

pub use guesses::Guesses;
pub(crate) use guesses::Subjects;
use guesses::{Counts, Subject};

/// What is guessed at; each is counted by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A password at sign-in.
    SignIn,
    /// A new account.
    SignUp,
    /// The old password at a change of password.
    PasswordChange,
    /// A key that a program showed.
    ApiKey,
    /// A token of a provider that a program wants to exchange.
    TokenExchange,
    /// A token with which a provider ends sessions.
    LogoutToken,
}

impl Purpose {
    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::SignUp => "sign_up",
            Self::PasswordChange => "password_change",
            Self::ApiKey => "api_key",
            Self::TokenExchange => "token_exchange",
            Self::LogoutToken => "logout_token",
        }
    }

    /// Whether failures are written down. A wrong key or token must cost no disk, and neither can be guessed.
    fn outlives_a_restart(self) -> bool {
        match self {
            Self::SignIn | Self::SignUp | Self::PasswordChange => true,
            Self::ApiKey | Self::TokenExchange | Self::LogoutToken => false,
        }
    }
}

/// Who wants to guess at what.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// At what.
    pub purpose: Purpose,
    /// At which account, in the form that it is looked up by, whether it exists or not; `None` limits the address alone.
    pub account: Option<&'a str>,
    /// From where.
    pub address: IpAddr,
}

/// Not now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts: try again in {retry_after} s")]
pub struct Limited {
    /// After how many seconds another attempt may pass; at least 1.
    pub retry_after: u64,
}

impl Limited {
    /// Counts a refusal.
    pub(crate) fn counted(purpose: Purpose, retry_after: u64) -> Self {
        metrics::counter!("authd_rate_limited_total", "purpose" => purpose.name()).increment(1);
        Self { retry_after }
    }
}

/// A place for one guess among those of this process. Dropped without a word it counts as a failure.
#[must_use = "a reservation that is dropped counts as a failure"]
#[derive(Debug)]
pub(crate) struct Reservation {
    guesses: Guesses,
    rules: Rules,
    purpose: Purpose,
    subjects: [Option<Subject>; 2],
    pair: Option<Subject>,
    at: Timestamp,
    end: End,
}

/// How a guess ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It was wrong.
    Failed,
    /// It was right.
    Succeeded,
    /// Nothing was guessed.
    Withdrawn,
}

/// How many may fail in how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) limit: usize,
    pub(crate) window: SignedDuration,
}

impl Rules {
    /// At most `limit` failures (at least 1) in `window`.
    pub(crate) fn new(limit: usize, window: SignedDuration) -> Self {
        let limit = limit.max(1);
        Self { limit, window }
    }
}

impl Guesses {
    /// Takes a place for one guess before it is tried. Where the account is known at the address, the two are counted by themselves.
    pub(crate) fn reserve(
        &self,
        rules: Rules,
        purpose: Purpose,
        (subjects, is_known): (Subjects, bool),
        now: Timestamp,
    ) -> Result<Reservation, Limited> {
        let Subjects { address, account, pair } = subjects;
        let mut counts = self.lock();
        let subjects = [Some(address), if is_known { pair } else { account }];
        if let Some(retry_after) = counts.longest_wait(&subjects, rules, now) {
            return Err(Limited::counted(purpose, retry_after));
        }
        for subject in subjects.into_iter().flatten() {
            counts.count(subject).pending += 1;
        }
        drop(counts);
        Ok(Reservation {
            guesses: self.clone(),
            rules,
            purpose,
            subjects,
            pair,
            at: now,
            end: End::Failed,
        })
    }
}

impl Reservation {
    /// Says how the guess ended.
    pub(crate) fn ended(mut self, end: End) {
        self.end = end;
    }

    fn settle(&self, counts: &mut Counts, subject: Subject) {
        let count = counts.count(subject);
        count.pending = count.pending.saturating_sub(1);
        match (self.end, subject) {
            (End::Failed, _) => counts.fail(subject, self.purpose, self.rules, self.at),
            (End::Succeeded, Subject::Account(_) | Subject::Pair(_)) => counts.forgive(subject, self.purpose),
            (End::Succeeded, Subject::Address(_)) | (End::Withdrawn, _) => {}
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut counts = self.guesses.lock();
        for subject in self.subjects.into_iter().flatten() {
            self.settle(&mut counts, subject);
        }
        if let (End::Succeeded, Some(pair)) = (self.end, self.pair) {
            counts.known.insert(pair, ());
        }
    }
}
