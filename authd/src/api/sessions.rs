//! The devices on which one is signed in: listed, and ended one by one or all but this one.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Answer;
use super::caller::InSession;
use crate::app::App;
use crate::login::sign_out::{Which, end_others};

/// `GET /api/v1/auths/sessions`.
///
/// # Errors
/// The database does not answer.
pub async fn list(State(app): State<Arc<App>>, caller: InSession) -> Answer<Json<Value>> {
    let sessions = app.store.sessions_of(caller.signed_in.id(), app.now()).await?;
    let rows: Vec<Value> = sessions
        .iter()
        .map(|session| {
            json!({
                "id": session.id,
                "current": session.id == caller.claims.session,
                "created_at": session.created_at.as_second(),
                "last_seen_at": session.last_seen_at.as_second(),
                "expires_at": session.expires_at.map(|at| at.as_second()),
                "client_address": session.client_address,
                "user_agent": session.user_agent,
                "provider": session.provider,
            })
        })
        .collect();
    Ok(Json(json!({ "sessions": rows })))
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
pub async fn end_all_others(State(app): State<Arc<App>>, caller: InSession) -> Answer<Json<Value>> {
    let ended = end_others(&app, caller.signed_in.id(), caller.claims.session, Which::Others).await?;
    Ok(Json(json!({ "ended": ended })))
}
