//! Sessions and their tokens: begun when somebody signed in, renewed while in use.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::app::App;
use crate::identity::{Caller, Means};
use crate::serving::Serving;
use crate::store::{self, NewSession, Session, User};
use crate::token::{self, Claims};

/// A session token, to be handed to the person.
#[derive(Clone)]
pub struct Token {
    /// The token.
    pub text: String,
    /// When it expires, in epoch seconds.
    pub expires_at: Option<i64>,
    /// Its session.
    pub session: Uuid,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("expires_at", &self.expires_at)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// Where somebody signs in from.
#[derive(Clone, Copy, Debug)]
pub struct Device<'a> {
    /// The address.
    pub address: Option<IpAddr>,
    /// What the browser calls itself.
    pub user_agent: &'a str,
}

/// A session could not be begun.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database does not take part.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// No token could be signed.
    #[error(transparent)]
    Token(#[from] token::Error),
}

/// Begins a session and issues its first token. The oldest sessions beyond the allowed number end.
///
/// # Errors
/// The database does not take part, the account is gone, or nothing can be signed.
pub async fn begin(
    app: &App,
    serving: &Serving,
    user: &User,
    provider: &str,
    device: Device<'_>,
) -> Result<Token, Error> {
    let session = new(app, serving, user.id, provider, device);
    let most = serving.settings().sessions.max_per_user;
    let (session, ended) = app.store.begin_session(&session, most).await?;
    app.revoke(&ended);
    Ok(first_token(app, serving, &session)?)
}

/// A session that begins now, with a person who proves now who they are, and is not written down yet.
#[must_use]
pub(super) fn new(app: &App, serving: &Serving, user: Uuid, provider: &str, device: Device<'_>) -> NewSession {
    let now = app.now();
    let lifetime = serving.settings().sessions.lifetime;
    NewSession {
        id: app.random.id(now),
        user_id: user,
        provider: provider.to_owned(),
        created_at: now,
        signed_in_at: Some(now),
        acr: None,
        expires_at: lifetime.and_then(|seconds| later(now, seconds)),
        client_address: device.address.map_or(String::new(), |address| address.to_string()),
        user_agent: device.user_agent.chars().take(256).collect(),
    }
}

/// The first token of a session that is written down.
pub(super) fn first_token(app: &App, serving: &Serving, session: &Session) -> Result<Token, token::Error> {
    issue(app, serving, session.user_id, session.id, session.expires_at)
}

/// A fresh token for a session whose token is past its half; `None` when there is no need or no way.
#[must_use]
pub fn renew(app: &App, serving: &Serving, caller: &Caller, claims: &Claims) -> Option<Token> {
    let now = app.now().as_second();
    let expires_at = claims.expires_at?;
    let Means::Session { ends_at, .. } = &caller.means else {
        return None;
    };
    if now - claims.issued_at < (expires_at - claims.issued_at) / 2 || ends_at.is_some_and(|ends| expires_at >= ends) {
        return None;
    }
    let ends_at = ends_at.and_then(|at| Timestamp::from_second(at).ok());
    issue(app, serving, claims.account, claims.session, ends_at).ok()
}

fn issue(
    app: &App,
    serving: &Serving,
    user: Uuid,
    session: Uuid,
    ends_at: Option<Timestamp>,
) -> Result<Token, token::Error> {
    let mut claims = serving.tokens.claims(user, session, app.random.token_id(), app.now());
    // A token never outlives its session.
    if let (Some(expires_at), Some(ends_at)) = (claims.expires_at, ends_at) {
        claims.expires_at = Some(expires_at.min(ends_at.as_second()));
    }
    Ok(Token {
        text: serving.tokens.sign(&claims)?,
        expires_at: claims.expires_at,
        session,
    })
}

fn later(now: Timestamp, seconds: u64) -> Option<Timestamp> {
    now.checked_add(SignedDuration::from_secs(i64::try_from(seconds).ok()?))
        .ok()
}
