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
//! What is counted, and that a restart does not forget it, is in [`guesses`]. Not here: who is behind a proxy (the caller's address
//! is an argument).

mod guesses;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

pub use guesses::Guesses;
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

/// Counts failures and refuses too many; clones share the counts.
#[derive(Clone, Debug)]
pub struct RateLimits {
    rules: Rules,
    guesses: Guesses,
}

/// A place for one guess; say how it ended. Dropped without a word it counts as a failure.
#[must_use = "a reservation that is dropped counts as a failure"]
#[derive(Debug)]
pub struct Reservation {
    guesses: Guesses,
    rules: Rules,
    purpose: Purpose,
    subjects: [Option<Subject>; 2],
    pair: Option<Subject>,
    at: Timestamp,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Failed,
    Succeeded,
    Withdrawn,
}

#[derive(Clone, Copy, Debug)]
struct Rules {
    limit: usize,
    window: SignedDuration,
}

impl RateLimits {
    /// At most `limit` failures (at least 1) in `window` for each account and for each address, of those that are counted there.
    pub fn new(limit: usize, window: SignedDuration, guesses: &Guesses) -> Self {
        Self {
            rules: Rules {
                limit: limit.max(1),
                window,
            },
            guesses: guesses.clone(),
        }
    }

    /// Takes a place for one guess before it is tried.
    pub fn reserve(&self, attempt: Attempt<'_>, now: Timestamp) -> Result<Reservation, Limited> {
        let Attempt {
            purpose,
            account,
            address,
        } = attempt;
        let pair = account.map(|name| self.guesses.pair(purpose, name, address));
        let account = account.map(|name| self.guesses.account(purpose, name));
        let address = self.guesses.address(purpose, address);
        let mut counts = self.guesses.lock();
        let is_known = pair.is_some_and(|pair| counts.known.get(&pair).is_some());
        let subjects = [Some(address), if is_known { pair } else { account }];
        if let Some(retry_after) = counts.longest_wait(&subjects, self.rules, now) {
            metrics::counter!("authd_rate_limited_total", "purpose" => purpose.name()).increment(1);
            return Err(Limited { retry_after });
        }
        for subject in subjects.into_iter().flatten() {
            counts.count(subject).pending += 1;
        }
        drop(counts);
        Ok(Reservation {
            guesses: self.guesses.clone(),
            rules: self.rules,
            purpose,
            subjects,
            pair,
            at: now,
            end: End::Failed,
        })
    }
}

impl Reservation {
    /// The guess was wrong. Before whoever guessed is told, it is to be written down: [`Guesses::write_down`].
    pub fn failed(self) {
        drop(self);
    }

    /// The guess was right: the account's failures are forgotten, and the account is known at this address from now on.
    /// The address's failures stay, or an attacker with one good account would wipe them.
    pub fn succeeded(mut self) {
        self.end = End::Succeeded;
    }

    /// Nothing was guessed: authd was busy or at fault.
    pub fn withdrawn(mut self) {
        self.end = End::Withdrawn;
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
