//! Can a provider be reached as it is configured, and is it who it should be? For `authd check --probe`.

use jiff::Timestamp;
use policy::snapshot::{Jwt, Method, Provider, Settings};
use url::Url;

use super::{Error, Relying, redirect_uri};
use crate::issuer::{discovery, keys};
use crate::outbound::{self, Outbound, Patience, Question};

/// What was found of a provider.
#[derive(Debug)]
pub struct Probe {
    /// The provider's name.
    pub provider: String,
    /// What is to be registered there, where people sign in on its pages.
    pub redirect_uri: Option<String>,
    /// What is wrong, where something is.
    pub failure: Option<Error>,
}

/// Asks a provider what it says of itself, and for its keys; `None` where it has neither.
pub async fn probe(relying: &Relying, settings: &Settings, provider: &Provider, now: Timestamp) -> Option<Probe> {
    let outcome = match &provider.method {
        Method::Oidc(_) => openid(relying, provider, now).await,
        Method::GitHub(github) => match relying.github(&provider.name, github) {
            Ok(outbound) => match Url::parse(&github.base) {
                Ok(url) => {
                    let asked = outbound.ask(Question::get(&url, Patience::Short)).await;
                    asked.map(drop).map_err(Error::from)
                }
                Err(_) => Err(outbound::Error::Url(github.base.clone()).into()),
            },
            Err(error) => Err(error),
        },
        Method::Jwt(settings) => issuer(settings).await,
        Method::Password | Method::Ldap(_) => return None,
    };
    let is_elsewhere = provider.method.is_elsewhere();
    Some(Probe {
        provider: provider.name.clone(),
        redirect_uri: is_elsewhere.then(|| redirect_uri(settings, &provider.name)),
        failure: outcome.err(),
    })
}

async fn openid(relying: &Relying, provider: &Provider, now: Timestamp) -> Result<(), Error> {
    let peer = relying.peer(provider)?;
    let metadata = peer.metadata(now).await?;
    keys::fetch(&peer.outbound, &metadata.jwks_uri).await?;
    Ok(())
}

/// An issuer whose tokens programs show.
async fn issuer(settings: &Jwt) -> Result<(), Error> {
    let outbound = Outbound::new(&settings.outbound)?;
    let address = match &settings.jwks_url {
        Some(url) => Url::parse(url).map_err(|_| outbound::Error::Url(url.clone()))?,
        None => discovery::keys_at(&outbound, &settings.issuer).await?,
    };
    keys::fetch(&outbound, &address).await?;
    Ok(())
}
