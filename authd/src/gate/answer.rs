//! A verdict in the words of a proxy.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use policy::Target;
use policy::engine::Denial;
use serde_json::json;

use super::Verdict;
use super::facts::{Dialect, Refused};
use crate::cookie;
use crate::identity::{self, Caller};
use crate::serving::Serving;
use crate::shared::Limited;

/// What a query value may contain as it is.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Longer return addresses are cut down to the host, in bytes.
const MAX_RETURN_ADDRESS: usize = 1500;

/// Whether a person is going somewhere, or a program is asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A browser that opens a page: it can be sent to the sign-in page.
    Navigation,
    /// Anything else: it gets a status and a challenge.
    Program,
}

impl Asker {
    /// Tells one from the other by what browsers send (Fetch Metadata), else by `Accept`.
    #[must_use]
    pub fn of(target: &Target<'_>, headers: &HeaderMap) -> Self {
        let is = |name: &str, value: &str| {
            headers
                .get(name)
                .is_some_and(|header| header.as_bytes().eq_ignore_ascii_case(value.as_bytes()))
        };
        let never = !matches!(&*target.method, "GET" | "HEAD")
            || headers.contains_key(header::UPGRADE)
            || headers.contains_key(header::AUTHORIZATION)
            || headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
            || is("x-requested-with", "XMLHttpRequest");
        let navigates = match headers.get("sec-fetch-mode") {
            Some(mode) => mode == "navigate",
            None => headers.get(header::ACCEPT).is_some_and(|accept| {
                accept
                    .as_bytes()
                    .windows(9)
                    .any(|part| part.eq_ignore_ascii_case(b"text/html"))
            }),
        };
        if navigates && !never {
            Self::Navigation
        } else {
            Self::Program
        }
    }
}

/// The request may pass. 200 exactly, without a body, with every identity header.
#[must_use]
pub fn allow(caller: &Caller, cookie: Option<HeaderValue>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    response.headers_mut().clone_from(&caller.headers);
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// The request may not pass.
#[must_use]
pub fn refuse(
    verdict: &Verdict,
    dialect: Dialect,
    asker: Asker,
    target: &Target<'_>,
    serving: &Serving,
) -> Response<Full<Bytes>> {
    match verdict {
        Verdict::Allow(_) | Verdict::Unavailable => unavailable(),
        Verdict::Forbid(denial) => {
            let mut response = forbid(*denial, asker, target, serving);
            // nginx shows a page of its own in place of ours: it may send the browser to the page that explains.
            if (dialect, asker) == (Dialect::Nginx, Asker::Navigation) {
                insert(&mut response, header::LOCATION, &explanation(*denial, target, serving));
            }
            response
        }
        Verdict::Limited(limited) => too_many(dialect, *limited),
        Verdict::SignIn(fault) => match asker {
            Asker::Program => challenge(fault.as_ref()),
            Asker::Navigation => {
                let status = match dialect {
                    Dialect::Nginx => StatusCode::UNAUTHORIZED,
                    Dialect::Forward | Dialect::Envoy | Dialect::Grpc => StatusCode::FOUND,
                };
                let mut response = plain(status, "Sign in to go on.\n");
                insert(
                    &mut response,
                    header::LOCATION,
                    &with_return_to(serving, "/login", target),
                );
                if fault.is_some() {
                    response
                        .headers_mut()
                        .insert(header::SET_COOKIE, cookie::clear(serving.settings()));
                }
                response
            }
        },
    }
}

/// nginx turns every status that it does not know into a 500, so it is told 403.
fn too_many(dialect: Dialect, limited: Limited) -> Response<Full<Bytes>> {
    let status = match dialect {
        Dialect::Nginx => StatusCode::FORBIDDEN,
        Dialect::Forward | Dialect::Envoy | Dialect::Grpc => StatusCode::TOO_MANY_REQUESTS,
    };
    let mut response = json_body(status, "rate_limited", "too many attempts, try again later");
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(limited.retry_after));
    response
}

