//! Does this password belong to this hash, and how do we find out without slowing anything else?
//!
//! bcrypt takes a quarter of a second of a core, so it runs on threads of its own at a low priority, one fewer than
//! there are cores, behind a bounded queue. Verification costs the same whether the account exists or not.
//!
//! A password is hashed in Unicode normalisation form C and is otherwise taken as it is: nothing is trimmed. bcrypt reads
//! 72 bytes and stops at NUL, so a password with more bytes or a NUL is refused rather than cut.
//! Not here: which passwords are good enough ([`super::policy`]), how often one may guess ([`crate::shared`]).

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bcrypt::HashParts;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::oneshot;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::random::Random;

/// The most bytes of a password that bcrypt reads.
pub const MAX_PASSWORD_BYTES: usize = 72;
/// How many passwords may wait to be hashed.
pub const QUEUE_LENGTH: usize = 64;
/// How long one may wait: whoever signs in is told within this and the time of one hash.
const PATIENCE: Duration = Duration::from_secs(10);
/// The cheapest cost that may be configured.
pub const MIN_COST: u32 = 4;
/// The highest cost that is worked off, ours or a stored hash's: 2 s a password.
pub const MAX_COST: u32 = 15;
/// How nice the threads are: whatever else wants a core gets nine tenths of it, by Linux's weights. The lowest priority (19) would leave
/// 1.5 %, and nobody could sign in beside a busy neighbour.
const NICENESS: i32 = 10;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The queue is full, or it took too long: answer 503 and let the caller try again.
    #[error("too many passwords are waiting to be checked")]
    Busy,
    /// The password has more than [`MAX_PASSWORD_BYTES`] bytes of UTF-8.
    #[error("a password has at most 72 bytes")]
    TooLong,
    /// The password has a NUL character.
    #[error("a password has no NUL character")]
    Nul,
    /// The stored hash is none that we accept: not bcrypt, or of a cost that would take for ever. Told after the same
    /// work as a wrong password.
    #[error("the stored password hash is not usable")]
    StoredHash,
    /// The pool is shutting down.
    #[error("password hashing has stopped")]
    Stopped,
}

/// The settings cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The cost is outside of what is allowed.
    #[error("the bcrypt cost is {cost}, and it must be from 4 to 15 (12 is usual)")]
    Cost {
        /// What was asked for.
        cost: u32,
    },
    /// The system gave no thread.
    #[error("no thread could be started for hashing passwords")]
    Thread,
}

/// What a verification found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Whether the password is the one that was hashed.
    pub matches: bool,
    /// Whether it matches and should be hashed again, as its hash is cheaper than the configured cost.
    pub needs_rehash: bool,
}

/// The pool of hashing threads; clones share it, and it ends with the last one.
#[derive(Clone, Debug)]
pub struct Hashing {
    queue: SyncSender<Job>,
    waiting: Arc<AtomicUsize>,
    random: Random,
    cost: u32,
}

enum Work {
    Hash { salt: [u8; 16] },
    Verify { stored: Option<String> },
}

enum Outcome {
    Hashed(String),
    Verified(Verification),
}

struct Job {
    password: Zeroizing<String>,
    work: Work,
    cost: u32,
    queued: Instant,
    answer: oneshot::Sender<Result<Outcome, Error>>,
}

/// How the work is bounded.
struct Bounds {
    threads: usize,
    queue_length: usize,
    patience: Duration,
}

impl Hashing {
    /// Starts one thread fewer than there are cores, at least one; `cost` is the logarithm of bcrypt's rounds.
    pub fn start(cost: u32, random: Random) -> Result<Self, StartError> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let bounds = Bounds {
            threads: cores.saturating_sub(1).max(1),
            queue_length: QUEUE_LENGTH,
            patience: PATIENCE,
        };
        Self::start_with(cost, random, &bounds)
    }

    fn start_with(cost: u32, random: Random, bounds: &Bounds) -> Result<Self, StartError> {
        if !(MIN_COST..=MAX_COST).contains(&cost) {
            return Err(StartError::Cost { cost });
        }
        let (queue, jobs) = sync_channel(bounds.queue_length);
        let jobs = Arc::new(Mutex::new(jobs));
        let waiting = Arc::new(AtomicUsize::new(0));
        for number in 0..bounds.threads {
            let (jobs, waiting, patience) = (Arc::clone(&jobs), Arc::clone(&waiting), bounds.patience);
            thread::Builder::new()
                .name(format!("hashing-{number}"))
                .spawn(move || work_off(&jobs, &waiting, patience))
                .map_err(|_| StartError::Thread)?;
        }
        Ok(Self {
            queue,
            waiting,
            random,
            cost,
        })
    }

    /// The bcrypt hash (`$2b$`) of a password.
    pub async fn hash(&self, password: SecretString) -> Result<String, Error> {
        let work = Work::Hash {
            salt: self.random.bytes(),
        };
        match self.ask(&password, work).await? {
            Outcome::Hashed(hash) => Ok(hash),
            Outcome::Verified(_) => Err(Error::Stopped),
        }
    }

    /// Whether a password is the one of a stored hash (`$2a$`, `$2b$`, `$2y$`); with `None`, for an account that does not
    /// exist or has no password, it does the same work and does not match.
    pub async fn verify(&self, password: SecretString, stored: Option<String>) -> Result<Verification, Error> {
        match self.ask(&password, Work::Verify { stored }).await? {
            Outcome::Verified(verification) => Ok(verification),
            Outcome::Hashed(_) => Err(Error::Stopped),
        }
    }

    /// How many passwords wait or are being hashed.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    async fn ask(&self, password: &SecretString, work: Work) -> Result<Outcome, Error> {
        let (answer, outcome) = oneshot::channel();
        let job = Job {
            password: normalised(password)?,
            work,
            cost: self.cost,
            queued: Instant::now(),
            answer,
        };
        // Counted before it is sent, or a quick thread would count it out first.
        count(&self.waiting, 1);
        if let Err(error) = self.queue.try_send(job) {
            count(&self.waiting, -1);
            return Err(match error {
                TrySendError::Full(_) => Error::Busy,
                TrySendError::Disconnected(_) => Error::Stopped,
            });
        }
        outcome.await.map_err(|_| Error::Stopped)?
    }
}

