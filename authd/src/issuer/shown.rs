//! Is a token that somebody shows of the kind that it should be, for us, and good now?
//!
//! Whose token it is was asked before, in [`super::jwt`]; what it opens is asked after.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use super::jwt::{number, text};
use crate::token::SKEW_SECONDS;

/// The longest subject, in bytes.
const MAX_SUBJECT: usize = 512;

/// A kind of token. No token is of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Shown to get something (RFC 9068).
    Access,
    /// Says to a program who signed in (OpenID Connect Core, section 2).
    Identity,
}

impl Kind {
    /// What a token's header may call it, where it says so at all (RFC 7519, section 5.1; RFC 9068, section 2.1).
    fn types(self) -> &'static [&'static str] {
        match self {
            Self::Access => &["jwt", "at+jwt", "application/at+jwt"],
            Self::Identity => &["jwt"],
        }
    }

    /// Claims that make it another kind: bound to a key that whoever shows it has to prove (RFC 7800), an ID token, an access token, a
    /// logout token.
    fn of_others(self) -> &'static [&'static str] {
        match self {
            Self::Access => &["cnf", "nonce", "at_hash", "c_hash", "events"],
            Self::Identity => &["cnf", "scope", "scp", "client_id", "events"],
        }
    }

    /// Whether the header says that it is of this kind, or nothing.
    ///
    /// # Errors
    /// [`Error::WrongType`].
    pub fn is_named(self, typ: Option<&str>) -> Result<(), Error> {
        let fits = typ.is_none_or(|typ| self.types().contains(&typ.to_ascii_lowercase().as_str()));
        if fits { Ok(()) } else { Err(Error::WrongType) }
    }
}

/// What a token has to say.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The issuer, to the letter.
    pub issuer: &'a str,
    /// Whom it is for: one of these.
    pub audiences: &'a [String],
    /// What it is.
    pub kind: Kind,
}

/// What is used of a token that is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Good {
    /// The issuer's name of whom it is about.
    pub subject: String,
    /// When it expires, in epoch seconds.
    pub expires_at: i64,
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is another kind of token, or has to be proved by more than showing it.
    #[error("the token is of another kind")]
    WrongType,
    /// It is for somebody else.
    #[error("the token is for somebody else")]
    WrongAudience,
    /// A claim is missing or of the wrong kind.
    #[error("the token lacks `{0}`, or it is of the wrong kind")]
    MissingClaim(&'static str),
    /// It is not good any more, or not yet.
    #[error("the token is not of now")]
    Expired,
}

impl Error {
    /// The reason as audit lines and metrics name it.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::WrongType => "WrongType",
            Self::WrongAudience => "WrongAudience",
            Self::MissingClaim(_) => "MissingClaim",
            Self::Expired => "Expired",
        }
    }
}

/// Checks the claims of a token that a key of the issuer signed.
///
/// # Errors
/// It is not what was expected.
pub fn check(claims: &Map<String, Value>, expected: &Expected<'_>, now: i64) -> Result<Good, Error> {
    if expected.kind.of_others().iter().any(|name| claims.contains_key(*name)) {
        return Err(Error::WrongType);
    }
    if text(claims, "iss") != Some(expected.issuer) {
        return Err(Error::MissingClaim("iss"));
    }
    if !is_for(claims.get("aud"), expected.audiences) {
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
