//! The provider sends somebody back: whose attempt it is, whether the answer is the provider's, and who arrives.

use http::HeaderMap;
use jiff::Timestamp;
use policy::snapshot::{Method, Provider};
use serde_json::Value;
use url::form_urlencoded;
use uuid::Uuid;

use super::attempt::{self, Attempt};
use super::held::{Held, due};
use super::vouch::{self, Code, Vouched};
use super::{Error, redirect_uri, transport};
use crate::app::App;
use crate::login::arrival::{self, Arriving, Given};
use crate::login::outcome::{self, SignedIn, Tried, Way};
use crate::login::session::Device;
use crate::login::{github, linking};
use crate::serving::Serving;

/// The longest value of a parameter, in bytes.
const MAX_VALUE: usize = 4096;

/// What the provider says through the browser.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The attempt's state.
    pub state: String,
    /// A code; `None`: the provider says no.
    pub code: Option<String>,
    /// Who says so (RFC 9207).
    pub issuer: Option<String>,
}

impl Answer {
    /// Reads a query. What occurs twice, and a code together with an error, is refused.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn read(query: &str) -> Result<Self, Error> {
        let (mut state, mut code, mut issuer, mut error) = (None, None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let slot = match &*name {
                "state" => &mut state,
                "code" => &mut code,
                "iss" => &mut issuer,
                "error" => &mut error,
                _ => continue,
            };
            if slot.is_some() || value.len() > MAX_VALUE {
                return Err(Error::Malformed);
            }
            *slot = Some(value.into_owned());
        }
        let state = state.filter(|state| !state.is_empty()).ok_or(Error::State)?;
        match (code, error) {
            (Some(code), None) if !code.is_empty() => Ok(Self {
                state,
                code: Some(code),
                issuer,
            }),
            (None, Some(_)) => Ok(Self {
                state,
                code: None,
                issuer,
            }),
            _ => Err(Error::Malformed),
        }
    }
}

/// Somebody who comes back from the provider.
#[derive(Clone, Copy, Debug)]
pub struct Coming<'a> {
    /// What the provider says, as a query.
    pub query: &'a str,
    /// The browser's headers.
    pub headers: &'a HeaderMap,
    /// From where.
    pub device: Device<'a>,
    /// The session that they have here already, and its account.
    pub session: Option<(Uuid, Uuid)>,
}

/// What an attempt came to.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is made once for each sign-in and moved once"
)]
pub enum Finished {
    /// Somebody signed in.
    SignedIn {
        /// Who.
        signed_in: SignedIn,
        /// Where they wanted to go.
        return_to: Option<String>,
    },
    /// Somebody who is signed in linked the provider to their account.
    Linked,
}

/// Somebody comes back from the provider. Whatever comes of it is written down.
///
/// # Errors
/// They are not signed in; nothing was written.
pub async fn finish(app: &App, serving: &Serving, provider: &Provider, coming: Coming<'_>) -> Result<Finished, Error> {
    let outcome = attempted(app, serving, provider, coming).await;
    super::note(app, &provider.name, &outcome);
    if let Err(error) = &outcome
        && !matches!(error, Error::Arrival(_))
    {
        tracing::warn!(provider = provider.name, reason = error.reason(), error = %error, "nobody was signed in");
        let tried = Tried {
            way: Way::SignIn,
            provider: Some(&provider.name),
            label: &provider.name,
            device: coming.device,
            user: None,
            failure: Some(error.reason()),
        };
        outcome::write_down(app, serving, &tried);
    }
    outcome
}

