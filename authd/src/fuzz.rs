//! What must hold whatever bytes arrive. Fuzzers call these functions (`tests/fuzz`), and so does a test of the normal suite. Where
//! something does not hold, they panic.

use std::sync::{Arc, LazyLock};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use jiff::{SignedDuration, Timestamp};
use policy::Target;
use policy::snapshot::digest;
use policy::snapshot::shard::{Head, Index, Piece};
use policy::target::{Scheme, covers};
use secrecy::SecretBox;
use url::Url;

use crate::gate::facts::{self, Dialect, ENVOY};
use crate::identity::Credential;
pub use crate::load::fuzz_resources;
use crate::pages::return_to;
use crate::token::{KeyRing, Lifetime, Tokens, fuzz_signed};

const SECRET: &[u8] = b"nobody who makes up bytes knows this secret of mine";

/// Parts of the input, separated by line ends. What is left is empty.
fn parts<const N: usize>(bytes: &[u8]) -> [&[u8]; N] {
    let mut rest = bytes.splitn(N, |byte| *byte == b'\n');
    std::array::from_fn(|_| rest.next().unwrap_or_default())
}

/// Headers, a line each.
fn headers(bytes: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(64) {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}

fn check_target(target: &Target<'_>) {
    let (host, path) = (&*target.host, &*target.path);
    assert!(!host.is_empty() && host == host.to_ascii_lowercase(), "host {host:?}");
    assert!(
        path.starts_with('/') && path.is_ascii() && covers("/", path),
        "path {path:?}"
    );
    assert!(
        !path
            .bytes()
            .any(|byte| byte.is_ascii_control() || b"\\;#?".contains(&byte)),
        "path {path:?}"
    );
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        assert!(
            !matches!(segment, "." | "..") && (is_last || !segment.is_empty()),
            "path {path:?}"
        );
    }
    let again = Target::read(
        target.method.as_bytes(),
        target.scheme,
        host.as_bytes(),
        path.as_bytes(),
    );
    assert!(
        again.is_ok_and(|again| again.path == target.path && again.host == target.host),
        "{target:?} has another form"
    );
}

/// A target has one form: what is read from it again is the same, and no segment of its path is a step.
pub fn fuzz_target(bytes: &[u8]) {
    let [method, host, uri] = parts(bytes);
    if let Ok(target) = Target::read(method, Scheme::Https, host, uri) {
        check_target(&target);
    }
}

/// What a proxy says is a target in one form, or refused.
pub fn fuzz_facts(bytes: &[u8]) {
    let [method, uri, lines] = parts(bytes);
    let mut request = Request::new(());
    *request.headers_mut() = headers(lines);
    if let (Ok(method), Ok(uri)) = (
        Method::from_bytes(method),
        http::Uri::try_from([ENVOY.as_bytes(), uri].concat()),
    ) {
        (*request.method_mut(), *request.uri_mut()) = (method, uri);
    }
    let (check, ()) = request.into_parts();
    for dialect in [Dialect::Nginx, Dialect::Forward, Dialect::Envoy] {
        if let Ok(target) = facts::read(dialect, &check) {
            check_target(&target);
        }
    }
}

/// No token is accepted by an instance whose secret nobody knows, and none is signed with it.
pub fn fuzz_token(bytes: &[u8]) {
    static TOKENS: LazyLock<Option<Tokens>> = LazyLock::new(|| {
        let ring = KeyRing::hs256(&SecretBox::from(SECRET.to_vec().into_boxed_slice())).ok()?;
        let lifetime = Lifetime::Limited(SignedDuration::from_hours(12));
        Some(Tokens::new(
            Arc::new(ring),
            "https://auth.example.com",
            "https://auth.example.com",
            lifetime,
        ))
    });
    let text = String::from_utf8_lossy(bytes);
    assert!(fuzz_signed(SECRET, &text).is_err(), "{text:?} is signed");
    let tokens = TOKENS.as_ref();
    assert!(
        tokens.is_some_and(|tokens| tokens.verify(&text, Timestamp::UNIX_EPOCH).is_err()),
        "{text:?} is accepted"
    );
}

/// A credential that is read is one text that was sent, of the characters that tokens have; a key comes in a header alone.
pub fn fuzz_credential(bytes: &[u8]) {
    let headers = headers(bytes);
    let (text, is_key, from) = match Credential::read(&headers, "token") {
        Credential::None | Credential::Malformed(_) => return,
        Credential::Token(text) => (text, false, http::header::AUTHORIZATION),
        Credential::Key(text) => (text, true, http::header::AUTHORIZATION),
        Credential::Cookie(text) => (text, false, http::header::COOKIE),
    };
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    assert!(!text.is_empty() && text.bytes().all(is_token), "{text:?}");
    assert_eq!(text.starts_with("sk-"), is_key, "{text:?}");
    let sent = headers.get_all(&from).iter();
    let holds = |value: &HeaderValue| value.as_bytes().windows(text.len()).any(|part| part == text.as_bytes());
    assert!(sent.into_iter().any(holds), "{text:?} was not sent");
}

/// An address that is accepted leads to an allowed host, and is accepted again as what it is.
pub fn fuzz_return_to(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(public) = Url::parse("https://auth.example.com") else {
        return;
    };
    let allowed = |host: &str| matches!(host, "auth.example.com" | "app.example.com");
    let Some(to) = return_to::accept(&text, &allowed, &public) else {
        return;
    };
    let read = Url::parse(&to);
    let stays = read
        .is_ok_and(|url| url.scheme() == "https" && url.host_str().is_some_and(allowed) && url.username().is_empty());
    assert!(stays, "{text:?} leads to {to:?}");
    assert!(
        to.bytes().all(|byte| byte.is_ascii_graphic()),
        "{to:?} does not fit into a header"
    );
    assert_eq!(
        return_to::accept(&to, &allowed, &public).as_ref(),
        Some(&to),
        "{text:?}"
    );
}

/// Bytes of a shard are read or refused, and never as what another digest names.
pub fn fuzz_shard(bytes: &[u8]) {
    let _ = Index::read(bytes);
    let inflated = digest(bytes);
    let deflated = stored(bytes);
    for bytes in [bytes, &deflated] {
        let (head, piece) = (Head::read(bytes, &inflated), Piece::read(bytes, &inflated));
        drop((head, piece));
        let other = digest(b"another");
        assert!(
            Head::read(bytes, &other).is_err() && Piece::read(bytes, &other).is_err(),
            "of another digest"
        );
    }
}

/// The bytes as a stream of Deflate that compresses nothing (RFC 1951 section 3.2.4), so that what is in a shard is reached.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let bytes = bytes.get(..bytes.len().min(usize::from(u16::MAX))).unwrap_or_default();
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&[1], &length.to_le_bytes()[..], &(!length).to_le_bytes(), bytes].concat()
}
