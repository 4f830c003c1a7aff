//! A verdict in the words of a proxy.
//!
//! Only [`allow`] answers 2xx: over HTTP every such status is a permit, whatever its headers say, so that a refusal is none even for
//! a gRPC client, which would rather read `200` with `grpc-status`.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use policy::Target;
use policy::engine::Denial;
use policy::identity_headers::{ASSERTION, MAX_AGE};
use policy::snapshot::WantedSignIn;
use url::form_urlencoded::Serializer;

use super::Verdict;
use super::asker::Asker;
use super::facts::{Dialect, Refused};
use super::form::{Told, insert, plain, with_type};
use crate::cookie;
use crate::identity::{self, Caller};
use crate::login::again::Again;
use crate::serving::Serving;
use crate::shared::Limited;

/// What a query value may contain as it is.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Longer return addresses are cut down to the host, in bytes.
const MAX_RETURN_ADDRESS: usize = 1500;

/// The request may pass. 200 exactly, without a body, with every identity header.
#[must_use]
pub fn allow(
    caller: &Caller,
    assertion: Option<HeaderValue>,
    age: Option<u64>,
    cookie: Option<HeaderValue>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    let headers = response.headers_mut();
    headers.clone_from(&caller.headers);
    if let Some(assertion) = assertion {
        headers.insert(HeaderName::from_static(ASSERTION), assertion);
    }
    if let Some(age) = age {
        headers.insert(HeaderName::from_static(MAX_AGE), HeaderValue::from(age));
    }
    if let Some(cookie) = cookie {
        headers.insert(header::SET_COOKIE, cookie);
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
        Verdict::Allow(..) | Verdict::Unavailable => told(asker, UNAVAILABLE),
        Verdict::Forbid(denial) => {
            let mut response = forbid(*denial, asker, target, serving);
            // nginx shows a page of its own in place of ours: it may send the browser to the page that explains.
            if (dialect, asker) == (Dialect::Nginx, Asker::Navigation) {
                insert(&mut response, header::LOCATION, &explanation(*denial, target, serving));
            }
            response
        }
        Verdict::Limited(limited) => too_many(dialect, asker, *limited),
        Verdict::SignIn(fault) if asker == Asker::Navigation => {
            let page = with_return_to(serving, "/login?", target);
            let mut response = to_sign_in(dialect, &page);
            if fault.is_some() {
                let cleared = cookie::clear(serving.settings());
                response.headers_mut().insert(header::SET_COOKIE, cleared);
            }
            response
        }
        Verdict::SignIn(fault) => challenge(asker, fault.as_ref()),
        Verdict::SignInAgain(wanted) if asker == Asker::Navigation => {
            to_sign_in(dialect, &with_return_to(serving, &sign_in_again(wanted), target))
        }
        Verdict::SignInAgain(wanted) => step_up(asker, wanted),
    }
}

/// A browser on its way to the sign-in page. nginx understands 401 alone, and makes a redirect of it.
fn to_sign_in(dialect: Dialect, page: &str) -> Response<Full<Bytes>> {
    let status = match dialect {
        Dialect::Nginx => StatusCode::UNAUTHORIZED,
        Dialect::Forward | Dialect::Envoy | Dialect::Grpc | Dialect::FastCgi => StatusCode::FOUND,
    };
    let mut response = plain(status, "Sign in to go on.\n");
    insert(&mut response, header::LOCATION, page);
    response
}

/// nginx turns every status that it does not know into a 500, so it is told 403.
fn too_many(dialect: Dialect, asker: Asker, limited: Limited) -> Response<Full<Bytes>> {
    let status = match dialect {
        Dialect::Nginx => StatusCode::FORBIDDEN,
        Dialect::Forward | Dialect::Envoy | Dialect::Grpc | Dialect::FastCgi => StatusCode::TOO_MANY_REQUESTS,
    };
    let said = Told {
        status,
        code: "rate_limited",
        detail: "too many attempts, try again later",
    };
    let mut response = told(asker, said);
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
        Dialect::Forward | Dialect::Envoy | Dialect::Grpc | Dialect::FastCgi => StatusCode::BAD_REQUEST,
    };
    tracing::debug!(error = %refused, "a request was refused as malformed");
    let said = Told {
        status,
        code: "malformed_request",
        detail: "the request can be read in more than one way",
    };
    said.as_json()
}

