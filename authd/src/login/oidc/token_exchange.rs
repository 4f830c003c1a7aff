//! A token that a provider gave a program for a person becomes a session of that person (RFC 8693), where the provider's resource lets
//! it.
//!
//! The token has to stand what the provider's own tokens stand at a sign-in, and to be for an audience that is declared: one that another
//! program got for itself opens nothing here. Then the person arrives like everybody else, so that domains, roles and groups follow
//! from what the token says, and from nothing else: no other server is asked. The session ends with the token.
//!
//! How it is asked for, and how it is answered, is not here: see [`crate::api::token_exchange`].

use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use policy::snapshot::{Provider, TokenExchange};
use serde_json::{Map, Value};

use super::held::Held;
use super::{Error, flavour, id_token};
use crate::app::App;
use crate::issuer::jwt::{Token, number, text};
use crate::issuer::shown::{self, Expected, Good, Kind};
use crate::login::arrival::{self, Arriving, Given};
use crate::login::outcome::{self, SignedIn, Tried, Way};
use crate::login::session::Device;
use crate::serving::Serving;
use crate::shared::{Attempt, Limited, Purpose};

/// What a program shows.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The token.
    pub token: &'a str,
    /// What it says that this is.
    pub kind: Kind,
    /// From where it is shown.
    pub device: Device<'a>,
}

/// Why no session comes of a token.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Too many failures.
    #[error("too many attempts")]
    Limited(Limited),
    /// The token is not accepted, or its person may not be here.
    #[error(transparent)]
    Token(Error),
}

/// Exchanges a token. Whatever comes of it is written down.
///
/// # Errors
/// There is no session, and nothing was written but why.
pub async fn exchange(
    app: &App,
    serving: &Serving,
    (provider, allowed): (&Provider, &TokenExchange),
    shown: Shown<'_>,
) -> Result<SignedIn, Refused> {
    let attempt = Attempt {
        purpose: Purpose::TokenExchange,
        account: None,
        address: shown.device.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
    };
    let tried = |failure| Tried {
        way: Way::Exchange,
        provider: Some(&provider.name),
        label: &provider.name,
        device: shown.device,
        user: None,
        failure: Some(failure),
    };
    let reservation = serving.limits.reserve(attempt, app.now()).await.map_err(|limited| {
        outcome::write_down(app, serving, &tried("Limited"));
        Refused::Limited(limited)
    })?;
    let vouched = vouched(app, provider, allowed, shown).await;
    if let Err(error) = &vouched {
        tracing::info!(provider = provider.name, reason = error.reason(), error = %error, "a token was not exchanged");
        outcome::write_down(app, serving, &tried(error.reason()));
    }
    let outcome = match vouched {
        Ok(vouched) => arrive(app, serving, provider, (vouched, shown.device)).await,
        Err(error) => Err(error),
    };
    match &outcome {
        Ok(_) => reservation.succeeded(),
        Err(error) if error.is_passing() => reservation.withdrawn(),
        Err(_) => reservation.failed(),
    }
    outcome.map_err(Refused::Token)
}

/// What a token says that stood every check.
struct Vouched {
    good: Good,
    claims: Map<String, Value>,
}

/// Believes a token if it is the provider's, for one of the audiences, and says that the person signed in as they must.
async fn vouched(app: &App, provider: &Provider, allowed: &TokenExchange, shown: Shown<'_>) -> Result<Vouched, Error> {
    let (peer, now) = (app.relying.peer(provider)?, app.now());
    let token = Token::read(shown.token, &peer.settings.id_token_algorithms)?;
    shown.kind.is_named(token.typ.as_deref())?;
    let mut claims = peer.verified(token, now).await?;
    let expected = Expected {
        issuer: &flavour::issuer_of_token(&peer.settings, &claims),
        audiences: &allowed.audiences,
        kind: shown.kind,
    };
    let good = shown::check(&claims, &expected, now.as_second())?;
    if !is_of_a_client(&claims, allowed, shown.kind) {
        return Err(shown::Error::WrongAudience.into());
    }
    id_token::authenticated(&claims, &peer.settings.authentication, now)?;
    flavour::check(&peer.settings, &mut claims)?;
    // What would have to be asked for elsewhere is not taken for nothing.
    if flavour::has_groups_elsewhere(&claims) {
        return Err(id_token::Error::Claim("groups").into());
    }
    Ok(Vouched { good, claims })
}

