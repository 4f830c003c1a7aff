//! `/oauth/{provider}/login` and `/oauth/{provider}/callback`: to the provider's own pages, and back.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderValue, header};

use super::posted::Asked;
use super::visitor::Visitor;
use super::{notices, sign_in};
use crate::app::App;
use crate::cookie;
use crate::login::arrival;
use crate::login::oidc::authorize::{self, Purpose};
use crate::login::oidc::callback::{self, Answer};
use crate::login::oidc::{Error, forget, forget_old, transport};
use crate::login::sign_out;
use crate::pages::Refusal;

/// `GET /oauth/{provider}/login`: to the provider.
pub async fn login(State(app): State<Arc<App>>, visitor: Visitor, Path(name): Path<String>, asked: Asked) -> Response {
    let return_to = visitor.return_to(asked.address());
    let Some(provider) = visitor
        .serving
        .engine
        .provider(&name)
        .filter(|found| found.method.is_elsewhere())
    else {
        return notices::not_found(visitor).await;
    };
    if !is_navigation(&visitor.headers) {
        let refusal = (asked.again(), Some(Refusal::Provider));
        return sign_in::page(&visitor, "", return_to.as_deref(), refusal);
    }
    let purpose = Purpose {
        return_to: return_to.clone(),
        link: None,
        again: asked.again(),
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
            let refusal = (asked.again(), Some(refusal(&error)));
            sign_in::page(&visitor, "", return_to.as_deref(), refusal)
        }
    }
}

/// `GET /oauth/{provider}/callback`: on to where the person wanted to go, with a session.
pub async fn callback(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(provider) = visitor
        .serving
        .engine
        .provider(&name)
        .filter(|found| found.method.is_elsewhere())
    else {
        return notices::not_found(visitor).await;
    };
    let query = query.unwrap_or_default();
    let device = visitor.origin.device();
    let outcome = callback::finish(&app, &visitor.serving, provider, (&query, &visitor.headers), device).await;
    let settings = visitor.serving.settings();
    let mut response = match outcome {
        Ok(finished) => {
            // A session that was there before does not outlive signing in again.
            if let Some(before) = &visitor.session {
                let _ = sign_out::end_session(&app, before.claims.account, before.claims.session).await;
            }
            let return_to = visitor.return_to(finished.return_to.as_deref());
            let mut response = Redirect::to(return_to.as_deref().unwrap_or("/account")).into_response();
            let token = &finished.signed_in.token;
            if let Some(cookie) = cookie::set(settings, &token.text, token.expires_at) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(error) => sign_in::page(&visitor, "", None, (false, Some(refusal(&error)))),
    };
    if let Ok(answer) = Answer::read(&query) {
        response
            .headers_mut()
            .append(header::SET_COOKIE, forget(&answer.state, transport(settings)));
    }
    no_store(&mut response);
    response
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
