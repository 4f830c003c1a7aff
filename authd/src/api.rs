//! The JSON API under `/api`: the routes and members of the system that authd grew out of, with its weaknesses mended.

pub mod account;
pub mod answers;
pub mod body;
pub mod caller;
pub mod config;
pub mod keys;
pub mod ldap;
pub mod profile;
pub mod refusal;
pub mod sessions;
pub mod sign_in;
pub mod token_exchange;
pub mod users;
pub mod well_known;

use std::sync::Arc;

use crate::app::App;
use crate::error::ApiError;
use crate::serving::Serving;

/// What handlers answer with.
pub type Answer<T> = Result<T, ApiError>;

/// What is served right now, for a handler.
///
/// # Errors
/// Nothing is served yet.
pub fn serving(app: &App) -> Answer<Arc<Serving>> {
    app.serving().ok_or_else(ApiError::unavailable)
}
