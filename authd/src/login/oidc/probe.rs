//! Can a provider be reached as it is configured, and is it who it should be? For `authd check --probe`.

use jiff::Timestamp;
use policy::snapshot::{Method, Provider, Settings};
use url::Url;

use super::{Error, Relying, redirect_uri};
use crate::issuer::keys;
use crate::outbound::{Patience, Question};

/// What was found of a provider.
#[derive(Debug)]
pub struct Probe {
    /// The provider's name.
    pub provider: String,
    /// What is to be registered there.
    pub redirect_uri: String,
    /// What is wrong, where something is.
    pub failure: Option<Error>,
}

/// Asks a provider what it says of itself, and for its keys; `None` where people do not sign in on its pages.
pub async fn probe(relying: &Relying, settings: &Settings, provider: &Provider, now: Timestamp) -> Option<Probe> {
    let outcome = match &provider.method {
        Method::Oidc(_) => openid(relying, provider, now).await,
        Method::GitHub(github) => match relying.github(&provider.name, github) {
            Ok(outbound) => match Url::parse(&github.base) {
                Ok(url) => {
                    let asked = outbound.ask(Question::get(&url, Patience::Short)).await;
                    asked.map(drop).map_err(Error::from)
                }
                Err(_) => Err(crate::outbound::Error::Url(github.base.clone()).into()),
            },
            Err(error) => Err(error),
        },
        _ => return None,
    };
    Some(Probe {
        provider: provider.name.clone(),
        redirect_uri: redirect_uri(settings, &provider.name),
        failure: outcome.err(),
    })
}

async fn openid(relying: &Relying, provider: &Provider, now: Timestamp) -> Result<(), Error> {
    let peer = relying.peer(provider)?;
    let metadata = peer.metadata(now).await?;
    keys::fetch(&peer.outbound, &metadata.jwks_uri).await?;
    Ok(())
}
