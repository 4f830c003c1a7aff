//! The devices on which one is signed in: listed, and ended one by one or all but this one.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use uuid::Uuid;

use super::Answer;
use super::answers::{Device, Devices, Ended};
use super::caller::InSession;
use crate::app::App;
use crate::login::sign_out::{Which, end_others};

/// `GET /api/v1/auths/sessions`.
///
/// # Errors
/// The database does not answer.
pub async fn list(State(app): State<Arc<App>>, caller: InSession) -> Answer<Json<Devices>> {
    let sessions = app.store.sessions_of(caller.signed_in.id(), app.now()).await?;
    let here = caller.claims.session;
    Ok(Json(Devices {
        sessions: sessions.iter().map(|session| Device::of(session, here)).collect(),
    }))
}

/// `DELETE /api/v1/auths/sessions/{id}`.
///
/// # Errors
/// There is no such session of one's own.
pub async fn end_one(State(app): State<Arc<App>>, caller: InSession, Path(id): Path<Uuid>) -> Answer<Json<bool>> {
    end_others(&app, caller.signed_in.id(), caller.claims.session, Which::One(id)).await?;
    Ok(Json(true))
}

/// `DELETE /api/v1/auths/sessions`: all but this one.
///
/// # Errors
/// The database does not answer.
pub async fn end_all_others(State(app): State<Arc<App>>, caller: InSession) -> Answer<Json<Ended>> {
    let ended = end_others(&app, caller.signed_in.id(), caller.claims.session, Which::Others).await?;
    Ok(Json(Ended { ended }))
}
