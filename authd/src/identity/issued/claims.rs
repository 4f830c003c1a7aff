//! Is this a token to be shown, for us, and good now?

use policy::snapshot::Jwt;
use serde_json::{Map, Value};

use super::Error;
use crate::issuer::jwt::{number, text};
use crate::token::SKEW_SECONDS;

/// What a token's header may call it (RFC 7519 section 5.1, RFC 9068 section 2.1).
const TYPES: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];
/// Claims that make it another kind of token: bound to a key that the caller has to prove (RFC 7800), an ID token, a logout token.
const OTHER_KINDS: [&str; 5] = ["cnf", "nonce", "at_hash", "c_hash", "events"];
/// The longest subject, in bytes.
const MAX_SUBJECT: usize = 512;

/// What is used of a token that is good.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Good {
    /// The issuer's name of the program.
    pub(super) subject: String,
    /// When it expires, in epoch seconds.
    pub(super) expires_at: i64,
}

/// Whether the header says that it is a token to be shown, or nothing.
pub(super) fn is_shown(typ: Option<&str>) -> Result<(), Error> {
    let fits = typ.is_none_or(|typ| TYPES.contains(&typ.to_ascii_lowercase().as_str()));
    if fits { Ok(()) } else { Err(Error::WrongType) }
}

/// Checks the claims of a token that a key of the issuer signed.
pub(super) fn check(claims: &Map<String, Value>, issuer: &Jwt, now: i64) -> Result<Good, Error> {
    if OTHER_KINDS.iter().any(|name| claims.contains_key(*name)) {
        return Err(Error::WrongType);
    }
    if text(claims, "iss") != Some(&issuer.issuer) {
        return Err(Error::MissingClaim("iss"));
    }
    if !is_for(claims.get("aud"), &issuer.audiences) {
        return Err(Error::WrongAudience);
    }
    let expires_at = number(claims, "exp").ok_or(Error::MissingClaim("exp"))?;
    for name in ["nbf", "iat"] {
        let begins_at = match claims.get(name) {
            None => continue,
            Some(_) => number(claims, name).ok_or(Error::MissingClaim(name))?,
        };
        if begins_at > now.saturating_add(SKEW_SECONDS) {
            return Err(Error::Expired);
        }
    }
    if now >= expires_at.saturating_add(SKEW_SECONDS) {
        return Err(Error::Expired);
    }
    let subject = text(claims, "sub").filter(|subject| !subject.is_empty() && subject.len() <= MAX_SUBJECT);
    Ok(Good {
        subject: subject.ok_or(Error::MissingClaim("sub"))?.to_owned(),
        expires_at,
    })
}

fn is_for(named: Option<&Value>, audiences: &[String]) -> bool {
    let known = |value: &Value| {
        value
            .as_str()
            .is_some_and(|name| audiences.iter().any(|known| known == name))
    };
    match named {
        Some(Value::Array(named)) => named.iter().all(Value::is_string) && named.iter().any(known),
        Some(named) => known(named),
        None => false,
    }
}
