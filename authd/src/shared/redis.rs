//! What do replicas tell each other by Redis? That there is something new in the database (`redis/hints.rs`), and how often somebody
//! has guessed (`redis/limits.rs`).
//!
//! Nothing in it is believed on its own: a hint is followed by a look at the database, and the limits of each replica hold too. So it
//! may be away, empty, behind or wrong, and whatever it says lets nobody in. Nobody waits for it for longer than [`BUDGET`], and no
//! check of a request asks it at all.
//!
//! The client is our own: seven commands and their answers, which are bounded, and one place that decides which server is asked.

mod breaker;
mod connection;
mod conversation;
mod failure;
mod hints;
mod limits;
mod resp;
mod seek;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use policy::redis::Address;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::authorities;
use crate::random::Random;
use breaker::Breaker;
use conversation::Conversation;
use failure::Failure;
use resp::Reply;
use seek::Seeker;

pub(crate) use limits::{Place, Said};

/// How long an answer is waited for where people wait for theirs.
pub const BUDGET: Duration = Duration::from_millis(50);
/// How often it is asked whether it is there: while it is, so that this is known before somebody needs it, and while it is not.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// A Redis that replicas share; clones are the same.
#[derive(Clone, Debug)]
pub struct Redis(Arc<Peer>);

/// Where a Redis is, and what in it is ours.
#[derive(Debug)]
pub struct Peer {
    seeker: Seeker,
    reckoning: Reckoning,
    /// This process, among those that use the same Redis.
    id: String,
    /// The number of the next guess.
    next: AtomicU64,
    conversation: ArcSwapOption<Conversation>,
    breaker: Breaker,
    /// Whether the last guess was not counted though it answers.
    refusing: AtomicBool,
    hinted: Notify,
}

/// How a Redis is used.
#[derive(Clone, Debug)]
pub struct Usage {
    /// What names of keys and channels begin with.
    pub prefix: String,
    /// Whose clock counts.
    pub reckoning: Reckoning,
    /// How long an answer is waited for.
    pub budget: Duration,
}

/// Whose clock counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reckoning {
    /// That of Redis: one for all replicas, however far apart theirs are.
    Redis,
    /// The caller's, who says what time it is.
    Caller,
}

impl Redis {
    /// A Redis at an address; certificates are believed that these authorities (PEM; `None`: the system's) signed. Nothing is connected
    /// before [`Self::keep`].
    ///
    /// # Errors
    /// The authorities cannot be used: the text says why.
    pub fn new(address: Address, authorities: Option<&[u8]>, usage: Usage, random: &Random) -> Result<Self, String> {
        let tls = authorities::client(authorities)?.with_no_client_auth();
        let Usage {
            prefix,
            reckoning,
            budget,
        } = usage;
        Ok(Self(Arc::new(Peer {
            seeker: Seeker {
                address,
                tls: Arc::new(tls),
                prefix,
                budget,
            },
            reckoning,
            id: random.hex(8),
            next: AtomicU64::new(0),
            conversation: ArcSwapOption::empty(),
            breaker: Breaker::default(),
            refusing: AtomicBool::new(false),
            hinted: Notify::new(),
        })))
    }

    /// Connects, and connects again, until the stop. Says in the log whenever it begins or ceases to answer.
    pub async fn keep(&self, stop: CancellationToken) {
        let mut probes = tokio::time::interval(PROBE_EVERY);
        probes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut standing = Standing::Unknown;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = probes.tick() => {}
            }
            let failure = tokio::select! {
                () = stop.cancelled() => return,
                failure = self.converse(&mut standing) => failure,
            };
            self.0.conversation.store(None);
            standing.becomes_away(&failure);
        }
    }

    /// Whether it answers.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.0.conversation.load().is_some()
    }

    /// Connects and lets questions through, until there are no more answers.
    async fn converse(&self, standing: &mut Standing) -> Failure {
        let connection = match self.0.seeker.found().await {
            Ok(connection) => connection,
            Err(failure) => return failure,
        };
        let (conversation, talk) = Conversation::begin(connection);
        let opened = self.0.breaker.open();
        self.0.conversation.store(Some(Arc::new(conversation)));
        standing.becomes_there();
        tokio::select! {
            failure = talk => failure,
            () = opened => Failure::Late,
            failure = self.pulse() => failure,
        }
    }

    /// Asks now and then, so that it is known whether anybody answers.
    async fn pulse(&self) -> Failure {
        let mut pulse = tokio::time::interval(PROBE_EVERY);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pulse.tick().await;
            let _ = self.ask(resp::command([b"PING".as_slice()])).await;
        }
    }

    /// Asks, unless it did not answer before.
    async fn ask(&self, command: Vec<u8>) -> Result<Reply, Failure> {
        let conversation = self.0.conversation.load_full();
        let answered = match conversation {
            None => Err(Failure::Away),
            Some(conversation) => seek::within(self.0.seeker.budget, conversation.ask(command)).await,
        };
        match &answered {
            Ok(_) => {
                self.0.breaker.answered();
                count("answered");
            }
            Err(failure) => self.0.complain(failure),
        }
        answered
    }

    /// Says something, if there is anybody.
    fn tell(&self, command: Vec<u8>) {
        if let Some(conversation) = &*self.0.conversation.load() {
            conversation.tell(command);
        }
    }
}

impl Peer {
    /// Counts a question that brought nothing. That it did not answer is said where connections are made.
    fn complain(&self, failure: &Failure) {
        count(failure.outcome());
        match failure {
            Failure::Away | Failure::Refused(_) | Failure::Nonsense => {}
            _ => self.breaker.missed(),
        }
    }
}

/// What was last said in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Unknown,
    There,
    Away,
}

impl Standing {
    fn becomes_there(&mut self) {
        metrics::gauge!("authd_redis_answers").set(1);
        if *self != Self::There {
            *self = Self::There;
            tracing::info!("Redis answers: replicas hear of each other at once, and count failed guesses together");
        }
    }

    fn becomes_away(&mut self, failure: &Failure) {
        metrics::gauge!("authd_redis_answers").set(0);
        if *self != Self::Away {
            *self = Self::Away;
            tracing::error!(
                %failure,
                "Redis does not answer: replicas hear of each other by the database, and each counts failed guesses by itself"
            );
        }
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("authd_redis_calls_total", "outcome" => outcome).increment(1);
}
