//! The one credential that a request shows. Several, or unclear ones, are never merged and never "the first wins".
//!
//! An `Authorization` header with the scheme `Bearer` counts before the cookie and is not rescued by it. Keys come in that
//! header alone, never in a cookie or a query.

use http::{HeaderMap, header};
use memchr::memchr;

#[cfg(test)]
mod tests;

/// What a request shows of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential<'a> {
    /// Nothing.
    None,
    /// A session token in the `Authorization` header.
    Token(&'a str),
    /// A session token in the cookie.
    Cookie(&'a str),
    /// An API key in the `Authorization` header.
    Key(&'a str),
    /// Something that cannot be read in one way.
    Malformed(Malformed),
}

/// Why a credential cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// More than one `Authorization` header.
    #[error("there is more than one `Authorization` header")]
    SeveralHeaders,
    /// Not `Bearer`, one space, and one token (RFC 6750 section 2.1).
    #[error("the `Authorization` header is not `Bearer` and a token")]
    Header,
    /// The cookie is there twice with different values, or holds what no token holds.
    #[error("the session cookie cannot be read")]
    Cookie,
}

impl<'a> Credential<'a> {
    /// Reads the credential of a request.
    #[must_use]
    pub fn read(headers: &'a HeaderMap, cookie_name: &str) -> Self {
        let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
        match (authorizations.next(), authorizations.next()) {
            (Some(_), Some(_)) => return Self::Malformed(Malformed::SeveralHeaders),
            (Some(value), None) => match bearer(value.as_bytes()) {
                Ok(Some(token)) if token.starts_with("sk-") => return Self::Key(token),
                Ok(Some(token)) => return Self::Token(token),
                Ok(None) => {}
                Err(malformed) => return Self::Malformed(malformed),
            },
            (None, _) => {}
        }
        cookie(headers, cookie_name)
    }

    /// Whether the credential came in a cookie, which browsers send by themselves.
    #[must_use]
    pub fn is_cookie(&self) -> bool {
        matches!(self, Self::Cookie(_) | Self::Malformed(Malformed::Cookie))
    }
}

/// The token of a `Bearer` header; `None` for other schemes, which are not ours to judge.
fn bearer(value: &[u8]) -> Result<Option<&str>, Malformed> {
    let (scheme, rest) = match value.iter().position(|byte| matches!(byte, b' ' | b'\t')) {
        Some(at) => value.split_at(at),
        None => (value, &[][..]),
    };
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        let named = !scheme.is_empty()
            && scheme
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        return if named && !rest.is_empty() {
            Ok(None)
        } else {
            Err(Malformed::Header)
        };
    }
    let token = rest
        .strip_prefix(b" ")
        .filter(|token| !token.is_empty() && are_token_bytes(token));
    token
        .and_then(|token| std::str::from_utf8(token).ok())
        .map(Some)
        .ok_or(Malformed::Header)
}

/// RFC 6750 section 2.1, `b64token`. Nothing stops at the first wrong byte: tokens are long, and so many are looked at together.
fn are_token_bytes(bytes: &[u8]) -> bool {
    let is = |byte: u8| {
        (byte | 0x20).wrapping_sub(b'a') < 26
            || byte.wrapping_sub(b'0') < 10
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
    };
    bytes.iter().fold(true, |all, byte| all & is(*byte))
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Credential<'a> {
    let mut found: Option<&str> = None;
    for line in headers.get_all(header::COOKIE) {
        for pair in pairs(line.as_bytes()) {
            let Some(value) = value_of(pair, name) else { continue };
            let readable = std::str::from_utf8(value)
                .ok()
                .filter(|value| are_token_bytes(value.as_bytes()));
            match (readable, found) {
                (Some(value), None) => found = Some(value),
                (Some(value), Some(before)) if value == before => {}
                _ => return Credential::Malformed(Malformed::Cookie),
            }
        }
    }
    match found {
        None | Some("") => Credential::None,
        Some(key) if key.starts_with("sk-") => Credential::Malformed(Malformed::Cookie),
        Some(token) => Credential::Cookie(token),
    }
}

/// The parts between semicolons.
fn pairs(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest.take()?;
        let Some(end) = memchr(b';', line) else {
            return Some(line);
        };
        rest = line.get(end + 1..);
        line.get(..end)
    })
}

fn value_of<'a>(pair: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let pair = pair.strip_prefix(b" ").unwrap_or(pair);
    pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
}