/// What the proxy says cannot be read in one way.
#[must_use]
pub fn malformed(dialect: Dialect, refused: Refused) -> Response<Full<Bytes>> {
    let status = match dialect {
        Dialect::Nginx => StatusCode::FORBIDDEN,
        Dialect::Forward | Dialect::Envoy | Dialect::Grpc => StatusCode::BAD_REQUEST,
    };
    tracing::debug!(error = %refused, "a request was refused as malformed");
    json_body(
        status,
        "malformed_request",
        "the request can be read in more than one way",
    )
}

/// The check itself may hide a second one: 400, and nothing more is read from the connection.
#[must_use]
pub fn smuggling() -> Response<Full<Bytes>> {
    json_body(
        StatusCode::BAD_REQUEST,
        "malformed_request",
        "a check has no body in pieces",
    )
}

/// Nothing can be decided now.
#[must_use]
pub fn unavailable() -> Response<Full<Bytes>> {
    json_body(
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "the request cannot be decided at the moment",
    )
}

/// Nobody that is answered here, or nothing that is asked here.
#[must_use]
pub fn not_here() -> Response<Full<Bytes>> {
    json_body(StatusCode::FORBIDDEN, "forbidden", "forbidden")
}

/// The page that says why somebody who is signed in may not go on, and what they can do.
fn explanation(denial: Denial, target: &Target<'_>, serving: &Serving) -> String {
    let page = if denial == Denial::Pending {
        "/pending"
    } else {
        "/denied"
    };
    with_return_to(serving, page, target)
}

fn forbid(denial: Denial, asker: Asker, target: &Target<'_>, serving: &Serving) -> Response<Full<Bytes>> {
    match asker {
        Asker::Program => json_body(StatusCode::FORBIDDEN, public_code(denial), "you may not do this"),
        Asker::Navigation => {
            let address = explanation(denial, target, serving);
            let body = format!(
                "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Not allowed</title>\
                 <meta name=\"viewport\" content=\"width=device-width\"><h1>Not allowed</h1>\
                 <p>You are signed in, and may not open this page. <a href=\"{address}\">What you can do</a></p>"
            );
            let mut response = with_type(StatusCode::FORBIDDEN, "text/html; charset=utf-8", body);
            insert(
                &mut response,
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; frame-ancestors 'none'",
            );
            response
        }
    }
}

/// What a caller may learn of a denial: what they can act on, and nothing of which policies exist.
fn public_code(denial: Denial) -> &'static str {
    match denial {
        Denial::KeyEndpoint => "key_endpoint",
        Denial::Pending => "pending",
        _ => "forbidden",
    }
}

fn challenge(fault: Option<&identity::Error>) -> Response<Full<Bytes>> {
    let (code, challenge) = match fault {
        None => ("unauthenticated", "Bearer realm=\"authd\""),
        Some(identity::Error::KeyExpired) => ("key_expired", "Bearer realm=\"authd\", error=\"invalid_token\""),
        Some(_) => ("invalid_token", "Bearer realm=\"authd\", error=\"invalid_token\""),
    };
    let mut response = json_body(
        StatusCode::UNAUTHORIZED,
        code,
        "sign in, or show a valid token or API key",
    );
    insert(&mut response, header::WWW_AUTHENTICATE, challenge);
    response
}

/// A page of ours, with where the person wanted to go. Percent-encoded, so that it can stand in a header and in HTML.
fn with_return_to(serving: &Serving, page: &str, target: &Target<'_>) -> String {
    let port = target.port.map_or(String::new(), |port| format!(":{port}"));
    let origin = format!("{}://{}{port}", target.scheme.name(), target.host);
    let uri = if target.uri.len() > MAX_RETURN_ADDRESS {
        "/"
    } else {
        &*target.uri
    };
    let address = format!("{origin}{uri}");
    format!(
        "{}{page}?return_to={}",
        serving.settings().public_url,
        utf8_percent_encode(&address, QUERY)
    )
}

fn json_body(status: StatusCode, code: &str, detail: &str) -> Response<Full<Bytes>> {
    with_type(
        status,
        "application/json",
        json!({"detail": detail, "code": code}).to_string(),
    )
}

fn plain(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    with_type(status, "text/plain; charset=utf-8", body.to_owned())
}

fn with_type(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn insert(response: &mut Response<Full<Bytes>>, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}
