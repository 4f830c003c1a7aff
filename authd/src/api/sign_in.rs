//! `signin`, `signup`, `signout`, `add`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use crds::DefaultRole;
use http::{HeaderMap, HeaderValue, header};
use secrecy::SecretString;
use serde::Deserialize;

use super::answers::{Account, Permissions, Session, SignedOut};
use super::body::Body;
use super::caller::{Admin, Origin};
use super::{Answer, account, serving};
use crate::app::App;
use crate::audit::{Event, Kind, Outcome};
use crate::cookie;
use crate::error::ApiError;
use crate::identity::{Credential, identify};
use crate::login::oidc::logout;
use crate::login::password::{self, Typed};
use crate::login::session::{self, Token};
use crate::login::sign_out;
use crate::serving::Serving;
use crate::shared::{Attempt, Purpose};
use crate::store::{NewUser, Role, User};

/// The body of `signin`.
#[derive(Debug, Deserialize)]
pub struct SignIn {
    email: String,
    password: SecretString,
}

/// The body of `signup`, and of `add` with a role.
#[derive(Debug, Deserialize)]
pub struct NewAccount {
    name: String,
    email: String,
    password: SecretString,
    profile_image_url: Option<String>,
    role: Option<String>,
}

/// `POST /api/v1/auths/signin`: 200 with the session, or 400 for wrong credentials.
///
/// # Errors
/// They are not signed in.
pub async fn sign_in(State(app): State<Arc<App>>, origin: Origin, Body(body): Body<SignIn>) -> Answer<Response> {
    let serving = serving(&app)?;
    let typed = Typed {
        email: &body.email,
        password: body.password,
    };
    let signed_in = password::sign_in(&app, &serving, typed, origin.device()).await?;
    Ok(session_answer(&serving, &signed_in.user, &signed_in.token))
}

/// `POST /api/v1/auths/signup`: an account of one's own, where that is switched on.
///
/// # Errors
/// It is switched off, or the account cannot be made.
pub async fn sign_up(State(app): State<Arc<App>>, origin: Origin, Body(body): Body<NewAccount>) -> Answer<Response> {
    let serving = serving(&app)?;
    let provider = serving.password_provider();
    let (Some(provider), Some(role)) = (provider, serving.settings().signup) else {
        return Err(ApiError::forbidden(
            "signup_disabled",
            "making an account of one's own is switched off",
        ));
    };
    let address = origin
        .address
        .unwrap_or(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
    let attempt = Attempt {
        purpose: Purpose::SignUp,
        account: None,
        address,
    };
    let reservation = serving.limits.reserve(attempt, app.now()).await;
    let reservation = reservation.map_err(ApiError::limited)?;
    let role = match role {
        DefaultRole::Pending => Role::Pending,
        DefaultRole::User => Role::User,
    };
    let created = create(&app, &serving, body, role, Proof::None).await;
    // An account made is what the limit is there for: it counts too.
    app.failed(reservation).await;
    let user = created?;
    app.audit.record(Event {
        actor_id: Some(user.id),
        actor_email: Some(user.email.clone()),
        client_address: origin.address,
        ..Event::new(app.now(), Kind::SignUp, Outcome::Success)
    });
    let token = session::begin(&app, &serving, &user, provider, origin.device()).await?;
    Ok(session_answer(&serving, &user, &token))
}

/// `POST /api/v1/auths/add`: an administrator makes an account. No token comes back: the person signs in.
///
/// # Errors
/// The account cannot be made.
pub async fn add(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
    Body(body): Body<NewAccount>,
) -> Answer<Json<Account>> {
    let role = body.role.as_deref().unwrap_or("pending").parse::<Role>();
    let role = role.map_err(|error| ApiError::invalid(error.to_string()))?;
    let user = create(&app, &admin.signed_in.serving, body, role, Proof::Admin).await?;
    app.audit.record(Event {
        actor_id: Some(admin.signed_in.id()),
        subject_id: Some(user.id.to_string()),
        ..Event::new(app.now(), Kind::UserCreated, Outcome::Success)
    });
    Ok(Json(Account::from(&user)))
}

/// Who vouches for an e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    None,
    Admin,
}

async fn create(app: &App, serving: &Serving, body: NewAccount, role: Role, proof: Proof) -> Answer<User> {
    use secrecy::ExposeSecret;
    if serving.password_provider().is_none() {
        return Err(ApiError::forbidden(
            "password_sign_in_disabled",
            "signing in with a password is switched off",
        ));
    }
    let email = account::email(&body.email)?;
    let name = account::name(&body.name)?;
    let image = account::image(body.profile_image_url.as_deref().unwrap_or("/user.png"))?;
    serving
        .passwords
        .check(body.password.expose_secret(), &email)
        .map_err(|refusal| ApiError::bad_request("invalid_password", refusal.to_string()))?;
    let hash = serving.hashing.hash(body.password).await?;
    let now = app.now();
    let user = NewUser {
        id: app.random.id(now),
        email,
        email_verified: proof == Proof::Admin,
        name,
        role,
        password_hash: Some(hash.into()),
        profile_image_url: image,
        created_at: now,
    };
    app.store.create_user(&user).await.map_err(|error| match error {
        crate::store::Error::Conflict => {
            ApiError::bad_request("email_taken", "an account with this e-mail cannot be made")
        }
        other => other.into(),
    })
}

/// `POST /api/v1/auths/signout`: ends the session that is shown, if any; 200 always.
///
/// # Errors
/// The database does not answer: nothing was ended.
pub async fn sign_out(State(app): State<Arc<App>>, headers: HeaderMap) -> Answer<Response> {
    let serving = serving(&app)?;
    let credential = Credential::read(&headers, &serving.settings().cookie.name);
    let mut elsewhere = None;
    match identify(&app, &serving, credential).await {
        Ok(caller) => {
            if let Some(claims) = caller.session() {
                elsewhere = logout::elsewhere(&app, &serving, claims.session).await;
                sign_out::end_session(&app, claims.account, claims.session).await?;
            }
        }
        Err(crate::identity::Error::Unavailable(error)) => return Err(error.into()),
        Err(_) => {}
    }
    let body = SignedOut {
        status: true,
        redirect_url: elsewhere
            .map(String::from)
            .or_else(|| serving.settings().sign_out_redirect.clone()),
    };
    let mut response = Json(body).into_response();
    response
        .headers_mut()
        .insert(header::SET_COOKIE, cookie::clear(serving.settings()));
    response
        .headers_mut()
        .insert("clear-site-data", HeaderValue::from_static("\"cache\""));
    Ok(response)
}

/// The answer to somebody who signed in.
pub(super) fn session_answer(serving: &Serving, user: &User, token: &Token) -> Response {
    let body = Session {
        token: token.text.clone(),
        token_type: "Bearer",
        expires_at: token.expires_at,
        account: user.into(),
        permissions: Permissions::of(serving, user.role),
    };
    let mut response = Json(body).into_response();
    if let Some(cookie) = cookie::set(serving.settings(), &token.text, token.expires_at) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
