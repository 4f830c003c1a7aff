//! May somebody still be here? The provider is asked again in the background, and what it says now takes the place of what it said.
//!
//! Only a provider that says no ends a session: one that cannot be reached is asked again in a minute. What is not of the same
//! person and issuer any more ends it too. The database lets one replica at a time ask about a session.

use futures::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use policy::Said;
use policy::snapshot::{Method, Provider};
use serde_json::{Map, Value};

use super::exchange::{self, Tokens};
use super::held::{Held, due};
use super::{Error, Peer, id_token, userinfo, vouch};
use crate::app::App;
use crate::audit::{Event, Kind, Outcome};
use crate::login::revalidate::{self, Heard};
use crate::login::{arrival, github};
use crate::serving::Serving;
use crate::store::{self, Grant, Identity, Reason, Renewal};
use crate::telemetry::with_causes;

/// How many sessions are asked about at once.
const AT_ONCE: usize = 8;
/// How many are asked about in one round.
const ROUND: u32 = 64;
/// How long whoever asks has a session for itself.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// When to ask again where nothing was to be learned.
const PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// Asks a provider about every session that is due, and returns how many were.
///
/// # Errors
/// The database does not answer.
pub async fn round(app: &App, serving: &Serving, provider: &str) -> Result<usize, store::Error> {
    let now = app.now_of_all().await?;
    let leased = app
        .store
        .lease_due_grants(provider, ROUND, now, after(now, LEASE))
        .await?;
    let count = leased.len();
    stream::iter(leased)
        .for_each_concurrent(AT_ONCE, |grant| async move {
            let session = grant.session;
            let outcome = again(app, serving, grant).await;
            super::note(app, provider, &outcome);
            settle(app, provider, session, outcome).await;
        })
        .await;
    Ok(count)
}

/// Does what follows from an answer.
async fn settle(app: &App, provider: &str, session: uuid::Uuid, outcome: Result<(), Error>) {
    let (heard, done) = match outcome {
        Ok(()) => (Heard::There, Ok(())),
        Err(error) if ends(&error) => (Heard::Gone, end(app, session, error.reason()).await),
        Err(error) => {
            tracing::warn!(session = %session, reason = error.reason(), error = with_causes(&error), "a session was not asked about: it goes on");
            (Heard::Nothing, postpone(app, session).await)
        }
    };
    revalidate::count(provider, heard);
    if let Err(error) = done {
        tracing::warn!(session = %session, error = with_causes(&error), "what a provider said of a session was not written down");
    }
}

async fn postpone(app: &App, session: uuid::Uuid) -> Result<(), store::Error> {
    let now = app.now_of_all().await?;
    app.store.postpone_grant(session, after(now, PAUSE)).await
}

/// Whether a provider said that the person may not be here, or not as this person.
fn ends(error: &Error) -> bool {
    match error {
        Error::Exchange(exchange::Error::Grant) | Error::Userinfo(userinfo::Error::Subject) => true,
        Error::Userinfo(userinfo::Error::Answer(status)) => *status == 401,
        Error::IdToken(error) => !matches!(error, id_token::Error::Time),
        Error::State => true,
        _ => false,
    }
}

async fn end(app: &App, session: uuid::Uuid, reason: &'static str) -> Result<(), store::Error> {
    let revocation = match app
        .store
        .revoke_session(session, Reason::ProviderRefused, app.now())
        .await
    {
        Ok(revocation) => revocation,
        Err(store::Error::NotFound) => return Ok(()),
        Err(error) => return Err(error),
    };
    app.revoke(&[revocation]);
    app.audit.record(Event {
        reason: Some(reason),
        subject_id: Some(session.to_string()),
        ..Event::new(app.now(), Kind::Revoked, Outcome::Success)
    });
    Ok(())
}

async fn again(app: &App, serving: &Serving, grant: Grant) -> Result<(), Error> {
    let Some(provider) = serving.engine.provider(&grant.provider) else {
        return Err(Error::NoProvider);
    };
    let identity = app
        .store
        .find_identity(&grant.provider, &grant.subject)
        .await?
        .ok_or(Error::State)?;
    // A key that is gone opens nothing: who cannot be asked about is not taken for granted.
    let held = Held::open(&serving.sealing, grant.session, &grant.sealed).ok_or(Error::State)?;
    let (held, claims) = match &provider.method {
        Method::GitHub(settings) => {
            let outbound = app.relying.github(&provider.name, settings)?;
            let vouched = github::known(settings, &outbound, &held.access_token()).await?;
            if vouched.subject != grant.subject {
                return Err(Error::State);
            }
            (held, Some(vouched.claims))
        }
        _ => refreshed(app, serving, &*app.relying.peer(provider)?, (&grant, &held)).await?,
    };
    let account = identity.user_id;
    let renewal = Renewal {
        session: grant.session,
        sealed: held.seal(&serving.sealing, grant.session, &app.random)?,
        due_at: due(serving.settings(), app.now_of_all().await?),
        groups: groups(app, provider, claims.as_ref(), &identity).await?,
        identity: claims.map(|claims| Identity {
            claims: Value::Object(claims),
            updated_at: app.now(),
            refused_at: None,
            ..identity
        }),
    };
    app.store.renew_grant(&renewal, app.now()).await?;
    app.account_changed(account);
    Ok(())
}

/// New tokens, and what they and userinfo say of the same person; `None` where they say nothing.
async fn refreshed(
    app: &App,
    serving: &Serving,
    peer: &Peer,
    (grant, held): (&Grant, &Held),
) -> Result<(Held, Option<Map<String, Value>>), Error> {
    let token = held.refresh_token().ok_or(Error::NoIdToken)?;
    let metadata = peer.metadata(app.now()).await?;
    let party = peer.party(app, serving).await?;
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
    let endpoint = (&metadata.token_endpoint, peer.settings.issuer.as_str());
    let tokens: Tokens = exchange::ask(&peer.outbound, endpoint, &party, &fields, (&app.random, app.now())).await?;
    let renewed = Held::of(&tokens, Some(held));
    let mut claims = None;
    if tokens.id_token.is_some() {
        let (subject, said) = vouch::identified(peer, &party, &tokens, None, app.now()).await?;
        if subject != grant.subject {
            return Err(Error::State);
        }
        claims = Some(said);
    }
    claims = vouch::completed(peer, &metadata, &tokens.access_token, &grant.subject, claims).await?;
    Ok((renewed, claims.map(id_token::about_the_person)))
}

/// The groups that follow from what is said now. Where the claim is absent this time, they stay what they were.
async fn groups(
    app: &App,
    provider: &Provider,
    claims: Option<&Map<String, Value>>,
    identity: &Identity,
) -> Result<Option<Vec<String>>, Error> {
    let Some(claims) = claims else { return Ok(None) };
    let said = Said::read(provider, &Value::Object(claims.clone()));
    match arrival::groups(app, provider, &said, identity.user_id).await {
        Ok(groups) => Ok(groups),
        Err(arrival::Error::ClaimAbsent) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn after(now: Timestamp, time: SignedDuration) -> Timestamp {
    now.checked_add(time).unwrap_or(Timestamp::MAX)
}
