//! From a token of an issuer outside to the program that shows it (AuthProvider `jwt`): an issuer that is declared, a key of its own,
//! and a token that is for us and good now.
//!
//! A decision never waits for keys: they are fetched beforehand and in the background ([`Issuers::follow`]), and a token that names a
//! key that is not there yet is refused. No account and no session is made.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use policy::engine::{AccountRole, Admission};
use policy::snapshot::{Jwt, Method, Provider};
use policy::{Principal, Said};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Caller, Means};
use crate::app::App;
use crate::issuer::cached::{Cached, Wanted};
use crate::issuer::discovery;
use crate::issuer::jwt::{self, Token};
use crate::issuer::kept::Kept;
use crate::issuer::keys::{self, Keys};
use crate::issuer::shown::{self, Expected, Kind};
use crate::outbound::{self, Outbound};
use crate::serving::Serving;

/// How often it is looked whether keys are old, or an issuer is new.
const EVERY: Duration = Duration::from_secs(1);

/// Why a token of an issuer outside is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It cannot be read in one way.
    #[error("the token cannot be read in one way")]
    Malformed,
    /// It is signed in a way that the AuthProvider of its issuer does not allow.
    #[error("the token is signed in a way that was not agreed on")]
    UnknownAlgorithm,
    /// No key of the issuer has its name and algorithm.
    #[error("no key of the issuer fits the token")]
    UnknownKey,
    /// No key of the issuer signed it.
    #[error("the token's signature does not hold")]
    BadSignature,
    /// It is not of the right kind, for us, or good now.
    #[error(transparent)]
    Shown(#[from] shown::Error),
    /// The keys of its issuer were never to be had.
    #[error("the issuer's keys are not there")]
    NoKeys,
    /// The mappings admit no program like this.
    #[error("the program is not admitted")]
    NotAdmitted,
}

impl Error {
    /// The reason as audit lines and metrics name it.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "Malformed",
            Self::UnknownAlgorithm => "UnknownAlgorithm",
            Self::UnknownKey => "UnknownKey",
            Self::BadSignature => "BadSignature",
            Self::Shown(error) => error.reason(),
            Self::NoKeys => "NoKeys",
            Self::NotAdmitted => "NotAdmitted",
        }
    }
}

impl From<jwt::Error> for Error {
    fn from(error: jwt::Error) -> Self {
        match error {
            jwt::Error::Malformed => Self::Malformed,
            jwt::Error::Algorithm => Self::UnknownAlgorithm,
            jwt::Error::NoKey => Self::UnknownKey,
            jwt::Error::Signature => Self::BadSignature,
        }
    }
}

/// The issuers, with their keys.
#[derive(Debug, Default)]
pub struct Issuers {
    known: Kept<Issuer>,
    missed: Notify,
}

#[derive(Debug)]
struct Issuer {
    settings: Jwt,
    outbound: Result<Outbound, outbound::Error>,
    keys_at: Cached<Url, discovery::Error>,
    keys: Cached<Keys, keys::Error>,
    /// Whether a token named a key that was not there.
    missed: AtomicBool,
    /// Why the keys cannot be had, as it was said last.
    complaint: Mutex<Option<Unreached>>,
}

