//! Everything that a request needs, in one place.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use policy::Engine;
use secrecy::SecretBox;
use uuid::Uuid;

use crate::audit::{Audit, Event, Kind, Outcome};
use crate::clock::Clock;
use crate::gate::counts::Counts;
use crate::health::Health;
use crate::identity::Remembered;
use crate::identity::api_key::PersonalKeys;
use crate::identity::issued::Issuers;
use crate::login::oidc::Relying;
use crate::public_halves::PublicHalves;
use crate::random::Random;
use crate::serving::{self, Means, Serving};
use crate::shared::{Guesses, Redis, Reservation, Revocations, Revoked};
use crate::store::{self, Store};
use crate::store::{Ended, NewUser, Revocation, RevocationKind};
use crate::telemetry::with_causes;

#[cfg(test)]
mod tests;

/// For how long what was heard of revocations counts as all there is, in milliseconds: within this they are with every replica.
const KNOWN_FOR: i64 = 5000;

/// Everything that a request needs.
#[derive(Debug)]
pub struct App {
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub random: Random,
    /// Durable rows.
    pub store: Store,
    /// The record of who did what.
    pub audit: Audit,
    /// What was revoked.
    pub revocations: Revocations,
    /// Callers that were identified before.
    pub remembered: Remembered,
    /// How many checks there were.
    pub checks: Counts,
    /// When sessions and keys were last used.
    pub uses: crate::uses::Uses,
    /// Guesses that failed.
    pub guesses: Guesses,
    /// By which replicas hear of each other at once.
    pub redis: Option<Redis>,
    /// Keys that people made for themselves.
    pub personal_keys: PersonalKeys,
    /// Issuers whose tokens programs show, and their keys.
    pub issuers: Issuers,
    /// What is known of OpenID providers.
    pub relying: Relying,
    /// Signing keys of other replicas.
    pub public_halves: PublicHalves,
    /// How the providers fare.
    pub health: Health,
    data: PathBuf,
    form_key: SecretBox<[u8; 32]>,
    sealing_key: SecretBox<[u8; 32]>,
    serving: ArcSwapOption<Serving>,
    epoch: AtomicU64,
    position: AtomicI64,
    heard_at: AtomicI64,
    leaving: AtomicBool,
}

/// What an [`App`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub random: Random,
    /// Durable rows.
    pub store: Store,
    /// The record of who did what.
    pub audit: Audit,
    /// Where signing keys and secrets of our own are kept.
    pub data: PathBuf,
    /// The secrets of our own.
    pub secrets: crate::own_secrets::OwnSecrets,
    /// By which replicas hear of each other at once, where there is one.
    pub redis: Option<Redis>,
}

