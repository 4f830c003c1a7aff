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
//! Not here: who is behind a proxy (the caller's address is an argument), persistence (a restart forgets failures).

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashlink::LruCache;
use jiff::{SignedDuration, Timestamp};

/// How many subjects are watched that never reached a limit.
const MAX_WATCHED: usize = 75_000;
/// How many subjects are kept that did.
const MAX_BLOCKED: usize = 25_000;
/// How many pairs of account and address are remembered as good.
const MAX_KNOWN: usize = 100_000;
/// The longest block.
const MAX_BLOCK: SignedDuration = SignedDuration::from_hours(24);

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
}

impl Purpose {
    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::SignUp => "sign_up",
            Self::PasswordChange => "password_change",
            Self::ApiKey => "api_key",
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
    seeds: [RandomState; 2],
    counts: Arc<Mutex<Counts>>,
}

/// A place for one guess; say how it ended. Dropped without a word it counts as a failure.
#[must_use = "a reservation that is dropped counts as a failure"]
#[derive(Debug)]
pub struct Reservation {
    counts: Arc<Mutex<Counts>>,
    rules: Rules,
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

/// What is counted. Names are kept as keyed 128-bit hashes: short, and nobody outside can make two collide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Address(u128),
    Account(u128),
    Pair(u128),
}

#[derive(Debug)]
struct Counts {
    watched: LruCache<Subject, Count>,
    blocked: LruCache<Subject, Count>,
    known: LruCache<Subject, ()>,
}

#[derive(Debug, Default)]
struct Count {
    failures: VecDeque<Timestamp>,
    pending: usize,
    blocked_until: Option<Timestamp>,
    /// How often the limit was reached since the last success.
    blocks: u32,
}

impl RateLimits {
    /// At most `limit` failures (at least 1) in `window` for each account and for each address.
    pub fn new(limit: usize, window: SignedDuration) -> Self {
        Self::with_capacities(limit, window, [MAX_WATCHED, MAX_BLOCKED, MAX_KNOWN])
    }

    fn with_capacities(limit: usize, window: SignedDuration, capacities: [usize; 3]) -> Self {
        let [watched, blocked, known] = capacities;
        Self {
            rules: Rules {
                limit: limit.max(1),
                window,
            },
            seeds: [RandomState::new(), RandomState::new()],
            counts: Arc::new(Mutex::new(Counts {
                watched: LruCache::new(watched),
                blocked: LruCache::new(blocked),
                known: LruCache::new(known),
            })),
        }
    }

    /// Takes a place for one guess before it is tried.
    pub fn reserve(&self, attempt: Attempt<'_>, now: Timestamp) -> Result<Reservation, Limited> {
        let Attempt { purpose, address, .. } = attempt;
        let network = network(address);
        let pair = attempt
            .account
            .map(|name| Subject::Pair(self.hash((purpose, name, network))));
        let account = attempt.account.map(|name| Subject::Account(self.hash((purpose, name))));
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = pair.is_some_and(|pair| counts.known.get(&pair).is_some());
        let subjects = [
            Some(Subject::Address(self.hash((purpose, network)))),
            if is_known { pair } else { account },
        ];
        if let Some(retry_after) = counts.longest_wait(&subjects, self.rules, now) {
            metrics::counter!("authd_rate_limited_total", "purpose" => purpose.name()).increment(1);
            return Err(Limited { retry_after });
        }
        for subject in subjects.into_iter().flatten() {
            counts.count(subject).pending += 1;
        }
        Ok(Reservation {
            counts: Arc::clone(&self.counts),
            rules: self.rules,
            subjects,
            pair,
            at: now,
            end: End::Failed,
        })
    }

    fn hash(&self, what: impl Hash) -> u128 {
        let [high, low] = &self.seeds;
        (u128::from(high.hash_one(&what)) << 64) | u128::from(low.hash_one(&what))
    }
}

impl Reservation {
    /// The guess was wrong.
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

