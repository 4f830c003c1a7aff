//! One's own account: who am I, the profile, the password, and whom to ask.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use super::answers::{Account, Contact, Me, Permissions};
use super::body::Body;
use super::caller::{InSession, Origin, SignedIn, Verified};
use super::{Answer, account};
use crate::app::App;
use crate::cookie;
use crate::error::ApiError;
use crate::login::change_password::{self, Change};
use crate::store::Profile;

/// `GET /api/v1/auths/`: who is signed in, also one who is pending.
///
/// # Errors
/// Nobody is.
pub async fn me(caller: SignedIn) -> Answer<Response> {
    let user = &caller.user;
    let claims = caller.caller.session();
    let body = Me {
        token: claims.map(|_| caller.token.clone()),
        token_type: "Bearer",
        expires_at: claims.and_then(|claims| claims.expires_at),
        account: user.into(),
        bio: user.bio.clone(),
        gender: user.gender.clone(),
        date_of_birth: user.date_of_birth,
        status_emoji: None,
        status_message: None,
        status_expires_at: None,
        permissions: Permissions::of(&caller.serving, user.role),
    };
    let mut response = Json(body).into_response();
    let settings = caller.serving.settings();
    if let Some(cookie) = claims.and_then(|claims| cookie::set(settings, &caller.token, claims.expires_at)) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The body of `update/profile`. A member that is left out stays as it is; `null` takes it away.
#[derive(Debug, Deserialize)]
pub struct UpdateProfile {
    name: String,
    profile_image_url: String,
    #[serde(default, deserialize_with = "present")]
    bio: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    gender: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    date_of_birth: Option<Option<jiff::civil::Date>>,
}

fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// `POST /api/v1/auths/update/profile`.
///
/// # Errors
/// A field cannot be accepted, or the account is pending.
pub async fn update(
    State(app): State<Arc<App>>,
    Verified(caller): Verified,
    Body(body): Body<UpdateProfile>,
) -> Answer<Json<Account>> {
    let user = &caller.signed_in.user;
    let profile = Profile {
        name: account::name(&body.name)?,
        profile_image_url: account::image(&body.profile_image_url)?,
        bio: account::words(body.bio.unwrap_or_else(|| user.bio.clone()), 1000)?,
        gender: account::words(body.gender.unwrap_or_else(|| user.gender.clone()), 64)?,
        date_of_birth: body.date_of_birth.unwrap_or(user.date_of_birth),
    };
    let user = app.store.update_profile(user.id, &profile, app.now()).await?;
    app.account_changed(user.id);
    Ok(Json(Account::from(&user)))
}

/// The body of `update/password`.
#[derive(Debug, Deserialize)]
pub struct UpdatePassword {
    password: SecretString,
    new_password: SecretString,
}

/// `POST /api/v1/auths/update/password`: `true`; every other session of the account ends.
///
/// # Errors
/// The current password is wrong, or the new one cannot be accepted.
pub async fn update_password(
    State(app): State<Arc<App>>,
    origin: Origin,
    caller: InSession,
    Body(body): Body<UpdatePassword>,
) -> Answer<Json<bool>> {
    let change = Change {
        user: &caller.signed_in.user,
        session: caller.claims.session,
        current: body.password,
        new: body.new_password,
        address: origin.address,
    };
    change_password::change(&app, &caller.signed_in.serving, change).await?;
    Ok(Json(true))
}

/// `GET /api/v1/auths/admin/details`: whom to ask, where the instance says so.
///
/// # Errors
/// The instance names nobody.
pub async fn admin_details(caller: SignedIn) -> Answer<Json<Contact>> {
    match &caller.serving.settings().admin_contact {
        Some((name, email)) => Ok(Json(Contact {
            name: name.clone(),
            email: email.clone(),
        })),
        None => Err(ApiError::forbidden("no_contact", "this instance names nobody to ask")),
    }
}

impl From<change_password::Error> for ApiError {
    fn from(error: change_password::Error) -> Self {
        use change_password::Error;
        match error {
            Error::NoPassword => Self::forbidden("no_password", "the account has no password to change"),
            Error::Disabled => Self::forbidden(
                "password_sign_in_disabled",
                "signing in with a password is switched off",
            ),
            Error::Wrong => Self::bad_request("incorrect_password", "the current password is not right"),
            Error::Limited(limited) => Self::limited(limited),
            Error::Refused(refusal) => Self::bad_request("invalid_password", refusal.to_string()),
            Error::Hashing(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}
