//! Who calls the JSON API, and whether that is enough for a route.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use uuid::Uuid;

use super::refusal::{self, Refusal};
use super::serving;
use crate::app::App;
use crate::client_address::client_address;
use crate::error::ApiError;
use crate::identity::{Caller, Credential, Means, count_guess, identify};
use crate::login::session::Device;
use crate::serving::Serving;
use crate::store::{Role, User};
use crate::token::Claims;

/// The address of the peer, put into each request by the listener.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub std::net::IpAddr);

/// Where a request comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The address, where it is known.
    pub address: Option<std::net::IpAddr>,
    /// What the browser calls itself.
    pub user_agent: String,
}

impl Origin {
    /// As sessions remember it.
    #[must_use]
    pub fn device(&self) -> Device<'_> {
        Device {
            address: self.address,
            user_agent: &self.user_agent,
        }
    }
}

impl FromRequestParts<Arc<App>> for Origin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let serving = serving(app)?;
        let peer = parts.extensions.get::<Peer>().copied();
        let address = peer.and_then(|Peer(peer)| client_address(serving.settings(), peer, &parts.headers));
        let user_agent = parts
            .headers
            .get(http::header::USER_AGENT)
            .and_then(|agent| agent.to_str().ok());
        Ok(Self {
            address,
            user_agent: user_agent.unwrap_or_default().to_owned(),
        })
    }
}

/// Somebody who is signed in, with a session of their own or a key: also one whose account is pending.
#[derive(Debug)]
pub struct SignedIn {
    /// What is served.
    pub serving: Arc<Serving>,
    /// Who it is.
    pub caller: Arc<Caller>,
    /// Their account.
    pub user: User,
    /// The credential as it was shown.
    pub token: String,
}

/// Somebody who is signed in by a session, not by a key: keys do not manage accounts.
#[derive(Debug)]
pub struct InSession {
    /// Who it is.
    pub signed_in: SignedIn,
    /// What their token says.
    pub claims: Claims,
}

/// As [`InSession`], and not pending.
#[derive(Debug)]
pub struct Verified(pub InSession);

/// As [`InSession`], and an administrator.
#[derive(Debug)]
pub struct Admin(pub InSession);

impl SignedIn {
    /// The account's id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.user.id
    }

    async fn refuse(&self, parts: &mut Parts, app: &Arc<App>, refusal: Refusal) -> Result<ApiError, ApiError> {
        refuse(parts, app, &self.serving, &self.caller, refusal).await
    }
}

/// Writes down that somebody who is known was kept out, and says what they are told.
async fn refuse(
    parts: &mut Parts,
    app: &Arc<App>,
    serving: &Serving,
    caller: &Caller,
    refusal: Refusal,
) -> Result<ApiError, ApiError> {
    let from = Origin::from_request_parts(parts, app).await?;
    refusal::record(app, serving, parts, &from, (refusal.reason(), caller.account()));
    Ok(refusal.into())
}

impl FromRequestParts<Arc<App>> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let serving = serving(app)?;
        let credential = Credential::read(&parts.headers, &serving.settings().cookie.name);
        let token = match credential {
            Credential::Token(text) | Credential::Cookie(text) | Credential::Key(text) => text.to_owned(),
            Credential::None => return Err(ApiError::unauthenticated()),
            Credential::Malformed(_) => String::new(),
        };
        let caller = match identify(app, &serving, credential).await {
            Ok(caller) => caller,
            Err(error) => {
                let from = Origin::from_request_parts(parts, app).await?;
                refusal::record(app, &serving, parts, &from, (error.reason(), None));
                count_guess(app, &serving, from.address, &error).map_err(ApiError::limited)?;
                return Err(error.into());
            }
        };
        let Some(id) = caller.account() else {
            return Err(refuse(parts, app, &serving, &caller, Refusal::NotAPerson).await?);
        };
        let user = app.store.user_by_id(id).await?.ok_or_else(ApiError::unauthenticated)?;
        Ok(Self {
            serving,
            caller,
            user,
            token,
        })
    }
}

impl FromRequestParts<Arc<App>> for InSession {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let signed_in = SignedIn::from_request_parts(parts, app).await?;
        match &signed_in.caller.means {
            Means::Session { claims, .. } => Ok(Self {
                claims: *claims,
                signed_in,
            }),
            _ => Err(signed_in.refuse(parts, app, Refusal::SessionNeeded).await?),
        }
    }
}

impl FromRequestParts<Arc<App>> for Verified {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let session = InSession::from_request_parts(parts, app).await?;
        if session.signed_in.caller.principal.is_pending() {
            return Err(session.signed_in.refuse(parts, app, Refusal::Pending).await?);
        }
        Ok(Self(session))
    }
}

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let Verified(session) = Verified::from_request_parts(parts, app).await?;
        if session.signed_in.user.role == Role::Admin || session.signed_in.caller.principal.roles().contains("admin") {
            return Ok(Self(session));
        }
        Err(session.signed_in.refuse(parts, app, Refusal::AdminOnly).await?)
    }
}
