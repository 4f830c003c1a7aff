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
use crate::login::again::Again;
use crate::login::ldap;
use crate::login::oidc::logout;
use crate::login::outcome::SignedIn;
use crate::login::password::{self, Typed};
use crate::login::sign_out;
use crate::pages::csrf::Purpose;
use crate::pages::{Choice, Names, Page, PasswordForm, Provider, Refusal, SignIn, SignedOut};

/// `GET /login`. Somebody who is signed in already goes on at once, unless they have to sign in again.
pub async fn show(visitor: Visitor, asked: Asked) -> Response {
    let (return_to, again) = (visitor.return_to(asked.address()), asked.again(&visitor.serving));
    match &return_to {
        Some(address) if visitor.session.is_some() && again.is_none() => Redirect::to(address).into_response(),
        _ => page(&visitor, "", return_to.as_deref(), (again.as_ref(), None)),
    }
}

/// What the form posts.
#[derive(Deserialize)]
pub struct Typing {
    email: String,
    password: SecretString,
    /// The AuthProvider, where there is a choice.
    provider: Option<String>,
    #[serde(default)]
    csrf: String,
    return_to: Option<String>,
    /// `login`: the person is signed in and has to sign in once more.
    prompt: Option<String>,
}

/// `POST /login`: on to where the person wanted to go (303), or the page again with what is wrong.
pub async fn post(State(app): State<Arc<App>>, visitor: Visitor, Posted(posted): Posted<Typing>) -> Response {
    let return_to = visitor.return_to(posted.return_to.as_deref());
    let again = (posted.prompt.as_deref() == Some("login")).then(Again::default);
    let before = Before {
        again: again.as_ref(),
        email: &posted.email,
        provider: posted.provider.as_deref(),
    };
    if !visitor.posted(Purpose::SignIn, &posted.csrf) {
        return form(&visitor, before, return_to.as_deref(), Some(Refusal::StaleForm));
    }
    match sign_in(&app, &visitor, before, posted.password).await {
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
        Err(refusal) => form(&visitor, before, return_to.as_deref(), Some(refusal)),
    }
}

/// What was typed before, but for the password.
#[derive(Clone, Copy, Debug, Default)]
struct Before<'a> {
    email: &'a str,
    provider: Option<&'a str>,
    /// How they have to sign in once more.
    again: Option<&'a Again>,
}

impl Before<'_> {
    /// Whether they can sign in there.
    fn is_possible(&self, provider: &policy::snapshot::Provider) -> bool {
        self.again.is_none_or(|again| again.is_possible(&provider.method))
    }
}

/// Has the password checked where the person says that it is.
async fn sign_in(app: &App, visitor: &Visitor, typed: Before<'_>, password: SecretString) -> Result<SignedIn, Refusal> {
    let (serving, device) = (&visitor.serving, visitor.origin.device());
    let Before { email, provider, .. } = typed;
    let own = serving.password_provider();
    if serving.directories.is_empty() || own.is_some_and(|own| provider.is_none_or(|chosen| chosen == own)) {
        let typed = Typed { email, password };
        let signed_in = password::sign_in(app, serving, typed, device).await;
        return signed_in.map_err(|error| refusal(&error));
    }
    let typed = ldap::Typed {
        provider,
        username: email,
        password,
    };
    let signed_in = ldap::sign_in(app, serving, typed, device).await;
    signed_in.map_err(|error| match error {
        ldap::Error::Limited(limited) => Refusal::TooMany {
            retry_after: limited.retry_after,
        },
        ldap::Error::NoDirectory | ldap::Error::Refused => Refusal::Directory,
        ldap::Error::Unavailable(_) | ldap::Error::Broken(_) => Refusal::Unavailable,
    })
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

/// The page, with what was typed before, how the person has to sign in once more, and what is wrong.
pub(super) fn page(
    visitor: &Visitor,
    email: &str,
    return_to: Option<&str>,
    (again, refusal): (Option<&Again>, Option<Refusal>),
) -> Response {
    let before = Before {
        email,
        again,
        provider: None,
    };
    form(visitor, before, return_to, refusal)
}

/// The page, with what was chosen and typed before.
fn form(visitor: &Visitor, before: Before<'_>, return_to: Option<&str>, refusal: Option<Refusal>) -> Response {
    let serving = &visitor.serving;
    let csrf = visitor.form_token(Purpose::SignIn);
    let email = before.email.get(..before.email.len().min(254)).unwrap_or_default();
    let form_origins = origins(return_to);
    let providers: Vec<Provider<'_>> = serving
        .engine
        .providers()
        .filter(|provider| before.is_possible(provider))
        .filter_map(link)
        .collect();
    let choices = choices(visitor, before);
    let names = match (serving.password_provider(), choices.as_slice()) {
        (Some(_), [_]) => Names::Email,
        (Some(_), _) => Names::Either,
        (None, _) => Names::Username,
    };
    let password = PasswordForm {
        csrf: &csrf,
        email,
        names,
        choices: if choices.len() > 1 { &choices } else { &[] },
    };
    let page = SignIn {
        site: &serving.site,
        password: (!choices.is_empty()).then_some(password),
        providers: &providers,
        return_to,
        again: before.again,
        refusal,
        form_origins: &form_origins,
    };
    visitor.with_visit(page.respond())
}

/// Where somebody's password may be: with us, or in a directory.
fn choices<'a>(visitor: &'a Visitor, before: Before<'_>) -> Vec<Choice<'a>> {
    let providers = visitor.serving.engine.providers();
    let providers = providers.filter(|provider| before.is_possible(provider));
    let typed = providers.filter(|provider| provider.method.is_password() || provider.method.directory().is_some());
    let choice = |provider: &'a policy::snapshot::Provider| Choice {
        name: &provider.name,
        title: &provider.display_name,
        is_chosen: before.provider == Some(&provider.name),
    };
    typed.map(choice).collect()
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

/// The same answer, after which the browser has no session any more.
pub(super) fn without_session(settings: &Settings, mut response: Response) -> Response {
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