    fn settle(&self, counts: &mut MutexGuard<'_, Counts>, subject: Subject) {
        let count = counts.count(subject);
        count.pending = count.pending.saturating_sub(1);
        match (self.end, subject) {
            (End::Failed, _) => {
                count.fail(subject, self.rules, self.at);
                counts.keep_if_blocked(subject);
            }
            (End::Succeeded, Subject::Account(_) | Subject::Pair(_)) => counts.forgive(subject),
            (End::Succeeded, Subject::Address(_)) | (End::Withdrawn, _) => {}
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for subject in self.subjects.into_iter().flatten() {
            self.settle(&mut counts, subject);
        }
        if let (End::Succeeded, Some(pair)) = (self.end, self.pair) {
            counts.known.insert(pair, ());
        }
    }
}

impl Counts {
    /// How many seconds until all subjects may guess again; `None` if they may now.
    fn longest_wait(&mut self, subjects: &[Option<Subject>], rules: Rules, now: Timestamp) -> Option<u64> {
        let mut longest = None;
        for subject in subjects.iter().flatten() {
            let count = match self.blocked.get_mut(subject) {
                Some(count) => Some(count),
                None => self.watched.get_mut(subject),
            };
            longest = longest.max(count.and_then(|count| count.wait(rules, now)));
        }
        longest
    }

    fn count(&mut self, subject: Subject) -> &mut Count {
        if self.blocked.contains_key(&subject) {
            self.blocked.entry(subject).or_insert_with(Count::default)
        } else {
            self.watched.entry(subject).or_insert_with(Count::default)
        }
    }

    /// Moves a subject that reached the limit to where floods of new subjects do not reach it.
    fn keep_if_blocked(&mut self, subject: Subject) {
        let is_new = self.watched.peek(&subject).is_some_and(|count| count.blocks > 0);
        if is_new && let Some(count) = self.watched.remove(&subject) {
            self.blocked.insert(subject, count);
        }
    }

    /// Forgets the failures, but not the guesses that are still being tried.
    fn forgive(&mut self, subject: Subject) {
        let pending = self.count(subject).pending;
        self.blocked.remove(&subject);
        self.watched.remove(&subject);
        if pending > 0 {
            self.count(subject).pending = pending;
        }
    }
}

impl Count {
    /// How many seconds until another guess may pass; `None` if it may now.
    fn wait(&mut self, rules: Rules, now: Timestamp) -> Option<u64> {
        if let Some(until) = self.blocked_until.filter(|until| *until > now) {
            let milliseconds = u64::try_from(until.duration_since(now).as_millis()).unwrap_or(0);
            return Some(milliseconds.div_ceil(1000).max(1));
        }
        self.slide(rules, now);
        // Guesses that are still being tried may all fail.
        (self.failures.len() + self.pending >= rules.limit).then_some(1)
    }

    fn fail(&mut self, subject: Subject, rules: Rules, at: Timestamp) {
        self.slide(rules, at);
        self.failures.push_back(at);
        if self.failures.len() < rules.limit {
            return;
        }
        self.failures.clear();
        let doublings = match subject {
            Subject::Address(_) => 0,
            Subject::Account(_) | Subject::Pair(_) => self.blocks.min(16),
        };
        self.blocks = self.blocks.saturating_add(1);
        let length = rules.window.checked_mul(1 << doublings).unwrap_or(MAX_BLOCK);
        let length = length.min(MAX_BLOCK.max(rules.window));
        self.blocked_until = Some(at.saturating_add(length).unwrap_or(Timestamp::MAX));
    }

    fn slide(&mut self, rules: Rules, now: Timestamp) {
        let is_old = |at: &Timestamp| now.duration_since(*at) >= rules.window;
        while self.failures.front().is_some_and(is_old) {
            self.failures.pop_front();
        }
    }
}

/// What one subscriber holds: an IPv4 address, an IPv6 /64. An IPv4 address written as IPv6 is IPv4.
fn network(address: IpAddr) -> (u8, u64) {
    match address.to_canonical() {
        IpAddr::V4(address) => (4, u64::from(address.to_bits())),
        IpAddr::V6(address) => (6, (address.to_bits() >> 64) as u64),
    }
}