/// The password as it is hashed, or what is wrong with it; a fact about the password alone, so it may be told at once.
fn normalised(password: &SecretString) -> Result<Zeroizing<String>, Error> {
    let password = password.expose_secret();
    // Normalising can shorten a text by a third at most, so a body of a mebibyte is refused before any work.
    if password.len() > MAX_PASSWORD_BYTES * 4 {
        return Err(Error::TooLong);
    }
    let password = Zeroizing::new(password.nfc().collect::<String>());
    if password.len() > MAX_PASSWORD_BYTES {
        return Err(Error::TooLong);
    }
    if password.contains('\0') {
        return Err(Error::Nul);
    }
    Ok(password)
}

fn work_off(jobs: &Mutex<Receiver<Job>>, waiting: &AtomicUsize, patience: Duration) {
    // A thread of its own priority exists on Linux; where it cannot be lowered the work is done all the same.
    let _ = rustix::process::nice(NICENESS);
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // Whoever has gone away needs no answer.
        if !job.answer.is_closed() {
            let is_late = job.queued.elapsed() >= patience;
            let outcome = if is_late { Err(Error::Busy) } else { job.outcome() };
            let _ = job.answer.send(outcome);
        }
        count(waiting, -1);
    }
}

fn count(waiting: &AtomicUsize, by: isize) {
    let now = waiting
        .fetch_add(by.cast_unsigned(), Ordering::AcqRel)
        .wrapping_add_signed(by);
    metrics::gauge!("authd_hashing_queue_length").set(now as f64);
}

impl Job {
    fn outcome(&self) -> Result<Outcome, Error> {
        match &self.work {
            Work::Hash { salt } => {
                worked(self.cost);
                bcrypt::hash_with_salt(&*self.password, self.cost, *salt)
                    .map(|parts| Outcome::Hashed(parts.to_string()))
                    .map_err(|_| Error::Stopped)
            }
            Work::Verify { stored } => self.verify(stored.as_deref()).map(Outcome::Verified),
        }
    }

    fn verify(&self, stored: Option<&str>) -> Result<Verification, Error> {
        let usable = stored.and_then(|hash| accepted_cost(hash).map(|cost| (hash, cost)));
        let Some((hash, cost)) = usable else {
            self.spend(self.cost);
            return match stored {
                Some(_) => Err(Error::StoredHash),
                None => Ok(Verification {
                    matches: false,
                    needs_rehash: false,
                }),
            };
        };
        worked(cost);
        let matches = bcrypt::verify(&*self.password, hash).unwrap_or(false);
        if !matches {
            // Work doubles with the cost, so these sum up to what the configured cost takes.
            (cost..self.cost).for_each(|cost| self.spend(cost));
        }
        Ok(Verification {
            matches,
            needs_rehash: matches && cost < self.cost,
        })
    }

    /// Does the work of one verification at `cost`.
    fn spend(&self, cost: u32) {
        worked(cost);
        std::hint::black_box(bcrypt::hash_with_salt(&*self.password, cost, [0; 16]).is_ok());
    }
}

/// Counts what a hash of this cost takes.
fn worked(cost: u32) {
    metrics::counter!("authd_password_rounds_total").increment(1 << cost.min(MAX_COST));
}

/// Whether a password can be held against a stored hash.
#[must_use]
pub fn accepts(hash: &str) -> bool {
    accepted_cost(hash).is_some()
}

/// The cost of a stored hash that we accept.
fn accepted_cost(hash: &str) -> Option<u32> {
    // `$2x$` marks hashes of an implementation that was broken.
    let is_accepted = ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| hash.starts_with(prefix));
    let parts: HashParts = hash.parse().ok().filter(|_| is_accepted)?;
    Some(parts.get_cost()).filter(|cost| (MIN_COST..=MAX_COST).contains(cost))
}
