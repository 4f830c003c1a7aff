//! What is held against whom? The counts behind the limits, and what of them is still to be written down.
//!
//! A restart forgets no failed guess at a password: each is on the disk before whoever guessed is told
//! ([`Guesses::write_down`]). Guesses at API keys are not: they are long and random, and a wrong one must cost no disk.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::hmac;
use hashlink::LruCache;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretBox};

use super::{Attempt, Purpose, Rules};
use crate::store::{self, GuessChange, KeptGuesses, Store};

/// How many subjects are watched that never reached a limit.
const MAX_WATCHED: usize = 75_000;
/// How many subjects are kept that did.
const MAX_BLOCKED: usize = 25_000;
/// How many pairs of account and address are remembered as good.
const MAX_KNOWN: usize = 100_000;
/// The longest block, and how long after its end it is remembered on the disk how many there were.
const MAX_BLOCK: SignedDuration = SignedDuration::from_hours(24);

/// Every count of this process; clones share them.
#[derive(Clone, Debug)]
pub struct Guesses {
    key: hmac::Key,
    counts: Arc<Mutex<Counts>>,
    /// Held while something is written: who finds nothing left to write has it on the disk.
    writing: Arc<tokio::sync::Mutex<()>>,
}

/// What is counted. Names are kept as keyed 128-bit hashes: short, nobody outside can make two collide, and a stolen database
/// tells no names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    Address(u128),
    Account(u128),
    Pair(u128),
}

/// Whom a guess is counted for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subjects {
    pub(super) address: Subject,
    pub(super) account: Option<Subject>,
    pub(super) pair: Option<Subject>,
}

#[derive(Debug)]
pub(super) struct Counts {
    pub(super) watched: LruCache<Subject, Count>,
    pub(super) blocked: LruCache<Subject, Count>,
    pub(super) known: LruCache<Subject, ()>,
    /// What happened and is not written down.
    changes: Vec<GuessChange>,
}

#[derive(Debug, Default)]
pub(super) struct Count {
    failures: VecDeque<Timestamp>,
    pub(super) pending: usize,
    blocked_until: Option<Timestamp>,
    /// How often the limit was reached since the last success.
    blocks: u32,
}

impl Guesses {
    /// Nothing is held against anybody. Hashes of subjects are made with `key`.
    #[must_use]
    pub fn new(key: &SecretBox<[u8; 32]>) -> Self {
        Self::with_capacities(key, [MAX_WATCHED, MAX_BLOCKED, MAX_KNOWN])
    }

    pub(super) fn with_capacities(key: &SecretBox<[u8; 32]>, [watched, blocked, known]: [usize; 3]) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key.expose_secret()),
            counts: Arc::new(Mutex::new(Counts {
                watched: LruCache::new(watched),
                blocked: LruCache::new(blocked),
                known: LruCache::new(known),
                changes: Vec::new(),
            })),
            writing: Arc::default(),
        }
    }

    /// What the store has from before a restart: failures, and from where people are signed in, whom nobody may lock out there.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn restored(key: &SecretBox<[u8; 32]>, store: &Store, now: Timestamp) -> Result<Self, store::Error> {
        let guesses = Self::new(key);
        let (kept, used) = (store.kept_guesses(now).await?, store.addresses_in_use(now).await?);
        let mut counts = guesses.lock();
        for (subject, kept) in kept {
            if let Some(subject) = Subject::read(&subject) {
                counts.restore(subject, kept);
            }
        }
        // The one used last comes last, so that it is forgotten last.
        for (email, address) in used.iter().rev() {
            counts.known.insert(guesses.pair(Purpose::SignIn, email, *address), ());
        }
        drop(counts);
        Ok(guesses)
    }

    /// Writes down every failure so far; it is on the disk when this returns `Ok`, whoever wrote it.
    ///
    /// # Errors
    /// The database does not answer; what was to be written counts until the next restart.
    pub async fn write_down(&self, store: &Store) -> Result<(), store::Error> {
        let _others_wait = self.writing.lock().await;
        let changes = std::mem::take(&mut self.lock().changes);
        if changes.is_empty() {
            return Ok(());
        }
        store.write_guesses(&changes).await
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom a guess is counted for.
    pub(crate) fn subjects(&self, attempt: Attempt<'_>) -> Subjects {
        let Attempt {
            purpose,
            account,
            address,
        } = attempt;
        Subjects {
            address: Subject::Address(self.hash(purpose, "", Some(address))),
            account: account.map(|name| Subject::Account(self.hash(purpose, name, None))),
            pair: account.map(|name| self.pair(purpose, name, address)),
        }
    }

    /// Whether the account is known at the address.
    pub(crate) fn is_known(&self, subjects: Subjects) -> bool {
        subjects.pair.is_some_and(|pair| self.lock().known.get(&pair).is_some())
    }

    fn pair(&self, purpose: Purpose, account: &str, address: IpAddr) -> Subject {
        Subject::Pair(self.hash(purpose, account, Some(address)))
    }

    /// Each part but the last, which has a fixed length, ends with a byte that is in none.
    fn hash(&self, purpose: Purpose, account: &str, address: Option<IpAddr>) -> u128 {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(purpose.name().as_bytes());
        context.update(&[0xff]);
        context.update(account.as_bytes());
        context.update(&[0xff]);
        if let Some((version, network)) = address.map(network) {
            context.update(&[version]);
            context.update(&network.to_be_bytes());
        }
        let tag = context.sign();
        tag.as_ref()
            .iter()
            .take(16)
            .fold(0, |hash, byte| hash << 8 | u128::from(*byte))
    }
}

