//! `/oauth/{provider}/login` and `/oauth/{provider}/callback`: to the provider's own pages, and back.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, Json};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use policy::snapshot::Provider;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use url::form_urlencoded;
use uuid::Uuid;

use super::posted::Asked;
use super::visitor::Visitor;
use super::{notices, sign_in};
use crate::api::caller::Origin;
use crate::app::App;
use crate::cookie;
use crate::login::arrival;
use crate::login::oidc::authorize::{self, Purpose};
use crate::login::oidc::callback::{self, Answer, Coming, Finished};
use crate::login::oidc::logout;
use crate::login::oidc::{Error, forget, forget_old, transport};
use crate::login::sign_out;
use crate::pages::Refusal;
use crate::pages::csrf::Purpose as CsrfPurpose;
use crate::serving::Serving;
use crate::shared::{Attempt, Limited, Purpose as Limit};

/// `GET /oauth/{provider}/login`: to the provider.
pub async fn login(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Path(name): Path<String>,
    asked: Asked,
    RawQuery(query): RawQuery,
) -> Response {
    let (return_to, again) = (visitor.return_to(asked.address()), asked.again(&visitor.serving));
    let Some(provider) = elsewhere(&visitor.serving, &name) else {
        return notices::not_found(visitor).await;
    };
    if !is_navigation(&visitor.headers) {
        let refusal = (again.as_ref(), Some(Refusal::Provider));
        return sign_in::page(&visitor, "", return_to.as_deref(), refusal);
    }
    let link = match asked_to_link(&visitor, query.as_deref()) {
        Ok(link) => link,
        Err(()) => return Redirect::to("/account").into_response(),
    };
    let purpose = Purpose {
        return_to: return_to.clone(),
        link,
        again: again.clone(),
    };
    match authorize::begin(&app, &visitor.serving, provider, purpose).await {
        Ok(sent) => {
            let mut response = Redirect::to(sent.to.as_str()).into_response();
            let settings = visitor.serving.settings();
            let old = forget_old(
                &visitor.headers,
                &visitor.serving.sealing,
                transport(settings),
                app.now(),
            );
            for cookie in old.into_iter().chain([sent.cookie]) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            no_store(&mut response);
            response
        }
        Err(error) => {
            tracing::warn!(provider = name, reason = error.reason(), error = %error, "nobody can be sent to the provider");
            let refusal = (again.as_ref(), Some(refusal(&error)));
            sign_in::page(&visitor, "", return_to.as_deref(), refusal)
        }
    }
}

/// The provider of that name, if people sign in on pages of its own.
fn elsewhere<'a>(serving: &'a Serving, name: &str) -> Option<&'a Provider> {
    let provider = serving.engine.provider(name);
    provider.filter(|found| found.method.is_elsewhere())
}

/// `GET /oauth/{provider}/callback`: on to where the person wanted to go, with a session.
pub async fn callback(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(provider) = elsewhere(&visitor.serving, &name) else {
        return notices::not_found(visitor).await;
    };
    let query = query.unwrap_or_default();
    let session = visitor.session.as_ref();
    let coming = Coming {
        query: &query,
        headers: &visitor.headers,
        device: visitor.origin.device(),
        session: session.map(|session| (session.claims.session, session.signed_in.id())),
    };
    let outcome = callback::finish(&app, &visitor.serving, provider, coming).await;
    let settings = visitor.serving.settings();
    let mut response = match outcome {
        Ok(Finished::Linked) => Redirect::to("/account?done=linked").into_response(),
        Ok(Finished::SignedIn { signed_in, return_to }) => {
            // A session that was there before does not outlive signing in again.
            if let Some(before) = session {
                let _ = sign_out::end_session(&app, before.claims.account, before.claims.session).await;
            }
            let return_to = visitor.return_to(return_to.as_deref());
            let mut response = Redirect::to(return_to.as_deref().unwrap_or("/account")).into_response();
            if let Some(cookie) = cookie::set(settings, &signed_in.token.text, signed_in.token.expires_at) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(Error::Linking(error)) => {
            tracing::info!(provider = name, error = %error, "nothing was linked");
            Redirect::to("/account?done=not-linked").into_response()
        }
        Err(error) => sign_in::page(&visitor, "", None, (None, Some(refusal(&error)))),
    };
    if let Ok(answer) = Answer::read(&query) {
        response
            .headers_mut()
            .append(header::SET_COOKIE, forget(&answer.state, transport(settings)));
    }
    no_store(&mut response);
    response
}

/// The session whose account is to be linked, if that was asked for from its own account page.
fn asked_to_link(visitor: &Visitor, query: Option<&str>) -> Result<Option<Uuid>, ()> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let mut tokens = pairs.filter(|(name, _)| name == "link").map(|(_, token)| token);
    let Some(token) = tokens.next() else {
        return Ok(None);
    };
    let session = visitor.session.as_ref().ok_or(())?.claims.session;
    let holds = visitor
        .serving
        .csrf
        .holds(&visitor.headers, CsrfPurpose::Account(session), &token);
    if holds { Ok(Some(session)) } else { Err(()) }
}