/// Why the keys of an issuer cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Unreached {
    #[error(transparent)]
    Outbound(#[from] outbound::Error),
    #[error(transparent)]
    Discovery(#[from] discovery::Error),
    #[error(transparent)]
    Keys(#[from] keys::Error),
}

/// The issuer that a token names, if one of that name is declared. Nothing of the token is believed yet.
#[must_use]
pub fn issuer<'a>(serving: &'a Serving, token: &str) -> Option<(&'a Provider, &'a Jwt)> {
    let mut issuers = declared(serving).peekable();
    issuers.peek()?;
    let named = jwt::issuer(token)?;
    issuers.find(|(_, issuer)| issuer.issuer == named)
}

fn declared(serving: &Serving) -> impl Iterator<Item = (&Provider, &Jwt)> {
    serving
        .engine
        .providers()
        .filter_map(|provider| match &provider.method {
            Method::Jwt(issuer) => Some((provider, issuer.as_ref())),
            _ => None,
        })
}

/// The program that shows a token of this issuer.
///
/// # Errors
/// The token is not accepted.
pub(super) fn identify(
    app: &App,
    serving: &Serving,
    (provider, settings): (&Provider, &Jwt),
    text: &str,
    epoch: u64,
) -> Result<Caller, Error> {
    let issuer = app.issuers.issuer(provider, settings);
    let token = Token::read(text, &settings.algorithms)?;
    let Some((keys, _)) = issuer.keys.held(app.now()) else {
        app.issuers.missed.notify_one();
        return Err(Error::NoKeys);
    };
    if !token.has_key(&keys) {
        issuer.missed.store(true, Ordering::Relaxed);
        app.issuers.missed.notify_one();
    }
    Kind::Access.is_named(token.typ.as_deref())?;
    let claims = token.verified(&keys)?;
    let now = app.now().as_second();
    let expected = Expected {
        issuer: &settings.issuer,
        audiences: &settings.audiences,
        kind: Kind::Access,
    };
    let good = shown::check(&claims, &expected, now)?;
    let said = Said::read(provider, &Value::Object(claims));
    let admission = serving.engine.admit(&provider.name, &said.claims, AccountRole::Pending);
    let Admission::Admitted { roles, mut groups } = admission else {
        return Err(Error::NotAdmitted);
    };
    if let Some(sync) = &provider.groups {
        let named = said.groups.unwrap_or_default();
        groups.extend(named.into_iter().filter(|group| !sync.ignores(group)));
    }
    let principal = Principal::machine(name(&provider.name, &good.subject), roles, groups);
    let means = Means::Issued {
        expires_at: good.expires_at,
    };
    Ok(serving.caller(principal, means, epoch, now))
}

/// A name that no service of an ApiKey has, as those are `namespace/service`.
fn name(provider: &str, subject: &str) -> String {
    format!("{provider}:{}", subject.replace('%', "%25").replace('/', "%2F"))
}

impl Issuers {
    fn issuer(&self, provider: &Provider, settings: &Jwt) -> Arc<Issuer> {
        let begin = || {
            Ok::<_, Infallible>(Issuer {
                outbound: Outbound::new(&settings.outbound),
                settings: settings.clone(),
                keys_at: Cached::default(),
                keys: Cached::default(),
                missed: AtomicBool::new(false),
                complaint: Mutex::default(),
            })
        };
        let Ok(issuer) = self.known.take(&provider.name, settings, begin);
        issuer
    }

    /// Keeps the keys of every issuer that is declared at hand, until the stop.
    pub async fn follow(app: Arc<App>, stop: CancellationToken) {
        let mut rounds = tokio::time::interval(EVERY);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = app.issuers.missed.notified() => {}
                _ = rounds.tick() => {}
            }
            let Some(serving) = app.serving() else { continue };
            let fetching = declared(&serving).map(|(provider, settings)| async {
                let issuer = app.issuers.issuer(provider, settings);
                let outcome = issuer.fetch(app.now()).await;
                issuer.tell(&provider.name, outcome.err());
            });
            tokio::select! {
                () = stop.cancelled() => return,
                _ = futures::future::join_all(fetching) => {}
            }
        }
    }
}

impl Issuer {
    /// Fetches the keys, if they are old or one was missed.
    async fn fetch(&self, now: Timestamp) -> Result<(), Unreached> {
        let outbound = self.outbound.as_ref().map_err(Clone::clone)?;
        let fetch_address = || discovery::keys_at(outbound, &self.settings.issuer);
        let address = match &self.settings.jwks_url {
            Some(url) => Arc::new(Url::parse(url).map_err(|_| outbound::Error::Url(url.clone()))?),
            None => self.keys_at.take(now, Wanted::Fresh, fetch_address).await?.0,
        };
        let wanted = match self.keys.held(now) {
            Some((_, fetched_at)) if self.missed.swap(false, Ordering::Relaxed) => Wanted::Newer(fetched_at),
            _ => Wanted::Fresh,
        };
        self.keys.take(now, wanted, || keys::fetch(outbound, &address)).await?;
        Ok(())
    }

    /// Tells whoever runs the instance why the keys cannot be had, once for each reason, and when they can be had again.
    fn tell(&self, provider: &str, error: Option<Unreached>) {
        let mut told = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        match &error {
            Some(reason) if told.as_ref() != Some(reason) => {
                tracing::warn!(provider, error = %reason, "the keys of an issuer cannot be had, so its tokens are refused");
            }
            None if told.is_some() => tracing::info!(provider, "the keys of an issuer can be had again"),
            _ => {}
        }
        *told = error;
    }
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_program_of_an_issuer_has_a_name_that_no_service_has() {
        for (subject, expected) in [
            ("robot", "idp:robot"),
            ("system:serviceaccount:ns:robot", "idp:system:serviceaccount:ns:robot"),
            ("demo/ci", "idp:demo%2Fci"),
            ("demo%2Fci", "idp:demo%252Fci"),
        ] {
            assert_eq!(name("idp", subject), expected);
        }
    }
}