impl Subjects {
    /// The address, the account and the pair, as they stand in rows.
    pub(crate) fn written(self) -> [Option<String>; 3] {
        [Some(self.address), self.account, self.pair].map(|subject| subject.map(Subject::written))
    }
}

impl Subject {
    /// As it stands in rows.
    fn written(self) -> String {
        match self {
            Self::Address(hash) => format!("address/{hash:032x}"),
            Self::Account(hash) => format!("account/{hash:032x}"),
            Self::Pair(hash) => format!("pair/{hash:032x}"),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let (kind, hash) = text.split_once('/')?;
        let hash = u128::from_str_radix(hash, 16).ok()?;
        match kind {
            "address" => Some(Self::Address(hash)),
            "account" => Some(Self::Account(hash)),
            "pair" => Some(Self::Pair(hash)),
            _ => None,
        }
    }
}

impl Counts {
    /// How many seconds until all subjects may guess again; `None` if they may now.
    pub(super) fn longest_wait(&mut self, subjects: &[Option<Subject>], rules: Rules, now: Timestamp) -> Option<u64> {
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

    pub(super) fn count(&mut self, subject: Subject) -> &mut Count {
        if self.blocked.contains_key(&subject) {
            self.blocked.entry(subject).or_insert_with(Count::default)
        } else {
            self.watched.entry(subject).or_insert_with(Count::default)
        }
    }

    /// Counts a failure. What it comes to is to be written down where the purpose says so.
    pub(super) fn fail(&mut self, subject: Subject, purpose: Purpose, rules: Rules, at: Timestamp) {
        let change = self.count(subject).fail(subject, rules, at);
        if purpose.outlives_a_restart() {
            self.changes.push(change);
        }
        self.keep_if_blocked(subject);
    }

    /// Moves a subject that reached the limit to where floods of new subjects do not reach it.
    fn keep_if_blocked(&mut self, subject: Subject) {
        let is_new = self.watched.peek(&subject).is_some_and(|count| count.blocks > 0);
        if is_new && let Some(count) = self.watched.remove(&subject) {
            self.blocked.insert(subject, count);
        }
    }

    /// Forgets the failures, but not the guesses that are still being tried. Where there were none, nothing is to be written.
    pub(super) fn forgive(&mut self, subject: Subject, purpose: Purpose) {
        let count = self.count(subject);
        let (pending, held) = (count.pending, count.blocks > 0 || !count.failures.is_empty());
        self.blocked.remove(&subject);
        self.watched.remove(&subject);
        if pending > 0 {
            self.count(subject).pending = pending;
        }
        if held && purpose.outlives_a_restart() {
            self.changes.push(GuessChange::Forgiven {
                subject: subject.written(),
            });
        }
    }

    fn restore(&mut self, subject: Subject, kept: KeptGuesses) {
        let count = Count {
            failures: kept.failures.into(),
            pending: 0,
            blocked_until: kept.block.map(|(until, _)| until),
            blocks: kept.block.map_or(0, |(_, blocks)| blocks),
        };
        self.watched.insert(subject, count);
        self.keep_if_blocked(subject);
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

    fn fail(&mut self, subject: Subject, rules: Rules, at: Timestamp) -> GuessChange {
        self.slide(rules, at);
        self.failures.push_back(at);
        if self.failures.len() < rules.limit {
            return GuessChange::Failed {
                subject: subject.written(),
                at,
                expires_at: later(at, rules.window),
            };
        }
        self.failures.clear();
        let doublings = match subject {
            Subject::Address(_) => 0,
            Subject::Account(_) | Subject::Pair(_) => self.blocks.min(16),
        };
        self.blocks = self.blocks.saturating_add(1);
        let length = rules.window.checked_mul(1 << doublings).unwrap_or(MAX_BLOCK);
        let until = later(at, length.min(MAX_BLOCK.max(rules.window)));
        self.blocked_until = Some(until);
        GuessChange::Blocked {
            subject: subject.written(),
            until,
            blocks: self.blocks,
            expires_at: later(until, MAX_BLOCK),
        }
    }

    fn slide(&mut self, rules: Rules, now: Timestamp) {
        let is_old = |at: &Timestamp| now.duration_since(*at) >= rules.window;
        while self.failures.front().is_some_and(is_old) {
            self.failures.pop_front();
        }
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// What one subscriber holds: an IPv4 address, an IPv6 /64. An IPv4 address written as IPv6 is IPv4.
pub(super) fn network(address: IpAddr) -> (u8, u64) {
    match address.to_canonical() {
        IpAddr::V4(address) => (4, u64::from(address.to_bits())),
        IpAddr::V6(address) => (6, (address.to_bits() >> 64) as u64),
    }
}
