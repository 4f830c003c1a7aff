//! `ldap`: signing in with a directory.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use secrecy::SecretString;
use serde::Deserialize;

use super::body::Body;
use super::caller::Origin;
use super::sign_in::session_answer;
use super::{Answer, serving};
use crate::app::App;
use crate::error::ApiError;
use crate::login::ldap::{self, Error, Typed};

/// The body of `ldap`.
#[derive(Debug, Deserialize)]
pub struct SignIn {
    user: String,
    password: SecretString,
    /// The AuthProvider, where there is more than one directory.
    provider: Option<String>,
}

/// `POST /api/v1/auths/ldap`: 200 with the session, or 400, which says the same whatever is wrong.
///
/// # Errors
/// They are not signed in.
pub async fn sign_in(State(app): State<Arc<App>>, origin: Origin, Body(body): Body<SignIn>) -> Answer<Response> {
    let serving = serving(&app)?;
    let typed = Typed {
        provider: body.provider.as_deref(),
        username: &body.user,
        password: body.password,
    };
    let signed_in = ldap::sign_in(&app, &serving, typed, origin.device()).await?;
    Ok(session_answer(&serving, &signed_in.user, &signed_in.token))
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NoDirectory => Self::bad_request(
                "no_directory",
                "no directory is declared by that name: name one of `ldap.providers` of /api/config as `provider`",
            ),
            Error::Limited(limited) => Self::limited(limited),
            Error::Refused => Self::bad_request(
                "ldap_failed",
                "signing in did not work: check the user name and the password, or try again later",
            ),
            Error::Unavailable(error) => error.into(),
            Error::Broken(what) => Self::internal(&what),
        }
    }
}
