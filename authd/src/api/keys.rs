//! One's own API keys. A key is shown once, when it is made.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use crds::Endpoint;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;
use uuid::Uuid;

use super::Answer;
use super::answers::{Keys, MadeKey};
use super::caller::{InSession, Verified};
use crate::app::App;
use crate::error::ApiError;
use crate::login::own_keys::{self, Wanted};

/// What may be said of a key that is to be made; all of it may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewKey {
    name: Option<String>,
    endpoints: Option<Vec<Endpoint>>,
    /// Epoch seconds.
    expires_at: Option<i64>,
}

/// `POST /api/v1/auths/api_key`: a new key, shown this once. The seed's clients send no body.
///
/// # Errors
/// Keys are switched off, the account is pending, or has too many.
pub async fn create(State(app): State<Arc<App>>, Verified(caller): Verified, body: Bytes) -> Answer<Json<MadeKey>> {
    let wanted = if body.is_empty() {
        NewKey::default()
    } else {
        read(&body)?
    };
    let expires_at = wanted.expires_at.map(Timestamp::from_second).transpose();
    let wanted = Wanted {
        name: wanted.name.unwrap_or_else(|| "API key".to_owned()),
        endpoints: wanted.endpoints,
        expires_at: expires_at.map_err(|_| ApiError::invalid("`expires_at` is not a time in epoch seconds"))?,
    };
    let (text, key) = own_keys::make(&app, &caller.signed_in.serving, caller.signed_in.id(), wanted).await?;
    Ok(Json(MadeKey {
        api_key: text.expose_secret().to_owned(),
        key: (&key).into(),
    }))
}

/// `GET /api/v1/auths/api_key`: what is known of one's keys. Never the keys.
///
/// # Errors
/// The database does not answer.
pub async fn list(State(app): State<Arc<App>>, caller: InSession) -> Answer<Json<Keys>> {
    let keys = app.store.keys_of(caller.signed_in.id()).await?;
    Ok(Json(Keys {
        keys: keys.iter().map(Into::into).collect(),
    }))
}

/// `DELETE /api/v1/auths/api_key/{id}`.
///
/// # Errors
/// There is no such key of one's own.
pub async fn delete(State(app): State<Arc<App>>, caller: InSession, Path(id): Path<Uuid>) -> Answer<Json<bool>> {
    own_keys::delete(&app, caller.signed_in.id(), id).await?;
    Ok(Json(true))
}

/// `DELETE /api/v1/auths/api_key`: all of them, as the seed's clients expect of their only one.
///
/// # Errors
/// The database does not answer.
pub async fn delete_all(State(app): State<Arc<App>>, caller: InSession) -> Answer<Json<bool>> {
    let owner = caller.signed_in.id();
    for key in app.store.keys_of(owner).await? {
        own_keys::delete(&app, owner, key.id).await?;
    }
    Ok(Json(true))
}

fn read(body: &[u8]) -> Answer<NewKey> {
    serde_json::from_slice(body)
        .map_err(|_| ApiError::invalid("send `name`, `endpoints` and `expires_at`, or nothing at all"))
}

impl From<own_keys::Error> for ApiError {
    fn from(error: own_keys::Error) -> Self {
        use own_keys::Error;
        match error {
            Error::Disabled => Self::forbidden("api_keys_disabled", error.to_string()),
            Error::TooMany(_) => Self::bad_request("too_many_keys", error.to_string()),
            Error::Name | Error::Endpoint(_) | Error::Past => Self::invalid(error.to_string()),
            Error::Store(error) => error.into(),
        }
    }
}
