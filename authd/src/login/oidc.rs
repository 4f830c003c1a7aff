//! How does a person sign in at an OpenID provider, and what do we believe of it? authd is a client there (OpenID Connect Core 1.0).
//!
//! The flow: [`discovery`] > `attempt` > `authorize`, the provider's own pages, `callback` > `exchange` > `id_token` > `userinfo`, and
//! then [`super::arrival`], which all providers outside share. Later `refresh` asks again, and `logout` ends it here or there. What is
//! believed at each step is checked there, before anything of it is used. Our own code on `jsonwebtoken` and the one HTTP client, as what
//! libraries leave to their callers is what attacks are about.

mod attempt;
pub mod authorize;
pub mod callback;
pub mod exchange;
mod flavour;
mod held;
mod id_token;
pub mod logout;
pub mod probe;
pub mod refresh;
mod register;
pub mod token_exchange;
pub(super) mod userinfo;
pub(super) mod vouch;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;
use policy::snapshot::{Client, GitHub, Jwt, Method, Oidc, Provider, Settings};
use serde_json::{Map, Value};

use super::{arrival, linking};
use crate::app::App;
use crate::health::Heard;
use crate::issuer::cached::{Cached, Wanted};
use crate::issuer::discovery::{self, Metadata};
use crate::issuer::jwt;
use crate::issuer::kept::Kept;
use crate::issuer::keys::{self, Keys};
use crate::issuer::shown;
use crate::outbound::{self, Outbound};
use crate::pages::csrf::Transport;
use crate::seal::NoKey;
use crate::serving::Serving;
use crate::store;
use exchange::Party;

pub use attempt::{forget, forget_old};

/// What is known of each provider.
#[derive(Debug, Default)]
pub struct Relying {
    peers: Kept<Peer>,
    github: Kept<Outbound>,
    issuers: Kept<Outbound>,
}

/// A provider, and what it said of itself.
#[derive(Debug)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Its settings.
    pub settings: Oidc,
    outbound: Outbound,
    metadata: Cached<Metadata, discovery::Error>,
    keys: Cached<Keys, keys::Error>,
    registering: tokio::sync::Mutex<()>,
}