/// A Snapshot could not be put to use.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be served.
    #[error(transparent)]
    Serving(#[from] serving::Error),
    /// The database does not take part.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The first administrator's password could not be hashed.
    #[error("the password of `bootstrapAdmin`: {0}")]
    Password(#[from] crate::login::hashing::Error),
}

impl App {
    /// Loads what must be in memory: revocations, failed guesses and keys.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn start(parts: Parts) -> Result<Self, store::Error> {
        let now = parts.clock.now();
        // Asked first: what comes after it is read again.
        let position = parts.store.position().await?;
        let revocations = Revocations::new();
        let remember = |revocation| put(&revocations, revocation);
        parts.store.each_active_revocation(now, remember).await?;
        let keys = parts.store.all_active_keys(now).await?;
        let guesses = Guesses::restored(&parts.secrets.guesses, &parts.store, now).await?;
        Ok(Self {
            guesses,
            redis: parts.redis,
            personal_keys: PersonalKeys::new(&parts.secrets.key_hash, keys),
            form_key: parts.secrets.forms,
            sealing_key: parts.secrets.sealing,
            issuers: Issuers::default(),
            relying: Relying::default(),
            public_halves: PublicHalves::default(),
            health: Health::default(),
            clock: parts.clock,
            random: parts.random,
            store: parts.store,
            audit: parts.audit,
            data: parts.data,
            revocations,
            remembered: Remembered::default(),
            checks: Counts::new(),
            uses: crate::uses::Uses::default(),
            serving: ArcSwapOption::empty(),
            epoch: AtomicU64::new(0),
            position: AtomicI64::new(position),
            heard_at: AtomicI64::new(now.as_millisecond()),
            leaving: AtomicBool::new(false),
        })
    }

    /// What is served right now; `None` before the first Snapshot.
    #[must_use]
    pub fn serving(&self) -> Option<Arc<Serving>> {
        self.serving.load_full()
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Now, by the clock of all replicas of one database: what is taken or forgotten by it is so for all of them.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn now_of_all(&self) -> Result<Timestamp, store::Error> {
        self.store.time(self.now()).await
    }

    /// Where signing keys and secrets of our own are kept.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Puts a Snapshot to use: all of it, or nothing of it.
    ///
    /// # Errors
    /// It cannot be used; what was served goes on.
    pub async fn put_to_use(&self, engine: Engine) -> Result<Arc<Serving>, Error> {
        let before = self.serving.load_full();
        let means = Means {
            data: &self.data,
            random: &self.random,
            form_key: &self.form_key,
            sealing_key: &self.sealing_key,
            guesses: &self.guesses,
            redis: self.redis.as_ref(),
            now: self.now(),
        };
        let serving = Arc::new(Serving::prepare(engine, before.as_deref(), &means)?);
        self.bootstrap(&serving).await?;
        self.serving.store(Some(Arc::clone(&serving)));
        metrics::gauge!("authd_snapshot_generation")
            .set(f64::from(u32::try_from(serving.generation).unwrap_or(u32::MAX)));
        let mut event = Event::new(self.now(), Kind::ConfigLoaded, Outcome::Success);
        event.snapshot_digest = Some(serving.engine.digest().to_owned());
        self.audit.record(event);
        Ok(serving)
    }

    /// Makes the first administrator, when there is none and one is declared.
    async fn bootstrap(&self, serving: &Serving) -> Result<(), Error> {
        let Some(admin) = &serving.settings().bootstrap_admin else {
            return Ok(());
        };
        if self.store.oldest_admin().await?.is_some() {
            return Ok(());
        }
        let password = String::from_utf8_lossy(policy::secret::expose(&admin.password)).into_owned();
        let hash = serving.hashing.hash(password.into()).await?;
        let now = self.now();
        let user = NewUser {
            id: self.random.id(now),
            email: admin.email.clone(),
            email_verified: true,
            name: admin.name.clone(),
            role: store::Role::Admin,
            password_hash: Some(hash.into()),
            profile_image_url: "/user.png".to_owned(),
            created_at: now,
        };
        if let Some(user) = self.store.bootstrap_admin(&user).await? {
            let mut event = Event::new(now, Kind::UserCreated, Outcome::Success);
            event.reason = Some("BootstrapAdmin");
            event.subject_id = Some(user.id.to_string());
            self.audit.record(event);
        }
        Ok(())
    }

    /// Whether new requests should go elsewhere, as this process is about to stop.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    /// Says that new requests should go elsewhere. Those that come are answered as before.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
    }

    /// Counts changes that concern every account: what was remembered of callers before one is worked out again.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Says that something changed that concerns every account.
    pub fn accounts_changed(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Says that an account changed, after the store has made that durable.
    pub fn account_changed(&self, account: Uuid) {
        self.remembered.forget(&[account]);
        self.hint();
    }

    /// Tells the other replicas that there is something new in the database. They look by themselves too, only later.
    fn hint(&self) {
        if let Some(redis) = &self.redis {
            redis.hint();
        }
    }

    /// Returns when another replica says that there is something new in the database.
    pub async fn hinted(&self) {
        match &self.redis {
            Some(redis) => redis.hinted().await,
            None => std::future::pending().await,
        }
    }

    /// Up to which position what replicas wrote is in memory.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.position.load(Ordering::Acquire)
    }

    /// Whether it may be that something was revoked of which this replica has not heard: for too long the database did not answer.
    #[must_use]
    pub fn may_be_behind(&self) -> bool {
        let heard_at = self.heard_at.load(Ordering::Acquire);
        self.now().as_millisecond().saturating_sub(heard_at) > KNOWN_FOR
    }

    /// Puts into memory what replicas wrote since the last time, this one among them, and says whether there was anything.
    ///
    /// # Errors
    /// The database does not answer; what is in memory stays.
    pub async fn catch_up(&self) -> Result<bool, store::Error> {
        let (mut is_new, asked_at) = (false, self.now());
        loop {
            let known = self.position();
            let Some(changes) = self.store.changes_since(known).await? else {
                self.read_again().await?;
                is_new = true;
                continue;
            };
            if changes.position == known {
                self.heard_at.store(asked_at.as_millisecond(), Ordering::Release);
                return Ok(is_new);
            }
            is_new = true;
            for revocation in &changes.revocations {
                put(&self.revocations, *revocation);
            }
            for account in &changes.accounts {
                let keys = self.store.active_keys_of(*account, self.now()).await?;
                self.personal_keys.are(*account, keys);
            }
            if !changes.accounts.is_empty() {
                self.remembered.forget(&changes.accounts);
            }
            // Then asked again: what was written while keys were read counts.
            self.position.store(changes.position, Ordering::Release);
        }
    }

    /// Reads everything again that is kept in memory of the database, after so many changes that some are not kept any more.
    async fn read_again(&self) -> Result<(), store::Error> {
        // Asked first: what comes after it is read again.
        let position = self.store.position().await?;
        let remember = |revocation| put(&self.revocations, revocation);
        self.store.each_active_revocation(self.now(), remember).await?;
        self.personal_keys
            .are_all(self.store.all_active_keys(self.now()).await?);
        self.accounts_changed();
        self.position.store(position, Ordering::Release);
        Ok(())
    }

    /// Counts a guess that was wrong. It is on the disk before whoever guessed is told, so that a restart forgets none.
    pub async fn failed(&self, reservation: Reservation) {
        reservation.failed();
        if let Err(error) = self.guesses.write_down(&self.store).await {
            tracing::warn!(
                error = with_causes(&error),
                "failed guesses were not written down: they count until the next restart"
            );
        }
    }

    /// Puts into memory what a change of an account ended, after the store has made it durable.
    pub fn end(&self, account: Uuid, ended: &Ended) {
        for hash in &ended.keys {
            self.personal_keys.forget(hash);
        }
        self.revoke(&ended.revocations);
        self.account_changed(account);
    }

    /// Puts revocations into memory that the store has made durable. The accounts stay as they are, so that callers who were
    /// remembered stay so: whether they are revoked is asked on every use.
    pub fn revoke(&self, revocations: &[Revocation]) {
        for revocation in revocations {
            put(&self.revocations, *revocation);
        }
        self.hint();
        metrics::counter!("authd_sessions_revoked_total").increment(u64::try_from(revocations.len()).unwrap_or(0));
    }

    /// The same for very many, of which this replica hears as all others do.
    ///
    /// # Errors
    /// The database does not answer: it hears of them later.
    pub async fn revoke_many(&self, count: u64) -> Result<(), store::Error> {
        self.hint();
        metrics::counter!("authd_sessions_revoked_total").increment(count);
        self.catch_up().await.map(drop)
    }
}

/// Puts a revocation into memory.
fn put(revocations: &Revocations, revocation: Revocation) {
    let kind = match revocation.kind {
        RevocationKind::Session => Revoked::Session,
        RevocationKind::Token => Revoked::Token,
    };
    revocations.revoke(kind, revocation.id, revocation.expires_at);
}