/// Whether a program that may exchange tokens got it. An ID token is its client's alone; an access token may be for several.
fn is_of_a_client(claims: &Map<String, Value>, allowed: &TokenExchange, kind: Kind) -> bool {
    let named = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(_) => text(claims, name).map(Some).ok_or(()),
    };
    let (Ok(party), Ok(client)) = (named("azp"), named("client_id")) else {
        return false;
    };
    if party.is_some() && client.is_some() && party != client {
        return false;
    }
    let several = claims
        .get("aud")
        .and_then(Value::as_array)
        .is_some_and(|all| all.len() > 1);
    let holder = match (party.or(client), kind) {
        (Some(holder), _) => Some(holder),
        (None, Kind::Identity) if several => return false,
        (None, Kind::Identity) => match claims.get("aud") {
            Some(Value::Array(one)) => one.first().and_then(Value::as_str),
            one => one.and_then(Value::as_str),
        },
        (None, Kind::Access) => None,
    };
    let clients = match (allowed.clients.as_slice(), kind) {
        ([], Kind::Access) => return true,
        ([], Kind::Identity) => &allowed.audiences,
        _ => &allowed.clients,
    };
    holder.is_some_and(|holder| clients.iter().any(|client| client == holder))
}

async fn arrive(
    app: &App,
    serving: &Serving,
    provider: &Provider,
    (Vouched { good, claims }, device): (Vouched, Device<'_>),
) -> Result<SignedIn, Error> {
    // Nothing of it is kept but by which names the provider ends the session.
    let given = Given {
        sid: text(&claims, "sid").map(str::to_owned),
        tokens: Held::nothing().json()?,
        due_at: None,
    };
    let arriving = Arriving {
        way: Way::Exchange,
        provider,
        subject: &good.subject,
        signed_in_at: number(&claims, "auth_time").and_then(|at| Timestamp::from_second(at).ok()),
        acr: id_token::class(&claims).map(str::to_owned),
        ends_at: Timestamp::from_second(good.expires_at).ok(),
        claims: Value::Object(id_token::about_the_person(claims)),
        device,
    };
    Ok(arrival::arrive_with(app, serving, arriving, Some(given)).await?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    #[expect(
        clippy::too_many_lines,
        reason = "a story is told in one piece, and a table is as long as its rows"
    )]
    fn w04_a_token_of_a_program_that_may_not_exchange_it_is_refused() {
        let allowed = |clients: &[&str]| TokenExchange {
            audiences: vec!["cli".to_owned(), "api".to_owned()],
            clients: clients.iter().map(|name| (*name).to_owned()).collect(),
        };
        use Kind::{Access, Identity};
        for (row, claims, clients, kind, expected) in [
            ("its own ID token", json!({"aud": "cli"}), &[][..], Identity, true),
            ("a list of one", json!({"aud": ["cli"]}), &[], Identity, true),
            (
                "several without azp",
                json!({"aud": ["cli", "other"]}),
                &[],
                Identity,
                false,
            ),
            (
                "several, azp ours",
                json!({"aud": ["cli", "other"], "azp": "cli"}),
                &[],
                Identity,
                true,
            ),
            (
                "several, azp other",
                json!({"aud": ["cli", "other"], "azp": "other"}),
                &[],
                Identity,
                false,
            ),
            ("azp other", json!({"aud": "cli", "azp": "other"}), &[], Identity, false),
            (
                "azp of the list",
                json!({"aud": "api", "azp": "app"}),
                &["app"],
                Identity,
                true,
            ),
            (
                "audience not of the list",
                json!({"aud": "cli"}),
                &["app"],
                Identity,
                false,
            ),
            ("any program", json!({"aud": "api", "azp": "other"}), &[], Access, true),
            ("no program named", json!({"aud": "api"}), &[], Access, true),
            (
                "a program of the list",
                json!({"aud": "api", "client_id": "app"}),
                &["app"],
                Access,
                true,
            ),
            (
                "another program",
                json!({"aud": "api", "client_id": "other"}),
                &["app"],
                Access,
                false,
            ),
            (
                "no program where one is asked for",
                json!({"aud": "api"}),
                &["app"],
                Access,
                false,
            ),
            (
                "two programs",
                json!({"aud": "api", "azp": "app", "client_id": "other"}),
                &["app"],
                Access,
                false,
            ),
            (
                "azp is a list",
                json!({"aud": "cli", "azp": ["cli"]}),
                &[],
                Identity,
                false,
            ),
        ] {
            let found = is_of_a_client(claims.as_object().unwrap(), &allowed(clients), kind);
            assert_eq!(found, expected, "W-4 {row}");
        }
    }
}
