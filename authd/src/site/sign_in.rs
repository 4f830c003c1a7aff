//! `/login` and `/logout`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderValue, header};
use policy::snapshot::Settings;
use secrecy::SecretString;
use serde::Deserialize;

use super::Instead;
use super::posted::{Asked, Posted};
use super::visitor::{Visitor, origins};
use crate::app::App;
use crate::cookie;
use crate::login::oidc::logout;
use crate::login::password::{self, Typed};
use crate::login::sign_out;
use crate::pages::csrf::Purpose;
use crate::pages::{Page, PasswordForm, Provider, Refusal, SignIn, SignedOut};

/// `GET /login`. Somebody who is signed in already goes on at once, unless they have to sign in again.
pub async fn show(visitor: Visitor, asked: Asked) -> Response {
    let return_to = visitor.return_to(asked.address());
    match &return_to {
        Some(address) if visitor.session.is_some() && !asked.again() => Redirect::to(address).into_response(),
        _ => page(&visitor, "", return_to.as_deref(), (asked.again(), None)),
    }
}

/// What the form posts.
#[derive(Deserialize)]
pub struct Typing {
    email: String,
    password: SecretString,
    #[serde(default)]
    csrf: String,
    return_to: Option<String>,
    /// `login`: the person is signed in and has to sign in once more.
    prompt: Option<String>,
}

/// `POST /login`: on to where the person wanted to go (303), or the page again with what is wrong.
pub async fn post(State(app): State<Arc<App>>, visitor: Visitor, Posted(posted): Posted<Typing>) -> Response {
    let return_to = visitor.return_to(posted.return_to.as_deref());
    let again = posted.prompt.as_deref() == Some("login");
    if !visitor.posted(Purpose::SignIn, &posted.csrf) {
        let refusal = (again, Some(Refusal::StaleForm));
        return page(&visitor, &posted.email, return_to.as_deref(), refusal);
    }
    let typed = Typed {
        email: &posted.email,
        password: posted.password,
    };
    match password::sign_in(&app, &visitor.serving, typed, visitor.origin.device()).await {
        Ok(signed_in) => {
            // A session that was there before does not outlive signing in again.
            if let Some(before) = &visitor.session {
                let _ = sign_out::end_session(&app, before.claims.account, before.claims.session).await;
            }
            let mut response = Redirect::to(return_to.as_deref().unwrap_or("/account")).into_response();
            let settings = visitor.serving.settings();
            no_store(&mut response);
            if let Some(cookie) = cookie::set(settings, &signed_in.token.text, signed_in.token.expires_at) {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(error) => {
            let refusal = (again, Some(refusal(&error)));
            page(&visitor, &posted.email, return_to.as_deref(), refusal)
        }
    }
}

fn refusal(error: &password::Error) -> Refusal {
    match error {
        password::Error::Limited(limited) => Refusal::TooMany {
            retry_after: limited.retry_after,
        },
        password::Error::Credentials | password::Error::NotAdmitted | password::Error::Disabled => Refusal::Credentials,
        password::Error::Busy | password::Error::Unavailable(_) | password::Error::Broken(_) => Refusal::Unavailable,
    }
}

/// The page, with what was typed before, whether the person has to sign in once more, and what is wrong.
pub(super) fn page(
    visitor: &Visitor,
    email: &str,
    return_to: Option<&str>,
    (again, refusal): (bool, Option<Refusal>),
) -> Response {
    let csrf = visitor.form_token(Purpose::SignIn);
    let email = email.get(..email.len().min(254)).unwrap_or_default();
    let form_origins = origins(return_to);
    let providers: Vec<Provider<'_>> = visitor.serving.engine.providers().filter_map(link).collect();
    let page = SignIn {
        site: &visitor.serving.site,
        password: visitor
            .serving
            .password_provider()
            .map(|_| PasswordForm { csrf: &csrf, email }),
        providers: &providers,
        return_to,
        again,
        refusal,
        form_origins: &form_origins,
    };
    visitor.with_visit(page.respond())
}

fn link(provider: &policy::snapshot::Provider) -> Option<Provider<'_>> {
    provider.method.is_elsewhere().then_some(Provider {
        name: &provider.name,
        title: &provider.display_name,
    })
}

/// What the sign-out form posts.
#[derive(Debug, Deserialize)]
pub struct Leaving {
    #[serde(default)]
    csrf: String,
    return_to: Option<String>,
    /// `sign-in`: the person wants to sign in as somebody else.
    then: Option<String>,
}

/// `POST /logout`: ends the session and takes the cookie away.
///
/// # Errors
/// The database does not answer: the session goes on.
pub async fn leave(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Posted(posted): Posted<Leaving>,
) -> Result<Response, Instead> {
    let settings = visitor.serving.settings();
    let mut elsewhere = None;
    if let Some(session) = &visitor.session {
        if !visitor.posted(Purpose::SignOut(session.claims.session), &posted.csrf) {
            return Ok(Redirect::to("/account").into_response());
        }
        elsewhere = logout::elsewhere(&app, &visitor.serving, session.claims.session).await;
        sign_out::end_session(&app, session.claims.account, session.claims.session).await?;
    }
    if let (Some(elsewhere), None) = (&elsewhere, &posted.then) {
        let page = SignedOut {
            site: &visitor.serving.site,
            elsewhere: Some(elsewhere.as_str()),
        };
        return Ok(without_session(settings, page.respond()));
    }
    let next = match posted.then.as_deref() {
        Some("sign-in") => sign_in_again(visitor.return_to(posted.return_to.as_deref())),
        _ => settings
            .sign_out_redirect
            .clone()
            .unwrap_or_else(|| "/signed-out".to_owned()),
    };
    Ok(without_session(settings, Redirect::to(&next).into_response()))
}

fn without_session(settings: &Settings, mut response: Response) -> Response {
    no_store(&mut response);
    response
        .headers_mut()
        .insert(header::SET_COOKIE, cookie::clear(settings));
    response
}

fn sign_in_again(return_to: Option<String>) -> String {
    let Some(address) = return_to else {
        return "/login".to_owned();
    };
    let address: String = url::form_urlencoded::byte_serialize(address.as_bytes()).collect();
    format!("/login?return_to={address}")
}

fn no_store(response: &mut Response) {
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}
