//! Signing out, from here to the provider (OpenID Connect RP-Initiated Logout) and from the provider to here (Back-Channel Logout).

use policy::snapshot::{Method, Provider};
use serde_json::{Map, Value};
use url::Url;
use uuid::Uuid;

use super::held::Held;
use super::id_token::{self, SKEW};
use super::{Error, flavour};
use crate::app::App;
use crate::audit::{Event, Kind, Outcome};
use crate::issuer::jwt::{Token, number, text};
use crate::serving::Serving;
use crate::store::{self, Named, Reason};

/// The event that makes a token a logout token (Back-Channel Logout, section 2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// The oldest logout token that counts, in seconds.
const MAX_AGE: i64 = 120;

/// Where the provider ends its own session, to be asked before ours has ended; `None` where there is no such place.
pub async fn elsewhere(app: &App, serving: &Serving, session: Uuid) -> Option<Url> {
    let grant = app.store.grant_of(session).await.ok()??;
    let provider = serving.engine.provider(&grant.provider)?;
    let peer = app.relying.peer(provider).ok()?;
    let mut to = peer.metadata(app.now()).await.ok()?.end_session_endpoint.clone()?;
    let party = peer.party(app, serving).await.ok()?;
    let held = Held::open(&serving.sealing, session, &grant.sealed);
    let own = format!("{}/signed-out", serving.settings().public_url);
    let back = serving.settings().sign_out_redirect.as_deref().unwrap_or(&own);
    let mut query = to.query_pairs_mut();
    if let Some(hint) = held.as_ref().and_then(Held::id_token) {
        query.append_pair("id_token_hint", hint);
    }
    // The state is for the provider to repeat; nothing hangs on it, as the session here is over whatever comes back.
    query
        .append_pair("client_id", &party.id)
        .append_pair("post_logout_redirect_uri", back)
        .append_pair("state", &app.random.hex(16));
    drop(query);
    Some(to)
}

/// The provider says that a session, or all of a person's, are over. Returns how many ended here.
///
/// # Errors
/// The token is not the provider's word for that; nothing ended.
pub async fn from_elsewhere(app: &App, serving: &Serving, provider: &Provider, token: &str) -> Result<usize, Error> {
    let Method::Oidc(_) = &provider.method else {
        return Err(Error::NoProvider);
    };
    let peer = app.relying.peer(provider)?;
    let token = Token::read(token, &peer.settings.id_token_algorithms)?;
    if token
        .typ
        .as_deref()
        .is_some_and(|typ| !typ.eq_ignore_ascii_case("logout+jwt"))
    {
        return Err(Error::Malformed);
    }
    let now = app.now();
    let claims = peer.verified(token, now).await?;
    id_token::issued(
        &claims,
        &flavour::issuer_of_token(&peer.settings, &claims),
        &peer.party(app, serving).await?.id,
    )?;
    let jti = check(&claims, now.as_second())?;
    let once = format!("{}\u{0}{jti}", provider.name);
    if !app
        .store
        .spend("logout", &once, now.as_second() + MAX_AGE + 2 * SKEW, now)
        .await?
    {
        return Err(Error::Replayed);
    }
    let named = match text(&claims, "sid") {
        Some(sid) => Named::Sid(sid),
        None => Named::Subject(text(&claims, "sub").ok_or(Error::Malformed)?),
    };
    let sessions = app.store.sessions_at(&provider.name, named).await?;
    for session in &sessions {
        end(app, *session).await?;
    }
    Ok(sessions.len())
}

/// Whether the claims are those of a logout token of now; returns what it counts once by.
fn check(claims: &Map<String, Value>, now: i64) -> Result<String, Error> {
    let is_event = claims
        .get("events")
        .and_then(|events| events.get(EVENT))
        .is_some_and(Value::is_object);
    let issued_at = number(claims, "iat").ok_or(id_token::Error::Claim("iat"))?;
    let expires_at = number(claims, "exp").ok_or(id_token::Error::Claim("exp"))?;
    let current = (now - MAX_AGE..=now + SKEW).contains(&issued_at) && now < expires_at.saturating_add(SKEW);
    if !current {
        return Err(id_token::Error::Time.into());
    }
    let names_somebody = ["sub", "sid"]
        .iter()
        .all(|name| claims.get(*name).is_none_or(Value::is_string))
        && ["sub", "sid"]
            .iter()
            .any(|name| text(claims, name).is_some_and(|text| !text.is_empty()));
    if !is_event || claims.contains_key("nonce") || !names_somebody {
        return Err(Error::Malformed);
    }
    let jti = text(claims, "jti").filter(|jti| (1..=256).contains(&jti.len()));
    jti.map(str::to_owned).ok_or(id_token::Error::Claim("jti").into())
}

async fn end(app: &App, session: Uuid) -> Result<(), store::Error> {
    match app
        .store
        .revoke_session(session, Reason::ProviderRefused, app.now())
        .await
    {
        Ok(revocation) => app.revoke(&[revocation]),
        Err(store::Error::NotFound) => return Ok(()),
        Err(error) => return Err(error),
    }
    app.audit.record(Event {
        reason: Some("BackchannelLogout"),
        subject_id: Some(session.to_string()),
        ..Event::new(app.now(), Kind::Revoked, Outcome::Success)
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_767_268_800;

    #[test]
    fn c04_to_c07_only_a_logout_token_of_now_ends_anything() {
        let event = json!({EVENT: {}});
        let good = json!({"jti": "j", "iat": NOW, "exp": NOW + 60, "events": event, "sub": "s-1", "sid": "sid-1"});
        let absent = json!("(absent)");
        for (row, name, value, expected) in [
            ("control", "sub", json!("s-1"), None),
            ("sub only", "sid", absent.clone(), None),
            ("sid only", "sub", absent.clone(), None),
            ("C04", "nonce", json!("n"), Some("Malformed")),
            ("C06 no exp", "exp", absent.clone(), Some("IdTokenClaim")),
            ("C06 over", "exp", json!(NOW - 61), Some("IdTokenTime")),
            ("C06 old", "iat", json!(NOW - 121), Some("IdTokenTime")),
            ("C06 later", "iat", json!(NOW + 61), Some("IdTokenTime")),
            ("C06 no iat", "iat", absent.clone(), Some("IdTokenClaim")),
            ("C09 an ID token", "events", absent.clone(), Some("Malformed")),
            ("other event", "events", json!({"other": {}}), Some("Malformed")),
            ("event is no object", "events", json!({EVENT: true}), Some("Malformed")),
            ("no jti", "jti", absent.clone(), Some("IdTokenClaim")),
            ("sub is a number", "sub", json!(1), Some("Malformed")),
        ] {
            let mut claims = good.clone();
            claims[name] = value;
            claims.as_object_mut().unwrap().retain(|_, value| *value != absent);
            let refused = check(claims.as_object().unwrap(), NOW)
                .err()
                .map(|error| error.reason());
            assert_eq!(refused, expected, "{row}");
        }
        let nobody = json!({"jti": "j", "iat": NOW, "exp": NOW + 60, "events": event});
        assert!(check(nobody.as_object().unwrap(), NOW).is_err(), "C07");
    }
}
