//! The verify listener: `/verify/nginx`, `/verify/forward`, and `/verify/envoy` before any path; and nothing else.
//!
//! No router and no path normalisation stand before it: what is not one of these, byte for byte, is refused. No body is read, and
//! of method and query only Envoy's, which are those of the request that it asks about.

use std::convert::Infallible;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use http_body_util::Full;

use super::answer::{self, Asker};
use super::counts::Outcome;
use super::facts::{self, Dialect};
use super::{Check, Verdict, check};
use crate::app::App;
use crate::client_address::client_address;
use crate::cookie;
use crate::identity::{Caller, Credential};
use crate::login::session;
use crate::serving::Serving;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A check that takes longer is answered with 503, before any proxy gives up.
const DEADLINE: Duration = Duration::from_millis(2500);

/// Answers a request on the verify listener.
///
/// # Errors
/// Never: every failure is an answer.
pub async fn serve<B>(app: &App, peer: IpAddr, request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let begun = Instant::now();
    let (parts, _body) = request.into_parts();
    let Some(dialect) = Dialect::of(parts.uri.path()) else {
        app.checks.count(None, Outcome::NotHere, begun.elapsed());
        return Ok(answer::not_here());
    };
    // With `Content-Length` beside it, two servers end such a request at different places (RFC 9112 section 6.1).
    let (outcome, response) = if parts.headers.contains_key(header::TRANSFER_ENCODING) {
        (Outcome::Malformed, answer::smuggling())
    } else if dialect != Dialect::Envoy && !matches!(parts.method, Method::GET | Method::HEAD) {
        (Outcome::NotHere, answer::not_here())
    } else {
        let asked = AssertUnwindSafe(ask(app, peer, dialect, &parts)).catch_unwind();
        match tokio::time::timeout(DEADLINE, asked).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(_)) | Err(_) => (Outcome::Unavailable, answer::unavailable()),
        }
    };
    app.checks.count(Some(dialect), outcome, begun.elapsed());
    Ok(closing_if_it_has_a_body(&parts.headers, response))
}

async fn ask(app: &App, peer: IpAddr, dialect: Dialect, parts: &Parts) -> (Outcome, Response<Full<Bytes>>) {
    let headers = &parts.headers;
    let Some(serving) = app.serving() else {
        return (Outcome::Unavailable, answer::unavailable());
    };
    let settings = serving.settings();
    if !settings.trusts(peer) {
        return (Outcome::NotHere, answer::not_here());
    }
    let target = match facts::read(dialect, parts) {
        Ok(target) => target,
        Err(refused) => return (Outcome::Malformed, answer::malformed(dialect, refused)),
    };
    let question = Check {
        target: &target,
        credential: Credential::read(headers, &settings.cookie.name),
        client_ip: client_address(settings, peer, headers),
        request_id: headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok()),
    };
    let verdict = check(app, &serving, &question).await;
    match &verdict {
        Verdict::Allow(caller) => (
            Outcome::Allow,
            answer::allow(caller, renewed(app, &serving, caller, question.credential)),
        ),
        refused => {
            let asker = Asker::of(&target, headers);
            (
                outcome(refused),
                answer::refuse(refused, dialect, asker, &target, &serving),
            )
        }
    }
}

fn outcome(verdict: &Verdict) -> Outcome {
    match verdict {
        Verdict::Allow(_) => Outcome::Allow,
        Verdict::SignIn(_) => Outcome::SignIn,
        Verdict::Forbid(_) => Outcome::Forbid,
        Verdict::Limited(_) => Outcome::Limited,
        Verdict::Unavailable => Outcome::Unavailable,
    }
}

/// A fresh token for a browser whose token is past its half, so that people who are busy are not signed out.
fn renewed(app: &App, serving: &Serving, caller: &Caller, credential: Credential<'_>) -> Option<HeaderValue> {
    let claims = caller.session().filter(|_| credential.is_cookie())?;
    let token = session::renew(app, serving, caller, claims)?;
    cookie::set(serving.settings(), &token.text, token.expires_at)
}

/// A check has no body; one that announces a body is answered and its connection closed, so that no byte of it is taken for the
/// next request.
fn closing_if_it_has_a_body(headers: &HeaderMap, mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    let announces = headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    if announces {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
