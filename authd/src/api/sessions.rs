//! The devices on which somebody is signed in: listed, and ended one by one, all but this one, or all. One's own, and for
//! administrators anybody's.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use http::header;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use uuid::Uuid;

use super::answers::{Devices, Ended};
use super::body::Body;
use super::caller::{Admin, InSession};
use super::users::{known, protect_primary};
use super::{Answer, serving};
use crate::app::App;
use crate::cookie;
use crate::error::ApiError;
use crate::login::devices;
use crate::login::sign_out::{By, Which, end, end_through, end_token};

/// `GET /api/v1/auths/sessions`.
///
/// # Errors
/// The database does not answer.
pub async fn list(State(app): State<Arc<App>>, caller: InSession) -> Answer<Json<Devices>> {
    let signed_in = &caller.signed_in;
    let sessions = devices::of(&app, &signed_in.serving, signed_in.id()).await?;
    Ok(Json(Devices::of(&sessions, Some(caller.claims.session))))
}

/// `DELETE /api/v1/auths/sessions/{id}`.
///
/// # Errors
/// There is no such session of one's own.
pub async fn end_one(State(app): State<Arc<App>>, caller: InSession, Path(id): Path<Uuid>) -> Answer<Json<bool>> {
    end(&app, caller.signed_in.id(), By::Owner, Which::One(id)).await?;
    Ok(Json(true))
}

/// How many of one's own to end.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct EndQuery {
    here: Here,
}

/// What becomes of the session that asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Here {
    #[default]
    Stays,
    Ends,
}

/// `DELETE /api/v1/auths/sessions`: all but this one; with `?here=ends` this one too.
///
/// # Errors
/// The database does not answer.
pub async fn end_own(
    State(app): State<Arc<App>>,
    caller: InSession,
    Query(query): Query<EndQuery>,
) -> Answer<Response> {
    let which = match query.here {
        Here::Stays => Which::AllBut(caller.claims.session),
        Here::Ends => Which::All,
    };
    let ended = end(&app, caller.signed_in.id(), By::Owner, which).await?;
    let mut response = Json(Ended { ended }).into_response();
    if which == Which::All {
        let cleared = cookie::clear(caller.signed_in.serving.settings());
        response.headers_mut().insert(header::SET_COOKIE, cleared);
    }
    Ok(response)
}

/// A token to be revoked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenToRevoke {
    token: SecretString,
}

/// `POST /api/v1/auths/token/revoke`: one token, by whoever has it (as in RFC 7009). Its session goes on with others.
///
/// # Errors
/// The database does not answer.
pub async fn revoke_token(State(app): State<Arc<App>>, Body(body): Body<TokenToRevoke>) -> Answer<Json<bool>> {
    let verified = serving(&app)?.tokens.verify(body.token.expose_secret(), app.now());
    // What is none of ours, or no longer good, need not be revoked, and nobody learns which it is.
    if let Ok(claims) = verified {
        end_token(&app, &claims).await?;
    }
    Ok(Json(true))
}

/// `GET /api/v1/users/{id}/sessions`.
///
/// # Errors
/// There is no such account.
pub async fn list_of(State(app): State<Arc<App>>, Admin(admin): Admin, Path(id): Path<Uuid>) -> Answer<Json<Devices>> {
    known(&app, id).await?;
    let sessions = devices::of(&app, &admin.signed_in.serving, id).await?;
    Ok(Json(Devices::of(&sessions, Some(admin.claims.session))))
}

/// `DELETE /api/v1/users/{id}/sessions`: all of them.
///
/// # Errors
/// There is no such account, or it is the primary administrator's.
pub async fn end_all_of(State(app): State<Arc<App>>, Admin(admin): Admin, Path(id): Path<Uuid>) -> Answer<Json<Ended>> {
    known(&app, id).await?;
    protect_primary(&app, admin.signed_in.id(), id).await?;
    let ended = end(&app, id, By::Admin(&admin.signed_in.user), Which::All).await?;
    Ok(Json(Ended { ended }))
}

/// `DELETE /api/v1/providers/{name}/sessions`: of everybody who signed in through it.
///
/// # Errors
/// There is no such provider and nobody signed in through it.
pub async fn end_all_through(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
    Path(name): Path<String>,
) -> Answer<Json<Ended>> {
    let ended = end_through(&app, &admin.signed_in.user, &name).await?;
    if ended == 0 && admin.signed_in.serving.engine.provider(&name).is_none() {
        return Err(ApiError::not_found("there is no such provider"));
    }
    Ok(Json(Ended { ended }))
}

/// `DELETE /api/v1/users/{id}/sessions/{session}`.
///
/// # Errors
/// The account has no such session, or it is the primary administrator's.
pub async fn end_one_of(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
    Path((id, session)): Path<(Uuid, Uuid)>,
) -> Answer<Json<bool>> {
    protect_primary(&app, admin.signed_in.id(), id).await?;
    end(&app, id, By::Admin(&admin.signed_in.user), Which::One(session)).await?;
    Ok(Json(true))
}
