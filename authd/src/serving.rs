//! What is served right now: one Engine and what its settings call for, swapped whole.
//!
//! Each request takes one [`Serving`] at the top and passes it down, so that every decision is made by exactly one Snapshot.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use policy::engine::{Context, Decision, DecisionKey};
use policy::snapshot::Settings;
use policy::{Engine, Principal, Target};
use quick_cache::sync::Cache;
use secrecy::{ExposeSecret as _, SecretBox};
use url::Url;

use crate::cookie;
use crate::identity::headers::{self, Headers};
use crate::identity::{Caller, Means as Shown};
use crate::login::directory::Directory;
use crate::login::hashing::Hashing;
use crate::login::policy::Policy;
use crate::pages::Site;
use crate::pages::csrf::{Csrf, Transport};
use crate::proxy_auth::{self, Secured};
use crate::random::Random;
use crate::seal::{Keyring, NoKey};
use crate::shared::{Guesses, RateLimits, Redis};
use crate::token::keys::Schedule;
use crate::token::{self, KeyRing, Lifetime, Tokens};

/// How many decisions are remembered; the least useful go first.
const REMEMBERED_DECISIONS: usize = 65_536;

/// What is served right now.
#[derive(Debug)]
pub struct Serving {
    /// Counts the Snapshots that were put to use since the start, from 1.
    pub generation: u64,
    /// Answers questions.
    pub engine: Engine,
    /// Signs and verifies session tokens.
    pub tokens: Tokens,
    /// The keys behind the tokens.
    pub key_ring: Arc<KeyRing>,
    /// Protects forms.
    pub csrf: Csrf,
    /// Seals what is kept where others can read it.
    pub sealing: Keyring,
    /// What pages say of the instance.
    pub site: Site,
    /// Where people reach the pages.
    pub public_url: Url,
    /// Failures to sign in.
    pub limits: RateLimits,
    /// The pool that hashes passwords.
    pub hashing: Arc<Hashing>,
    /// What a new password must be like.
    pub passwords: Policy,
    /// The directories that people sign in with, by provider.
    pub directories: BTreeMap<String, Arc<Directory>>,
    headers: Headers,
    anonymous: Arc<Caller>,
    /// The TLS of the listeners that proxies ask on; `None`: plain.
    pub secured: Option<Arc<Secured>>,
    decisions: Cache<DecisionKey, Arc<Decision>>,
}

