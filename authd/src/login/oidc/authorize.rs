//! Sending somebody to the provider: the request for a code (RFC 6749, section 4.1.1; RFC 7636; OpenID Connect Core, section 3.1.2.1).

use http::HeaderValue;
use policy::snapshot::{Method, Oidc, Provider};
use url::Url;
use uuid::Uuid;

use super::attempt::Attempt;
use super::{Error, Peer, note_failure, redirect_uri, transport};
use crate::app::App;
use crate::login::again::Again;
use crate::login::github;
use crate::outbound::{Patience, Question};
use crate::serving::Serving;

/// What an attempt is for.
#[derive(Clone, Debug)]
pub struct Purpose {
    /// Where the person wants to go, an address that was accepted.
    pub return_to: Option<String>,
    /// The session whose account is to be linked; absent: somebody signs in.
    pub link: Option<Uuid>,
    /// How the provider has to ask the person although it knows them already.
    pub again: Option<Again>,
}

/// Where to send the browser, and the cookie that goes with it.
#[derive(Debug)]
pub struct Sent {
    /// Where.
    pub to: Url,
    /// The attempt.
    pub cookie: HeaderValue,
}

/// Begins an attempt.
///
/// # Errors
/// The provider cannot be used now, or at all.
pub async fn begin(app: &App, serving: &Serving, provider: &Provider, purpose: Purpose) -> Result<Sent, Error> {
    let again = purpose.again.is_some();
    if purpose
        .again
        .as_ref()
        .is_some_and(|again| !again.is_possible(&provider.method))
    {
        return Err(Error::AsksNobodyAgain);
    }
    let attempt = Attempt {
        again,
        acr: purpose.again.map(|again| again.acr).unwrap_or_default(),
        ..Attempt::begin(&provider.name, purpose.return_to, purpose.link, &app.random, app.now())
    };
    let redirect_uri = redirect_uri(serving.settings(), &provider.name);
    let to = if let Method::GitHub(settings) = &provider.method {
        github::authorize(settings, &attempt.state, &attempt.challenge(), &redirect_uri)?
    } else {
        let peer = app.relying.peer(provider)?;
        let filled_out = filled(app, serving, &peer, &attempt).await;
        let mut to = filled_out.inspect_err(|error| note_failure(app, &provider.name, error))?;
        if peer.is_dynamic() && is_forgotten(&peer, &to).await {
            app.store.forget_registration(&peer.name).await?;
            to = filled(app, serving, &peer, &attempt).await?;
        }
        if again && !says_prompt(&peer.settings) {
            to.query_pairs_mut().append_pair("prompt", "login");
        }
        to
    };
    let cookie = attempt.cookie(&serving.sealing, transport(serving.settings()), &app.random)?;
    Ok(Sent { to, cookie })
}

/// Whether the resource itself says how people are to be asked.
fn says_prompt(settings: &Oidc) -> bool {
    settings.authorize_parameters.iter().any(|(name, _)| name == "prompt")
}

async fn filled(app: &App, serving: &Serving, peer: &Peer, attempt: &Attempt) -> Result<Url, Error> {
    let redirect_uri = redirect_uri(serving.settings(), &peer.name);
    let mut to = peer.metadata(app.now()).await?.authorization_endpoint.clone();
    let party = peer.party(app, serving).await?;
    fill(&mut to, &peer.settings, attempt, (&party.id, &redirect_uri));
    Ok(to)
}

/// Whether a provider where we registered ourselves no longer knows us. It tells people so, not us: so we ask before they do.
async fn is_forgotten(peer: &Peer, to: &Url) -> bool {
    let asked = peer.outbound.ask(Question::get(to, Patience::Short)).await;
    asked.is_ok_and(|answer| answer.status.is_client_error())
}

fn fill(to: &mut Url, settings: &Oidc, attempt: &Attempt, (client_id, redirect_uri): (&str, &str)) {
    let mut query = to.query_pairs_mut();
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", client_id)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("scope", &settings.scopes.join(" "))
        .append_pair("state", &attempt.state)
        .append_pair("nonce", &attempt.nonce)
        .append_pair("code_challenge", &attempt.challenge())
        .append_pair("code_challenge_method", "S256");
    let wanted = &settings.authentication;
    // With `max_age` the provider has to say in `auth_time` when it asked; with 0 it has to ask now, whatever `prompt` says.
    if let Some(max_age) = if attempt.again { Some(0) } else { wanted.max_age } {
        query.append_pair("max_age", &max_age.to_string());
    }
    let classes = if attempt.acr.is_empty() {
        &wanted.acr
    } else {
        &attempt.acr
    };
    if !classes.is_empty() {
        query.append_pair("acr_values", &classes.join(" "));
    }
    query.extend_pairs(&settings.authorize_parameters);
}