async fn attempted(app: &App, serving: &Serving, provider: &Provider, coming: Coming<'_>) -> Result<Finished, Error> {
    let answer = Answer::read(coming.query)?;
    let attempt = spent(app, serving, provider, coming.headers, &answer.state).await?;
    // Whoever wanted to link must still be the one who is signed in.
    let account = match attempt.link {
        None => None,
        Some(wanted) => Some(
            coming
                .session
                .filter(|(here, _)| *here == wanted)
                .ok_or(Error::State)?
                .1,
        ),
    };
    let vouched = vouched(app, serving, provider, &answer, &attempt).await?;
    let claims = Value::Object(vouched.claims);
    if let Some(account) = account {
        linking::link(app, provider, account, (&vouched.subject, claims)).await?;
        return Ok(Finished::Linked);
    }
    let asks = vouched.tokens.refresh_token.is_some() || matches!(provider.method, Method::GitHub(_));
    let given = Given {
        tokens: Held::of(&vouched.tokens, None).json()?,
        due_at: asks.then(|| due(serving.settings(), app.now())).flatten(),
        sid: vouched.sid,
    };
    let arriving = Arriving {
        way: Way::SignIn,
        provider,
        subject: &vouched.subject,
        signed_in_at: vouched.signed_in_at.and_then(|at| Timestamp::from_second(at).ok()),
        acr: vouched.acr,
        ends_at: None,
        claims,
        device: coming.device,
    };
    Ok(Finished::SignedIn {
        signed_in: arrival::arrive_with(app, serving, arriving, Some(given)).await?,
        return_to: attempt.return_to,
    })
}

/// The attempt that the answer belongs to, which is used up now.
async fn spent(
    app: &App,
    serving: &Serving,
    provider: &Provider,
    headers: &HeaderMap,
    state: &str,
) -> Result<Attempt, Error> {
    let now = app.now();
    let attempt = Attempt::find(headers, state, &serving.sealing, transport(serving.settings()), now);
    let attempt = attempt
        .filter(|attempt| attempt.provider == provider.name)
        .ok_or(Error::State)?;
    let ends = attempt.begun_at.saturating_add(attempt::LIFETIME + 1);
    if app.store.spend("attempt", &attempt.challenge(), ends, now).await? {
        Ok(attempt)
    } else {
        Err(Error::Replayed)
    }
}

async fn vouched(
    app: &App,
    serving: &Serving,
    provider: &Provider,
    answer: &Answer,
    attempt: &Attempt,
) -> Result<Vouched, Error> {
    let redirect_uri = redirect_uri(serving.settings(), &provider.name);
    let code = Code {
        code: answer.code.as_deref().ok_or(Error::Denied)?,
        verifier: &attempt.verifier,
        nonce: &attempt.nonce,
        redirect_uri: &redirect_uri,
        since: attempt.again.then_some(attempt.begun_at),
        acr: &attempt.acr,
    };
    if let Method::GitHub(settings) = &provider.method {
        let outbound = app.relying.github(&provider.name, settings)?;
        return github::person(settings, &outbound, code).await;
    }
    let peer = app.relying.peer(provider)?;
    let metadata = peer.metadata(app.now()).await?;
    let named = answer.issuer.as_deref();
    if named.map_or(metadata.names_issuer, |issuer| issuer != peer.settings.issuer) {
        return Err(Error::Issuer);
    }
    vouch::person(app, serving, &peer, code).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b27_an_answer_that_can_be_read_in_two_ways_is_refused() {
        let code = |state: &str, code: Option<&str>, issuer: Option<&str>| Answer {
            state: state.to_owned(),
            code: code.map(str::to_owned),
            issuer: issuer.map(str::to_owned),
        };
        for (query, expected) in [
            ("state=s&code=c", Ok(code("s", Some("c"), None))),
            (
                "state=s&code=c&iss=i&session_state=x",
                Ok(code("s", Some("c"), Some("i"))),
            ),
            (
                "state=s&error=access_denied&error_description=<script>",
                Ok(code("s", None, None)),
            ),
            ("state=s&state=s&code=c", Err("Malformed")),
            ("state=s&code=c&code=d", Err("Malformed")),
            ("state=s&code=c&iss=i&iss=i", Err("Malformed")),
            ("state=s&code=c&error=e", Err("Malformed")),
            ("state=s", Err("Malformed")),
            ("state=s&code=", Err("Malformed")),
            ("code=c", Err("State")),
            ("state=&code=c", Err("State")),
            ("error=access_denied", Err("State")),
            ("", Err("State")),
        ] {
            let read = Answer::read(query).map_err(|error| error.reason());
            assert_eq!(read, expected, "B27 {query}");
        }
        let long = format!("state={}&code=c", "s".repeat(2 << 20));
        assert!(Answer::read(&long).is_err(), "B01 2 MiB");
    }
}
