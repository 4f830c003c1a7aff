//! Was this form posted from one of our pages, by the browser that we gave it to?
//!
//! The answer needs no row for an anonymous visit: a cookie holds 16 random bytes, and a form's hidden field holds a MAC of
//! them, of what the form is for, and of the session once there is one. A cookie planted from a neighbouring host is therefore
//! of no use against somebody who is signed in. Deliberately not here: how the session itself is kept.

#[cfg(test)]
mod tests;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret, SecretBox};
use url::{Origin, Url};
use uuid::Uuid;

use crate::random::Random;

/// Length of the cookie's value before encoding, in bytes.
const VISIT_LENGTH: usize = 16;

/// Why a post was not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Another site sent it, or the browser did not say which.
    #[error("the request does not come from our own pages")]
    CrossOrigin,
    /// The cookie is absent, malformed, or there are several.
    #[error("the form's cookie is missing")]
    NoVisit,
    /// The field does not belong to the cookie, the purpose or the session.
    #[error("the form's token does not hold")]
    WrongToken,
}

/// What a form is for; a token for one purpose or session holds for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Signing in.
    SignIn,
    /// Ending the session with this id.
    SignOut(Uuid),
    /// Changing the account, seen through the session with this id.
    Account(Uuid),
}

/// Whether `publicUrl` is https, and with it how the cookie is named and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `__Host-` prefix and `Secure`.
    Https,
    /// Neither; for loopback.
    Http,
}

/// The random value in a visitor's cookie.
#[derive(Clone, PartialEq, Eq)]
pub struct Visit([u8; VISIT_LENGTH]);

/// Makes and checks the tokens.
#[derive(Debug)]
pub struct Csrf {
    key: hmac::Key,
    transport: Transport,
}

impl Csrf {
    /// `key` is the server's own, the same on every replica.
    pub fn new(key: &SecretBox<[u8; 32]>, transport: Transport) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key.expose_secret()),
            transport,
        }
    }

    /// The visit that the request's cookie tells of, if there is exactly one.
    pub fn visit(&self, headers: &HeaderMap) -> Option<Visit> {
        let mut values = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == self.cookie_name())
            .map(|(_, value)| value);
        let (value, None) = (values.next()?, values.next()) else {
            return None;
        };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(value).ok()?;
        bytes.try_into().ok().map(Visit)
    }

    /// A visit that begins now; its [`Self::set_cookie`] has to go out with the page.
    pub fn begin(&self, random: &Random) -> Visit {
        Visit(random.bytes())
    }

    /// The `Set-Cookie` of a visit. It ends with the browser, and carries no `Max-Age` to renew.
    pub fn set_cookie(&self, visit: &Visit) -> Option<HeaderValue> {
        let secure = if self.transport == Transport::Https {
            "; Secure"
        } else {
            ""
        };
        let value = BASE64_URL_SAFE_NO_PAD.encode(visit.0);
        HeaderValue::try_from(format!(
            "{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}",
            self.cookie_name()
        ))
        .ok()
    }

    /// The value of a form's hidden field.
    pub fn token(&self, visit: &Visit, purpose: Purpose) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, &message(visit, purpose)))
    }

    /// Believes a post, or says why not: its origin, then its cookie, then its field, compared in constant time.
    pub fn check(&self, headers: &HeaderMap, own: &Origin, purpose: Purpose, field: &str) -> Result<(), Error> {
        if !same_origin(headers, own) {
            return Err(Error::CrossOrigin);
        }
        let visit = self.visit(headers).ok_or(Error::NoVisit)?;
        self.verify(&visit, purpose, field)
    }

    /// Whether a link was on a page of ours, for this purpose: browsers say less of where a link was than of where a form was.
    pub fn holds(&self, headers: &HeaderMap, purpose: Purpose, token: &str) -> bool {
        self.visit(headers)
            .is_some_and(|visit| self.verify(&visit, purpose, token).is_ok())
    }

    fn verify(&self, visit: &Visit, purpose: Purpose, field: &str) -> Result<(), Error> {
        let tag = BASE64_URL_SAFE_NO_PAD.decode(field).map_err(|_| Error::WrongToken)?;
        hmac::verify(&self.key, &message(visit, purpose), &tag).map_err(|_| Error::WrongToken)
    }

    fn cookie_name(&self) -> &'static str {
        match self.transport {
            Transport::Https => "__Host-authd_csrf",
            Transport::Http => "authd_csrf",
        }
    }
}

impl std::fmt::Debug for Visit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Visit(..)")
    }
}

/// Every part but the last has a fixed length, so that no two visits and purposes share a message.
fn message(visit: &Visit, purpose: Purpose) -> Vec<u8> {
    let (tag, session) = match purpose {
        Purpose::SignIn => (b'i', None),
        Purpose::SignOut(session) => (b'o', Some(session)),
        Purpose::Account(session) => (b'a', Some(session)),
    };
    let mut message = b"authd csrf 1\0".to_vec();
    message.extend_from_slice(&visit.0);
    message.push(tag);
    message.extend(session.iter().flat_map(Uuid::as_bytes));
    message
}

/// Whether the request was sent by a page of `own`, as far as the browser says.
///
/// `Origin` decides where there is one, and `null` or several of them never do; then `Sec-Fetch-Site`; then `Referer`. A
/// request with none of the three is refused: every browser sends one with a form.
pub fn same_origin(headers: &HeaderMap, own: &Origin) -> bool {
    let own_text = own.ascii_serialization();
    match (
        sole(headers, "origin"),
        sole(headers, "sec-fetch-site"),
        sole(headers, "referer"),
    ) {
        (Sole::One(origin), _, _) => own.is_tuple() && origin == own_text,
        (Sole::None, Sole::One(site), _) => matches!(site, "same-origin" | "none"),
        (Sole::None, Sole::None, Sole::One(referer)) => {
            own.is_tuple() && Url::parse(referer).is_ok_and(|url| url.origin() == *own)
        }
        _ => false,
    }
}

/// A header that is to come once.
enum Sole<'a> {
    None,
    One(&'a str),
    Unclear,
}

fn sole<'a>(headers: &'a HeaderMap, name: &str) -> Sole<'a> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Sole::None,
        (Some(value), None) => value.to_str().map_or(Sole::Unclear, Sole::One),
        _ => Sole::Unclear,
    }
}