/// The check itself may hide a second one: 400, and nothing more is read from the connection.
#[must_use]
pub fn smuggling() -> Response<Full<Bytes>> {
    let said = Told {
        status: StatusCode::BAD_REQUEST,
        code: "malformed_request",
        detail: "a check has no body in pieces",
    };
    said.as_json()
}

const UNAVAILABLE: Told = Told {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "unavailable",
    detail: "the request cannot be decided at the moment",
};

/// Nothing can be decided now.
#[must_use]
pub fn unavailable() -> Response<Full<Bytes>> {
    UNAVAILABLE.as_json()
}

/// Nobody that is answered here, or nothing that is asked here.
#[must_use]
pub fn not_here() -> Response<Full<Bytes>> {
    let said = Told {
        status: StatusCode::FORBIDDEN,
        code: "forbidden",
        detail: "forbidden",
    };
    said.as_json()
}

/// The page that says why somebody who is signed in may not go on, and what they can do.
fn explanation(denial: Denial, target: &Target<'_>, serving: &Serving) -> String {
    let page = if denial == Denial::Pending {
        "/pending?"
    } else {
        "/denied?"
    };
    with_return_to(serving, page, target)
}

fn forbid(denial: Denial, asker: Asker, target: &Target<'_>, serving: &Serving) -> Response<Full<Bytes>> {
    if asker != Asker::Navigation {
        let said = Told {
            status: StatusCode::FORBIDDEN,
            code: public_code(denial),
            detail: "you may not do this",
        };
        return told(asker, said);
    }
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

/// What a caller may learn of a denial: what they can act on, and nothing of which policies exist.
fn public_code(denial: Denial) -> &'static str {
    match denial {
        Denial::KeyEndpoint => "key_endpoint",
        Denial::Pending => "pending",
        _ => "forbidden",
    }
}

fn challenge(asker: Asker, fault: Option<&identity::Error>) -> Response<Full<Bytes>> {
    let (code, challenge) = match fault {
        None => ("unauthenticated", "Bearer realm=\"authd\""),
        Some(identity::Error::KeyExpired) => ("key_expired", "Bearer realm=\"authd\", error=\"invalid_token\""),
        Some(_) => ("invalid_token", "Bearer realm=\"authd\", error=\"invalid_token\""),
    };
    let said = Told {
        status: StatusCode::UNAUTHORIZED,
        code,
        detail: "sign in, or show a valid token or API key",
    };
    let mut response = told(asker, said);
    insert(&mut response, header::WWW_AUTHENTICATE, challenge);
    response
}

/// The page on which somebody signs in once more, with the beginning of its query.
fn sign_in_again(wanted: &WantedSignIn) -> String {
    let page = "/login?";
    let mut query = Serializer::for_suffix(page.to_owned(), page.len());
    let again = Again {
        acr: wanted.acr.clone(),
    };
    again.say(&mut query);
    query.finish() + "&"
}

/// The token is good, and the sign-in behind it too long ago or too weak (RFC 9470 section 3).
fn step_up(asker: Asker, wanted: &WantedSignIn) -> Response<Full<Bytes>> {
    let (description, detail) = if wanted.acr.is_empty() {
        (
            "a more recent sign-in is needed",
            "sign in again: this needs a more recent sign-in",
        )
    } else {
        (
            "a stronger sign-in is needed",
            "sign in again: this needs a stronger sign-in",
        )
    };
    let said = Told {
        status: StatusCode::UNAUTHORIZED,
        code: "insufficient_user_authentication",
        detail,
    };
    let mut response = told(asker, said);
    let classes = (!wanted.acr.is_empty()).then(|| format!(", acr_values=\"{}\"", wanted.acr.join(" ")));
    let age = wanted.signed_in_within.map(|within| format!(", max_age=\"{within}\""));
    let challenge = format!(
        "Bearer realm=\"authd\", error=\"insufficient_user_authentication\", error_description=\"{description}\"{}{}",
        classes.unwrap_or_default(),
        age.unwrap_or_default(),
    );
    insert(&mut response, header::WWW_AUTHENTICATE, &challenge);
    response
}

fn told(asker: Asker, said: Told) -> Response<Full<Bytes>> {
    match asker {
        Asker::Grpc => said.as_grpc(),
        Asker::Program | Asker::Navigation => said.as_json(),
    }
}

/// A page of ours with the beginning of its query, and where the person wanted to go. Percent-encoded, so that it can stand in a
/// header and in HTML.
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
        "{}{page}return_to={}",
        serving.settings().public_url,
        utf8_percent_encode(&address, QUERY)
    )
}
