//! The verify listener: `/verify/nginx`, `/verify/forward`, and `/verify/envoy` before any path; and nothing else.
//!
//! No router and no path normalisation stand before it: what is not one of these, byte for byte, is refused. No body is read, and
//! of method and query only Envoy's, which are those of the request that it asks about.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::Full;

use super::answer;
use super::asked::{Answered, Asked, ask, in_time};
use super::counts::Outcome;
use super::facts::{self, Dialect};
use crate::app::App;
use crate::client_address::forwarded_address;
use crate::listen::Connected;
use crate::proxy_auth::is_proxy;

/// Answers a request on the verify listener.
///
/// # Errors
/// Never: every failure is an answer.
pub async fn serve<B>(app: &App, peer: &Connected, request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, _body) = request.into_parts();
    let Some(dialect) = Dialect::of(parts.uri.path()) else {
        app.checks.count(None, Outcome::NotHere, Duration::ZERO);
        return Ok(answer::not_here());
    };
    let answered = async {
        let answered = answered(app, peer, dialect, &parts).await;
        (answered.outcome, answered.response)
    };
    let response = in_time(app, dialect, answered, answer::unavailable).await;
    Ok(closing_if_it_has_a_body(&parts.headers, response))
}

async fn answered(app: &App, peer: &Connected, dialect: Dialect, parts: &Parts) -> Answered {
    let headers = &parts.headers;
    // With `Content-Length` beside it, two servers end such a request at different places (RFC 9112 section 6.1).
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Answered::refused(Outcome::Malformed, answer::smuggling());
    }
    if dialect != Dialect::Envoy && !matches!(parts.method, Method::GET | Method::HEAD) {
        return Answered::not_here();
    }
    let Some(serving) = app.serving() else {
        return Answered::unavailable();
    };
    let settings = serving.settings();
    if !is_proxy(settings, peer, headers) {
        return Answered::not_here();
    }
    match facts::read(dialect, parts) {
        Err(refused) => Answered::malformed(dialect, refused),
        Ok(target) => {
            let client_ip = forwarded_address(settings, peer.address, headers);
            let asked = Asked {
                dialect,
                target,
                headers,
                client_ip,
                policy: None,
            };
            ask(app, &serving, &asked).await
        }
    }
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
