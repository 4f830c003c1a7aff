//! Can a provider be reached as it is configured, and is it who it should be? It is asked itself, whatever is known of it already.

use policy::snapshot::{Jwt, Method, Provider, Settings};
use url::Url;

use super::{Error, Relying, flavour, redirect_uri};
use crate::issuer::{discovery, keys};
use crate::outbound::{self, Patience, Question};

/// What was found of a provider.
#[derive(Debug)]
pub struct Probe {
    /// The provider's name.
    pub provider: String,
    /// What is to be registered there, where people sign in on its pages.
    pub redirect_uri: Option<String>,
    /// The issuer that it says it is, where it says so.
    pub issuer: Option<String>,
    /// What is wrong, where something is.
    pub failure: Option<Error>,
}

/// Asks a provider what it says of itself, and for its keys; `None` where it has neither.
pub async fn probe(relying: &Relying, settings: &Settings, provider: &Provider) -> Option<Probe> {
    let outcome = match &provider.method {
        Method::Oidc(_) => openid(relying, provider).await,
        Method::GitHub(github) => match relying.github(&provider.name, github) {
            Ok(outbound) => match Url::parse(&github.base) {
                Ok(url) => {
                    let asked = outbound.ask(Question::get(&url, Patience::Short)).await;
                    asked.map(|_| None).map_err(Error::from)
                }
                Err(_) => Err(outbound::Error::Url(github.base.clone()).into()),
            },
            Err(error) => Err(error),
        },
        Method::Jwt(settings) => issuer(relying, &provider.name, settings).await,
        Method::Password | Method::Ldap(_) => return None,
    };
    let (issuer, failure) = match outcome {
        Ok(issuer) => (issuer, None),
        Err(error) => (None, Some(error)),
    };
    let is_elsewhere = provider.method.is_elsewhere();
    Some(Probe {
        provider: provider.name.clone(),
        redirect_uri: is_elsewhere.then(|| redirect_uri(settings, &provider.name)),
        issuer,
        failure,
    })
}

async fn openid(relying: &Relying, provider: &Provider) -> Result<Option<String>, Error> {
    let peer = relying.peer(provider)?;
    let metadata = peer.fetch_metadata().await?;
    keys::fetch(&peer.outbound, &metadata.jwks_uri).await?;
    Ok(Some(flavour::issuer_of_metadata(&peer.settings).to_owned()))
}

/// An issuer whose tokens programs show.
async fn issuer(relying: &Relying, name: &str, settings: &Jwt) -> Result<Option<String>, Error> {
    let outbound = relying.issuer(name, settings)?;
    let (address, issuer) = match &settings.jwks_url {
        Some(url) => (Url::parse(url).map_err(|_| outbound::Error::Url(url.clone()))?, None),
        None => (
            discovery::keys_at(&outbound, &settings.issuer).await?,
            Some(settings.issuer.clone()),
        ),
    };
    keys::fetch(&outbound, &address).await?;
    Ok(issuer)
}
