//! Who is calling? The credential that a request shows, and the principal that stands behind it.
//!
//! What was worked out once is remembered under a hash of the whole credential, for as long as nothing that it rests on changed:
//! the Snapshot, the accounts, the clock. Revocation is asked on every use.

pub mod api_key;
pub mod assertion;
pub mod caller;
pub mod credential;
pub mod headers;
pub mod issued;
pub mod session;

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use policy::principal::Identity;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::app::App;
use crate::serving::Serving;
use crate::shared::{Attempt, Limited, Purpose};
use crate::store;
use crate::token;
pub use caller::{Caller, Means};
pub use credential::Credential;

/// How many callers are remembered.
const REMEMBERED_CALLERS: usize = 32_768;

/// Callers that were identified before, by a hash of what they showed.
#[derive(Debug)]
pub struct Remembered {
    callers: Cache<[u8; 32], Arc<Caller>>,
    /// How often some were forgotten.
    forgotten: AtomicU64,
}

impl Default for Remembered {
    fn default() -> Self {
        Self {
            callers: Cache::new(REMEMBERED_CALLERS),
            forgotten: AtomicU64::new(0),
        }
    }
}

impl Remembered {
    /// Remembers a caller, unless some were forgotten since it was asked who that is.
    fn keep(&self, hash: [u8; 32], caller: &Arc<Caller>, forgotten: u64) {
        let is_so = || self.forgotten.load(Ordering::Acquire) == forgotten;
        if is_so() {
            self.callers.insert(hash, Arc::clone(caller));
        }
        if !is_so() {
            self.callers.remove(&hash);
        }
    }

    /// Works out again who the callers of these accounts are. All others stay known, also while the database is away.
    pub fn forget(&self, accounts: &[Uuid]) {
        // Counted first: whoever is identified at the same time sees it, or is seen by what follows.
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        let accounts: HashSet<String> = accounts.iter().map(Uuid::to_string).collect();
        self.callers.retain(|_, caller| match caller.principal.identity() {
            Identity::User(user) => !accounts.contains(&user.id),
            Identity::Anonymous | Identity::Service(_) => true,
        });
    }
}

/// Why a credential is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is malformed.
    #[error(transparent)]
    Malformed(#[from] credential::Malformed),
    /// The token is none of ours, or no longer good.
    #[error(transparent)]
    Token(#[from] token::Error),
    /// It was revoked.
    #[error("the session is over")]
    Revoked,
    /// The session was not used for too long, or is older than sessions get.
    #[error("the session has expired")]
    SessionExpired,
    /// The account is gone or disabled.
    #[error("the account is gone")]
    NoAccount,
    /// The provider or its mappings no longer admit the person.
    #[error("the account is not admitted")]
    NotAdmitted,
    /// No such key.
    #[error("the key is not known")]
    UnknownKey,
    /// The key has expired.
    #[error("the key has expired")]
    KeyExpired,
    /// The key is not valid yet, or is switched off.
    #[error("the key cannot be used now")]
    KeySuspended,
    /// Keys that people made for themselves are switched off.
    #[error("API keys are switched off")]
    KeysDisabled,
    /// A token of an issuer outside is not accepted.
    #[error(transparent)]
    Issued(#[from] issued::Error),
    /// The database does not answer.
    #[error("the database does not answer")]
    Unavailable(#[source] store::Error),
}

impl Error {
    /// The reason as audit lines and metrics name it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "Malformed",
            Self::Token(error) => error.reason(),
            Self::Revoked => "Revoked",
            Self::SessionExpired => "SessionExpired",
            Self::NoAccount => "NoAccount",
            Self::NotAdmitted => "NotAdmitted",
            Self::UnknownKey => "UnknownKey",
            Self::KeyExpired => "KeyExpired",
            Self::KeySuspended => "KeySuspended",
            Self::KeysDisabled => "KeysDisabled",
            Self::Issued(error) => error.reason(),
            Self::Unavailable(_) => "Unavailable",
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Unavailable(error)
    }
}

/// Who shows this credential.
///
/// # Errors
/// The credential is not accepted. Nothing shown at all is nobody in particular, which is no error.
pub async fn identify(app: &App, serving: &Serving, credential: Credential<'_>) -> Result<Arc<Caller>, Error> {
    let shown = match credential {
        Credential::None => return Ok(serving.anonymous()),
        Credential::Malformed(malformed) => return Err(Error::Malformed(malformed)),
        Credential::Token(text) | Credential::Cookie(text) | Credential::Key(text) => text,
    };
    let hash: [u8; 32] = Sha256::digest(shown).into();
    if let Some(caller) = app.remembered.callers.get(&hash)
        && caller.is_current(serving.generation, app.epoch())
        && caller.may_come_in(credential)
    {
        match caller.confirm(app) {
            // Another replica may have seen them since.
            Err(Error::SessionExpired) if app.store.is_shared() => {}
            confirmed => return confirmed.map(|()| caller),
        }
    }
    let (epoch, forgotten) = (app.epoch(), app.remembered.forgotten.load(Ordering::Acquire));
    // Boxed, as the database's futures are large and every request would carry room for them.
    let caller = match credential {
        Credential::Key(_) => Box::pin(api_key::identify(app, serving, &hash, epoch)).await?,
        Credential::Token(_) => match issued::issuer(serving, shown) {
            Some(issuer) => issued::identify(app, serving, issuer, shown, epoch)?,
            None => Box::pin(session::identify(app, serving, shown, epoch)).await?,
        },
        _ => Box::pin(session::identify(app, serving, shown, epoch)).await?,
    };
    let caller = Arc::new(caller);
    caller.confirm(app)?;
    app.remembered.keep(hash, &caller, forgotten);
    Ok(caller)
}

/// The name of the API key that is shown, if one is and it is known, whether it is accepted or not.
#[must_use]
pub fn key_name(app: &App, serving: &Serving, credential: Credential<'_>) -> Option<String> {
    match credential {
        Credential::Key(text) => api_key::name(app, serving, &Sha256::digest(text).into()),
        _ => None,
    }
}

/// Counts a wrong key against the address that showed it. Keys that are known are never held up.
///
/// # Errors
/// Too many came from there.
pub fn count_guess(app: &App, serving: &Serving, address: Option<IpAddr>, error: &Error) -> Result<(), Limited> {
    if let (Error::UnknownKey, Some(address)) = (error, address) {
        // Nobody who asks about a request waits for Redis.
        serving
            .limits
            .reserve_here(
                Attempt {
                    purpose: Purpose::ApiKey,
                    account: None,
                    address,
                },
                app.now(),
            )?
            .failed();
    }
    Ok(())
}