/// What a provider posts to end sessions.
#[derive(Debug, Deserialize)]
pub struct Ending {
    logout_token: SecretString,
}

/// Why nothing was ended.
#[derive(Debug)]
pub struct NotEnded {
    status: StatusCode,
    retry_after: Option<u64>,
}

impl From<StatusCode> for NotEnded {
    fn from(status: StatusCode) -> Self {
        Self {
            status,
            retry_after: None,
        }
    }
}

impl From<Limited> for NotEnded {
    fn from(limited: Limited) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            retry_after: Some(limited.retry_after),
        }
    }
}

impl IntoResponse for NotEnded {
    fn into_response(self) -> Response {
        let retry = self
            .retry_after
            .map(|seconds| [(header::RETRY_AFTER, HeaderValue::from(seconds))]);
        (self.status, retry, Json(json!({"error": "invalid_request"}))).into_response()
    }
}

/// `POST /oauth/{provider}/backchannel-logout`: the provider ends sessions that began there.
///
/// # Errors
/// It is not the provider that says so, or too many who were not came from there.
pub async fn backchannel_logout(
    State(app): State<Arc<App>>,
    origin: Origin,
    Path(name): Path<String>,
    form: Result<Form<Ending>, FormRejection>,
) -> Result<StatusCode, NotEnded> {
    let Form(ending) = form.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    })?;
    let serving = app.serving().ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    let provider = serving.engine.provider(&name);
    let provider = provider.filter(|found| found.method.is_elsewhere());
    let provider = provider.ok_or(StatusCode::NOT_FOUND)?;
    let attempt = Attempt {
        purpose: Limit::LogoutToken,
        account: None,
        address: origin.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
    };
    let reservation = serving.limits.reserve(attempt, app.now()).await?;
    match logout::from_elsewhere(&app, &serving, provider, ending.logout_token.expose_secret()).await {
        Ok(_) => {
            reservation.succeeded();
            Ok(StatusCode::OK)
        }
        Err(error) => {
            tracing::warn!(provider = name, reason = error.reason(), error = %error, "a logout token was refused");
            if error.is_passing() {
                reservation.withdrawn();
                Err(StatusCode::SERVICE_UNAVAILABLE.into())
            } else {
                reservation.failed();
                Err(StatusCode::BAD_REQUEST.into())
            }
        }
    }
}

/// Whether a person goes there, as opposed to a picture or script of some page that would sign them in unseen.
fn is_navigation(headers: &HeaderMap) -> bool {
    let is = |name: &str, wanted: &[&str]| {
        headers
            .get(name)
            .is_none_or(|value| wanted.iter().any(|wanted| value.as_bytes() == wanted.as_bytes()))
    };
    is("sec-fetch-mode", &["navigate"]) && is("sec-fetch-dest", &["document"])
}

fn refusal(error: &Error) -> Refusal {
    match error {
        Error::Arrival(arrival::Error::Unavailable(_) | arrival::Error::Broken(_)) => Refusal::Unavailable,
        error if error.is_passing() => Refusal::Unavailable,
        _ => Refusal::Provider,
    }
}

fn no_store(response: &mut Response) {
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}
