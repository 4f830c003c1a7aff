//! What a proxy says of the request that it asks about. Each dialect has its own headers, and reads no others.

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use policy::Target;
use policy::target::{Ambiguous, Scheme};

static ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
static ORIGINAL_URL: HeaderName = HeaderName::from_static("x-original-url");
static FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
static ENVOY_INTERNAL: HeaderName = HeaderName::from_static("x-envoy-internal");
static ENVOY_TIMEOUT: HeaderName = HeaderName::from_static("x-envoy-expected-rq-timeout-ms");

/// Longer paths with their query are refused, in bytes.
const MAX_URI: usize = 8 * 1024;

/// How a proxy asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// nginx `auth_request` and ingress-nginx `auth-url`: `X-Original-URL`, `X-Original-Method`. It understands 2xx, 401 and 403.
    Nginx,
    /// Traefik, Caddy, HAProxy, Apache and others: `X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri`.
    Forward,
    /// Envoy `ext_authz` over HTTP, and what is built on it: the request itself, with its path behind [`ENVOY`].
    Envoy,
    /// Envoy `ext_authz` over gRPC, and what is built on it: `attributes.request.http` of the check.
    Grpc,
    /// Apache's `mod_authnz_fcgi`: CGI variables.
    FastCgi,
}

/// What Envoy puts before the path that it asks about.
pub const ENVOY: &str = "/verify/envoy";

impl Dialect {
    /// The dialect of a path of the verify listener, byte for byte.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        match path {
            "/verify/nginx" => Some(Self::Nginx),
            "/verify/forward" => Some(Self::Forward),
            other => other.strip_prefix(ENVOY)?.starts_with('/').then_some(Self::Envoy),
        }
    }

    /// The name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Forward => "forward",
            Self::Envoy => "envoy",
            Self::Grpc => "grpc",
            Self::FastCgi => "fastcgi",
        }
    }
}

/// Why the facts are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A header that must be there once is missing, empty or there more than once.
    #[error("`{0}` must be there exactly once")]
    NotOnce(&'static str),
    /// The scheme is neither `http` nor `https`.
    #[error("the scheme is neither `http` nor `https`")]
    Scheme,
    /// The URL is not `scheme://host/path`.
    #[error("`X-Original-URL` is not `scheme://host/path`")]
    NotAUrl,
    /// Two headers say different things.
    #[error("`X-Forwarded-Uri` contradicts `X-Original-URL`")]
    Contradiction,
    /// The proxy replaces the path before it asks.
    #[error("the proxy does not send the path that was asked for")]
    PathOverridden,
    /// The path is too long.
    #[error("the path is longer than 8 KiB")]
    TooLong,
    /// There are too many headers.
    #[error("the request has too many headers")]
    TooManyHeaders,
    /// A header's name or value is none.
    #[error("a header has a name or a value that no header has")]
    Header,
    /// The question is not one.
    #[error("the check is not one message about one request")]
    Unreadable,
    /// The target can be read in two ways.
    #[error(transparent)]
    Ambiguous(#[from] Ambiguous),
}

/// Reads what is to be reached.
///
/// # Errors
/// Something is missing, there twice, malformed, or can be read in two ways.
pub fn read(dialect: Dialect, check: &Parts) -> Result<Target<'_>, Refused> {
    short(match dialect {
        Dialect::Nginx => nginx(&check.headers)?,
        Dialect::Forward => forward(&check.headers)?,
        Dialect::Envoy => envoy(check)?,
        // They do not ask so.
        Dialect::Grpc | Dialect::FastCgi => return Err(Refused::Unreadable),
    })
}

/// The facts of a request that a proxy tells one by one; `uri` is the path with an optional query, as sent.
///
/// # Errors
/// Something is missing, malformed, or can be read in two ways.
pub fn told<'a>(method: &'a [u8], scheme: &[u8], host: &'a [u8], uri: &'a [u8]) -> Result<Target<'a>, Refused> {
    let scheme = Scheme::read(scheme).ok_or(Refused::Scheme)?;
    short(Target::read(method, scheme, host, uri)?)
}

fn short(target: Target<'_>) -> Result<Target<'_>, Refused> {
    if target.uri.len() > MAX_URI {
        Err(Refused::TooLong)
    } else {
        Ok(target)
    }
}

fn nginx(headers: &HeaderMap) -> Result<Target<'_>, Refused> {
    let method = once(headers, &ORIGINAL_METHOD)?;
    let url = once(headers, &ORIGINAL_URL)?;
    let separator = url.windows(3).position(|part| part == b"://").ok_or(Refused::NotAUrl)?;
    let (scheme, rest) = (
        url.get(..separator).unwrap_or_default(),
        url.get(separator + 3..).unwrap_or_default(),
    );
    let slash = rest.iter().position(|byte| *byte == b'/').ok_or(Refused::NotAUrl)?;
    let (host, uri) = rest.split_at(slash);
    if let Some(value) = headers.get(&FORWARDED_URI)
        && !value.is_empty()
        && value.as_bytes() != uri
    {
        return Err(Refused::Contradiction);
    }
    Ok(Target::read(
        method,
        Scheme::read(scheme).ok_or(Refused::Scheme)?,
        host,
        uri,
    )?)
}

fn forward(headers: &HeaderMap) -> Result<Target<'_>, Refused> {
    // Envoy with `path_override` sends these and no path: the only one left would be the client's own.
    if headers.contains_key(&ENVOY_INTERNAL) || headers.contains_key(&ENVOY_TIMEOUT) {
        return Err(Refused::PathOverridden);
    }
    let method = once(headers, &FORWARDED_METHOD)?;
    let scheme = Scheme::read(once(headers, &FORWARDED_PROTO)?).ok_or(Refused::Scheme)?;
    let host = once(headers, &FORWARDED_HOST)?;
    let uri = once(headers, &FORWARDED_URI)?;
    Ok(Target::read(method, scheme, host, uri)?)
}

/// The method, the host and the path are the check's own; the only other fact is the scheme, which Envoy says at the edge.
fn envoy(check: &Parts) -> Result<Target<'_>, Refused> {
    let scheme = if check.headers.contains_key(&FORWARDED_PROTO) {
        Scheme::read(once(&check.headers, &FORWARDED_PROTO)?).ok_or(Refused::Scheme)?
    } else {
        Scheme::Https
    };
    let uri = check.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
    let uri = uri.strip_prefix(ENVOY).unwrap_or_default();
    let host = once(&check.headers, &header::HOST)?;
    Ok(Target::read(
        check.method.as_str().as_bytes(),
        scheme,
        host,
        uri.as_bytes(),
    )?)
}

fn once<'a>(headers: &'a HeaderMap, name: &'static HeaderName) -> Result<&'a [u8], Refused> {
    let mut values = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    match (values.next(), values.next()) {
        (Some(value), None) if !value.is_empty() => Ok(value),
        _ => Err(Refused::NotOnce(name.as_str())),
    }
}