/// A Snapshot cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The signing keys cannot be used.
    #[error("signing keys: {0}")]
    Keys(#[from] token::keys::Error),
    /// The hashing pool does not start.
    #[error("passwords: {0}")]
    Hashing(#[from] crate::login::hashing::StartError),
    /// No key seals.
    #[error("`encryptionKeys`: {0}")]
    Sealing(#[from] NoKey),
    /// A name of an identity header cannot be used.
    #[error("identity headers: {0}")]
    Headers(#[from] headers::NotAName),
    /// The listeners that proxies ask on cannot speak TLS.
    #[error("`proxyAuth.tls`: {0}")]
    ProxyTls(#[from] crate::listen::tls::Error),
    /// `publicUrl` is not a URL.
    #[error("`publicUrl` is not a URL: {0}")]
    PublicUrl(#[from] url::ParseError),
}

/// What a [`Serving`] is made with, beside the Engine.
#[derive(Clone, Debug)]
pub struct Means<'a> {
    /// Where signing keys are kept.
    pub data: &'a Path,
    /// Randomness.
    pub random: &'a Random,
    /// The key of form tokens.
    pub form_key: &'a SecretBox<[u8; 32]>,
    /// The key that seals where none is declared.
    pub sealing_key: &'a SecretBox<[u8; 32]>,
    /// Guesses that failed, whatever the limits are now.
    pub guesses: &'a Guesses,
    /// By which replicas count together.
    pub redis: Option<&'a Redis>,
    /// Now.
    pub now: Timestamp,
}

impl Serving {
    /// Prepares an Engine for use; what the settings did not change is taken over from the one before.
    ///
    /// # Errors
    /// Something in it cannot be used; the one before is to be kept.
    pub fn prepare(engine: Engine, before: Option<&Self>, means: &Means<'_>) -> Result<Self, Error> {
        let settings = engine.settings();
        let key_ring = key_ring(settings, before, means)?;
        let lifetime = lifetime(settings);
        let transport = if settings.is_secure() {
            Transport::Https
        } else {
            Transport::Http
        };
        let tokens = Tokens::new(
            Arc::clone(&key_ring),
            &settings.public_url,
            &settings.public_url,
            lifetime,
        );
        let headers = Headers::new(settings, cookie::longest(settings, tokens.longest()))?;
        let nobody = Principal::anonymous();
        let nobody_headers = headers.of(&nobody);
        Ok(Self {
            generation: before.map_or(1, |before| before.generation + 1),
            tokens,
            headers,
            anonymous: Arc::new(Caller::new(nobody, Shown::Nothing, nobody_headers, (0, 0), 0)),
            key_ring,
            csrf: Csrf::new(means.form_key, transport),
            sealing: sealing(settings, means)?,
            site: Site {
                name: settings.display_name.clone(),
            },
            public_url: Url::parse(&settings.public_url)?,
            limits: limits(settings, means),
            hashing: hashing(settings, before, means)?,
            passwords: Policy {
                min_length: usize::try_from(settings.passwords.min_length).unwrap_or(usize::MAX),
            },
            secured: proxy_auth::secured(
                settings,
                before.and_then(|before| Some((before.settings(), before.secured.as_ref()?))),
            )?,
            directories: directories(&engine, before),
            decisions: Cache::new(REMEMBERED_DECISIONS),
            engine,
        })
    }

    /// Decides, or remembers what was decided.
    #[must_use]
    pub fn decide(&self, principal: &Principal, target: &Target<'_>, context: &Context<'_>) -> Arc<Decision> {
        let slice = self.engine.slice(target);
        let Some(key) = slice.key(principal, target, context) else {
            return Arc::new(self.engine.decide_slice(&slice, principal, target, context));
        };
        if let Some(known) = self.decisions.get(&key) {
            return known;
        }
        let decision = Arc::new(self.engine.decide_slice(&slice, principal, target, context));
        self.decisions.insert(key, Arc::clone(&decision));
        decision
    }

    /// How the instance behaves.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        self.engine.settings()
    }

    /// How long tokens live.
    #[must_use]
    pub fn lifetime(&self) -> Lifetime {
        lifetime(self.settings())
    }

    /// Nobody in particular.
    #[must_use]
    pub fn anonymous(&self) -> Arc<Caller> {
        Arc::clone(&self.anonymous)
    }

    /// Somebody who was identified as of an epoch of the accounts, last seen at that second.
    #[must_use]
    pub fn caller(&self, principal: Principal, means: Shown, epoch: u64, seen: i64) -> Caller {
        let headers = self.headers.of(&principal);
        Caller::new(principal, means, headers, (self.generation, epoch), seen)
    }

    /// The name of the provider whose passwords authd keeps, if one is declared.
    #[must_use]
    pub fn password_provider(&self) -> Option<&str> {
        self.engine
            .providers()
            .find(|provider| provider.method.is_password())
            .map(|provider| provider.name.as_str())
    }

    /// Whether browsers send the session cookie to this host, which is in lower case and without a port.
    #[must_use]
    pub fn shares_cookie(&self, host: &str) -> bool {
        match &self.settings().cookie.domain {
            Some(domain) => {
                host == domain
                    || host
                        .strip_suffix(domain.as_str())
                        .is_some_and(|rest| rest.ends_with('.'))
            }
            None => self.public_url.host_str() == Some(host),
        }
    }

    /// Whether a browser may be sent to this host after signing in.
    #[must_use]
    pub fn may_return_to(&self, host: &str) -> bool {
        self.shares_cookie(host) && self.engine.governs(host)
    }
}

fn lifetime(settings: &Settings) -> Lifetime {
    match settings.tokens.lifetime {
        Some(seconds) => Lifetime::Limited(SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))),
        None => Lifetime::Unlimited,
    }
}

fn key_ring(
    settings: &Settings,
    before: Option<&Serving>,
    means: &Means<'_>,
) -> Result<Arc<KeyRing>, token::keys::Error> {
    let tokens = &settings.tokens;
    if let Some(before) = before {
        let old = &before.settings().tokens;
        if (old.algorithm, old.rotate_every, old.lifetime) == (tokens.algorithm, tokens.rotate_every, tokens.lifetime)
            && secrets(old).eq(secrets(tokens))
        {
            return Ok(Arc::clone(&before.key_ring));
        }
    }
    if let Some(secret) = &tokens.secret {
        let secret = SecretBox::new(policy::secret::expose(secret).to_vec().into_boxed_slice());
        return Ok(Arc::new(KeyRing::hs256(&secret)?));
    }
    if !tokens.signing_keys.is_empty() {
        let ring = KeyRing::given(&tokens.signing_keys, lifetime(settings), means.now)?;
        return Ok(Arc::new(ring));
    }
    let rotate_every = SignedDuration::from_secs(i64::try_from(tokens.rotate_every).unwrap_or(i64::MAX));
    let schedule = Schedule {
        rotate_every: Some(rotate_every),
        lifetime: lifetime(settings),
    };
    Ok(Arc::new(KeyRing::open(
        &means.data.join("signing-keys"),
        means.random.clone(),
        schedule,
        means.now,
    )?))
}

/// What tokens are signed with, as far as the Snapshot says, with the times of keys.
fn secrets(tokens: &policy::snapshot::Tokens) -> impl Iterator<Item = (&[u8], i64, i64)> {
    let secret = tokens
        .secret
        .iter()
        .map(|secret| (policy::secret::expose(secret), 0, 0));
    let keys = tokens.signing_keys.iter();
    secret.chain(keys.map(|key| (policy::secret::expose(&key.pair), key.made_at, key.signs_from)))
}

fn sealing(settings: &Settings, means: &Means<'_>) -> Result<Keyring, NoKey> {
    if settings.encryption_keys.is_empty() {
        return Keyring::new([&means.sealing_key.expose_secret()[..]]);
    }
    Keyring::new(settings.encryption_keys.iter().map(policy::secret::expose))
}

/// Directories whose settings stay the same keep their connections.
fn directories(engine: &Engine, before: Option<&Serving>) -> BTreeMap<String, Arc<Directory>> {
    let mut directories = BTreeMap::new();
    for provider in engine.providers() {
        let Some(settings) = provider.method.directory() else {
            continue;
        };
        let known = before.and_then(|before| before.directories.get(&provider.name));
        let known = known.filter(|known| known.is_as(settings)).map(Arc::clone);
        let directory = known.unwrap_or_else(|| Arc::new(Directory::new(settings)));
        directories.insert(provider.name.clone(), directory);
    }
    directories
}

fn limits(settings: &Settings, means: &Means<'_>) -> RateLimits {
    let limit = &settings.sign_in_limit;
    let window = SignedDuration::from_secs(i64::try_from(limit.window).unwrap_or(i64::MAX));
    let limit = usize::try_from(limit.limit).unwrap_or(usize::MAX);
    RateLimits::new(limit, window, means.guesses, means.redis)
}

fn hashing(
    settings: &Settings,
    before: Option<&Serving>,
    means: &Means<'_>,
) -> Result<Arc<Hashing>, crate::login::hashing::StartError> {
    match before {
        Some(before) if before.settings().passwords.bcrypt_cost == settings.passwords.bcrypt_cost => {
            Ok(Arc::clone(&before.hashing))
        }
        _ => Ok(Arc::new(Hashing::start(
            settings.passwords.bcrypt_cost,
            means.random.clone(),
        )?)),
    }
}