/// Why somebody was not signed in, before it was asked who they are here.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such provider, or it is none whose pages people are sent to.
    #[error("there is no such way to sign in")]
    NoProvider,
    /// The provider's answer cannot be read in one way.
    #[error("the provider's answer is malformed")]
    Malformed,
    /// The answer belongs to no attempt of this browser, or to one that is too old or of another provider.
    #[error("the answer belongs to no attempt of this browser")]
    State,
    /// The answer was given before.
    #[error("the answer was used before")]
    Replayed,
    /// The answer comes from another issuer.
    #[error("the answer comes from another issuer")]
    Issuer,
    /// The provider cannot be made to ask somebody again whom it knows.
    #[error("the provider cannot be made to ask somebody again whom it knows")]
    AsksNobodyAgain,
    /// The provider says that the person does not sign in.
    #[error("the provider says no")]
    Denied,
    /// What the provider says of itself cannot be had.
    #[error(transparent)]
    Discovery(#[from] discovery::Error),
    /// Its keys cannot be had.
    #[error(transparent)]
    Keys(#[from] keys::Error),
    /// Its servers cannot be reached in the way that is configured.
    #[error(transparent)]
    Outbound(#[from] outbound::Error),
    /// There are no tokens.
    #[error(transparent)]
    Exchange(#[from] exchange::Error),
    /// We are not registered there.
    #[error(transparent)]
    Register(#[from] register::Refusal),
    /// There is no ID token.
    #[error("there is no ID token")]
    NoIdToken,
    /// The ID token is not the provider's.
    #[error(transparent)]
    Jwt(#[from] jwt::Error),
    /// A token that is shown is not what it should be.
    #[error(transparent)]
    Shown(#[from] shown::Error),
    /// The ID token is not what was asked for.
    #[error(transparent)]
    IdToken(#[from] id_token::Error),
    /// The userinfo endpoint does not help.
    #[error(transparent)]
    Userinfo(#[from] userinfo::Error),
    /// They may not be here.
    #[error(transparent)]
    Arrival(#[from] arrival::Error),
    /// It was not linked to their account.
    #[error(transparent)]
    Linking(#[from] linking::Error),
    /// The database does not answer.
    #[error("the database does not answer")]
    Store(#[from] store::Error),
    /// Nothing can be sealed.
    #[error(transparent)]
    Seal(#[from] NoKey),
}

impl Error {
    /// The reason as audit lines and metrics name it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoProvider => "NoProvider",
            Self::Malformed => "Malformed",
            Self::State => "State",
            Self::Replayed => "Replayed",
            Self::Issuer => "Issuer",
            Self::AsksNobodyAgain => "AsksNobodyAgain",
            Self::Denied => "Denied",
            Self::Discovery(error) => error.reason(),
            Self::Keys(error) => error.reason(),
            Self::Outbound(error) => error.reason(),
            Self::Exchange(error) => error.reason(),
            Self::Register(_) => "NotRegistered",
            Self::NoIdToken => "NoIdToken",
            Self::Jwt(jwt::Error::Malformed) => "IdTokenMalformed",
            Self::Jwt(jwt::Error::Algorithm) => "IdTokenAlgorithm",
            Self::Jwt(jwt::Error::NoKey | jwt::Error::Signature) => "IdTokenSignature",
            Self::Shown(error) => error.reason(),
            Self::IdToken(error) => error.reason(),
            Self::Userinfo(error) => error.reason(),
            Self::Arrival(error) => error.reason(),
            Self::Linking(linking::Error::Arrival(error)) => error.reason(),
            Self::Linking(linking::Error::Taken) => "IdentityTaken",
            Self::Linking(linking::Error::LastWay) => "LastWay",
            Self::Linking(linking::Error::Store(_)) | Self::Store(_) => "Unavailable",
            Self::Seal(_) => "Broken",
        }
    }

    /// Whether trying again later may help, as opposed to trying something else.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Discovery(discovery::Error::Outbound(_))
            | Self::Keys(_)
            | Self::Outbound(_)
            | Self::Exchange(exchange::Error::Outbound(_) | exchange::Error::Status(_))
            | Self::Arrival(arrival::Error::Unavailable(_))
            | Self::Register(register::Refusal::Outbound(_))
            | Self::Store(_) => true,
            Self::Userinfo(error) => error.is_passing(),
            _ => false,
        }
    }

    /// What it says of how the provider fares; `None`: nothing.
    fn heard(&self) -> Option<Heard> {
        match self {
            Self::Exchange(error) => error.heard(),
            // The provider had done its part by then.
            Self::Arrival(_) | Self::Linking(_) => Some(Heard::Works),
            Self::Discovery(_) => Some(Heard::Fails),
            Self::Store(_) => None,
            error => error.is_passing().then_some(Heard::Fails),
        }
    }
}

/// Takes note of what was heard of a provider while it was asked about somebody.
fn note<T>(app: &App, provider: &str, outcome: &Result<T, Error>) {
    match outcome {
        Ok(_) => app.health.heard(provider, Heard::Works),
        Err(error) => note_failure(app, provider, error),
    }
}

fn note_failure(app: &App, provider: &str, error: &Error) {
    if let Some(heard) = error.heard() {
        app.health.heard(provider, heard);
    }
}

impl Relying {
    /// The provider of that name, with what is known of it.
    ///
    /// # Errors
    /// [`Error::NoProvider`], [`Error::Outbound`].
    pub fn peer(&self, provider: &Provider) -> Result<Arc<Peer>, Error> {
        let Method::Oidc(settings) = &provider.method else {
            return Err(Error::NoProvider);
        };
        self.peers.take(&provider.name, settings, || {
            Ok(Peer {
                outbound: Outbound::new(&settings.outbound)?,
                settings: settings.as_ref().clone(),
                metadata: Cached::default(),
                keys: Cached::default(),
                name: provider.name.clone(),
                registering: tokio::sync::Mutex::default(),
            })
        })
    }

    /// What reaches the servers of GitHub, as the provider of that name has it.
    ///
    /// # Errors
    /// [`Error::Outbound`].
    pub fn github(&self, name: &str, settings: &GitHub) -> Result<Arc<Outbound>, Error> {
        self.github
            .take(name, settings, || Ok(Outbound::new(&settings.outbound)?))
    }

    /// What reaches the issuer of tokens that the provider of that name is.
    ///
    /// # Errors
    /// [`Error::Outbound`].
    fn issuer(&self, name: &str, settings: &Jwt) -> Result<Arc<Outbound>, Error> {
        self.issuers
            .take(name, settings, || Ok(Outbound::new(&settings.outbound)?))
    }
}

impl Peer {
    /// What the provider says of itself.
    ///
    /// # Errors
    /// It was never to be had.
    pub async fn metadata(&self, now: Timestamp) -> Result<Arc<Metadata>, discovery::Error> {
        Ok(self
            .metadata
            .take(now, Wanted::Fresh, || self.fetch_metadata())
            .await?
            .0)
    }

    /// What the provider says of itself now.
    async fn fetch_metadata(&self) -> Result<Metadata, discovery::Error> {
        let named = flavour::issuer_of_metadata(&self.settings);
        discovery::fetch(&self.outbound, &self.settings.issuer, named).await
    }

    /// The claims of a token that the provider signed; its keys are fetched again, once, where none fits.
    ///
    /// # Errors
    /// It did not, or its keys cannot be had.
    async fn verified(&self, token: jwt::Token<'_>, now: Timestamp) -> Result<Map<String, Value>, Error> {
        let metadata = self.metadata(now).await?;
        let fetch = || keys::fetch(&self.outbound, &metadata.jwks_uri);
        let (mut keys, fetched_at) = self.keys.take(now, Wanted::Fresh, fetch).await?;
        if !token.has_key(&keys) {
            keys = self.keys.take(now, Wanted::Newer(fetched_at), fetch).await?.0;
        }
        Ok(token.verified(&keys)?)
    }

    /// Who we are there.
    ///
    /// # Errors
    /// We have to register there, and cannot.
    async fn party(&self, app: &App, serving: &Serving) -> Result<Party, Error> {
        match &self.settings.client {
            Client::Registered { id, proof } => Ok(Party {
                id: id.clone(),
                proof: proof.clone(),
            }),
            Client::Dynamic { initial_access_token } => {
                register::party(app, serving, self, initial_access_token.as_ref()).await
            }
        }
    }

    /// Whether we registered ourselves there.
    fn is_dynamic(&self) -> bool {
        matches!(self.settings.client, Client::Dynamic { .. })
    }
}

/// Where the provider sends people back to: exactly what is registered there, whatever host a request names.
#[must_use]
pub fn redirect_uri(settings: &Settings, provider: &str) -> String {
    format!("{}/oauth/{provider}/callback", settings.public_url)
}

/// How cookies of attempts are kept.
#[must_use]
pub fn transport(settings: &Settings) -> Transport {
    if settings.is_secure() {
        Transport::Https
    } else {
        Transport::Http
    }
}
