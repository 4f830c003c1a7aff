//! Is this the ID token that we asked for, of the person who signs in now (OpenID Connect Core, section 3.1.3.7)?
//!
//! What a check needs and the token lacks counts as failed. Nothing of a token is used before all checks have passed.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crds::IdTokenAlgorithm;
use jiff::Timestamp;
use policy::snapshot::Authentication;
use serde_json::{Map, Value};

use crate::issuer::jwt::{number, text};

/// How far two clocks may differ, in seconds.
pub(super) const SKEW: i64 = 60;
/// The oldest token that is new, in seconds.
const MAX_AGE: i64 = 10 * 60;
/// The longest subject, in characters (section 2).
const MAX_SUBJECT: usize = 255;
/// The longest class, in characters: as long as a resource may name one.
const MAX_CLASS: usize = 256;

/// What the token must say.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Who issued it.
    pub issuer: &'a str,
    /// For whom: our name at the provider.
    pub client_id: &'a str,
    /// The nonce of this attempt; `None` for a token that comes with a refresh.
    pub nonce: Option<&'a str>,
    /// How people must have signed in; `None` for a token that comes with a refresh, as they did so before.
    pub authentication: Option<&'a Authentication>,
    /// Since when the provider must have asked the person, in epoch seconds; `None`: whenever it did.
    pub since: Option<i64>,
    /// The classes of which the sign-in has to be one; none: any will do.
    pub acr: &'a [String],
    /// The access token that came with it.
    pub access_token: &'a str,
    /// The code that it was given for.
    pub code: Option<&'a str>,
    /// How it was signed.
    pub algorithm: IdTokenAlgorithm,
    /// Now.
    pub now: Timestamp,
}

/// Why an ID token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A claim is absent or of the wrong type.
    #[error("the ID token lacks `{0}`, or it is of the wrong type")]
    Claim(&'static str),
    /// Another issuer's.
    #[error("the ID token is another issuer's")]
    Issuer,
    /// For somebody else.
    #[error("the ID token is for another client")]
    Audience,
    /// Not of this attempt.
    #[error("the ID token is not of this attempt")]
    Nonce,
    /// Expired, not yet valid, or issued at another time.
    #[error("the ID token is not of now")]
    Time,
    /// Of another access token or code.
    #[error("the ID token belongs to another code or access token")]
    Hash,
    /// The account belongs to no organisation or tenant whose people sign in here.
    #[error("the account belongs to no organisation or tenant whose people sign in here")]
    Organization,
    /// The person did not sign in as they must.
    #[error("the person did not sign in at the provider in the way that is asked for")]
    Authentication,
}

impl Error {
    /// The reason as audit lines and metrics name it.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Claim(_) => "IdTokenClaim",
            Self::Issuer => "IdTokenIssuer",
            Self::Audience => "IdTokenAudience",
            Self::Nonce => "Nonce",
            Self::Time => "IdTokenTime",
            Self::Hash => "IdTokenHash",
            Self::Organization => "Organization",
            Self::Authentication => "Authentication",
        }
    }
}

/// Checks the claims of a token whose signature holds, and returns the subject.
///
/// # Errors
/// It is not what was expected.
pub fn check(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<String, Error> {
    issued(claims, expected.issuer, expected.client_id)?;
    times(claims, expected.now)?;
    if let Some(nonce) = expected.nonce
        && text(claims, "nonce") != Some(nonce)
    {
        return Err(Error::Nonce);
    }
    half_hash(claims, "at_hash", Some(expected.access_token), expected.algorithm)?;
    half_hash(claims, "c_hash", expected.code, expected.algorithm)?;
    if let Some(wanted) = expected.authentication {
        authenticated(claims, wanted, expected.now)?;
    }
    if let Some(since) = expected.since {
        asked_since(claims, since, expected.now)?;
    }
    if !in_class(claims, expected.acr) {
        return Err(Error::Authentication);
    }
    subject(claims)
}

/// Whether the issuer is this one, and the token is for us.
pub(super) fn issued(claims: &Map<String, Value>, issuer: &str, client_id: &str) -> Result<(), Error> {
    if text(claims, "iss").ok_or(Error::Claim("iss"))? != issuer {
        return Err(Error::Issuer);
    }
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several
            .iter()
            .map(Value::as_str)
            .collect::<Option<_>>()
            .ok_or(Error::Claim("aud"))?,
        _ => return Err(Error::Claim("aud")),
    };
    let party = match claims.get("azp") {
        None => None,
        Some(party) => Some(party.as_str().ok_or(Error::Claim("azp"))?),
    };
    let named = audiences.contains(&client_id);
    // Among several, `azp` says whose it is; and it is never another's.
    let ours = party.map_or(audiences.len() == 1, |party| party == client_id);
    if named && ours { Ok(()) } else { Err(Error::Audience) }
}

fn times(claims: &Map<String, Value>, now: Timestamp) -> Result<(), Error> {
    let now = now.as_second();
    let expires_at = number(claims, "exp").ok_or(Error::Claim("exp"))?;
    let issued_at = number(claims, "iat").ok_or(Error::Claim("iat"))?;
    let not_before = match claims.get("nbf") {
        None => i64::MIN,
        Some(_) => number(claims, "nbf").ok_or(Error::Claim("nbf"))?,
    };
    let good = now < expires_at.saturating_add(SKEW)
        && issued_at <= now.saturating_add(SKEW)
        && issued_at >= now.saturating_sub(MAX_AGE + SKEW)
        && not_before <= now.saturating_add(SKEW);
    if good { Ok(()) } else { Err(Error::Time) }
}

/// A half of a hash (section 3.1.3.6), which is right where there is one.
fn half_hash(
    claims: &Map<String, Value>,
    name: &'static str,
    of: Option<&str>,
    algorithm: IdTokenAlgorithm,
) -> Result<(), Error> {
    let (Some(said), Some(of)) = (claims.get(name), of) else {
        return Ok(());
    };
    use IdTokenAlgorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let hash = match algorithm {
        RS256 | PS256 | ES256 => &digest::SHA256,
        RS384 | PS384 | ES384 => &digest::SHA384,
        RS512 | PS512 | EdDSA => &digest::SHA512,
    };
    let hash = digest::digest(hash, of.as_bytes());
    let half = hash.as_ref().get(..hash.as_ref().len() / 2).unwrap_or_default();
    if said.as_str() == Some(URL_SAFE_NO_PAD.encode(half).as_str()) {
        Ok(())
    } else {
        Err(Error::Hash)
    }
}

/// Whether people signed in at the provider as they must. What a token does not say of that counts as not done.
pub(super) fn authenticated(claims: &Map<String, Value>, wanted: &Authentication, now: Timestamp) -> Result<(), Error> {
    if let Some(max_age) = wanted.max_age {
        let max_age = i64::try_from(max_age).unwrap_or(i64::MAX);
        asked_since(claims, now.as_second().saturating_sub(max_age), now)?;
    }
    let fits = |holds: bool| if holds { Ok(()) } else { Err(Error::Authentication) };
    fits(in_class(claims, &wanted.acr))?;
    let methods = claims.get("amr").and_then(Value::as_array);
    let used = |method: &String| methods.is_some_and(|methods| methods.iter().any(|used| used == method.as_str()));
    fits(wanted.amr.iter().all(used))
}

/// Whether the provider puts the sign-in into one of these classes; none: any will do.
fn in_class(claims: &Map<String, Value>, wanted: &[String]) -> bool {
    wanted.is_empty() || class(claims).is_some_and(|class| wanted.iter().any(|acr| acr == class))
}

/// The class into which the provider puts the sign-in (`acr`): some text, and not too much.
pub(super) fn class(claims: &Map<String, Value>) -> Option<&str> {
    text(claims, "acr").filter(|class| !class.is_empty() && class.chars().count() <= MAX_CLASS)
}

/// Whether the provider asked the person since then (`auth_time`, section 2). One that does not say did not.
fn asked_since(claims: &Map<String, Value>, since: i64, now: Timestamp) -> Result<(), Error> {
    let at = number(claims, "auth_time").ok_or(Error::Authentication)?;
    let good = at >= since.saturating_sub(SKEW) && at <= now.as_second().saturating_add(SKEW);
    if good { Ok(()) } else { Err(Error::Authentication) }
}

/// The subject: some text, and not too much.
pub(super) fn subject(claims: &Map<String, Value>) -> Result<String, Error> {
    text(claims, "sub")
        .filter(|subject| !subject.is_empty() && subject.chars().count() <= MAX_SUBJECT)
        .map(str::to_owned)
        .ok_or(Error::Claim("sub"))
}

/// What is kept of the claims: what is about the person, not about the token, so that equal claims stay equal.
#[must_use]
pub fn about_the_person(mut claims: Map<String, Value>) -> Map<String, Value> {
    for name in [
        "iss",
        "aud",
        "azp",
        "exp",
        "iat",
        "nbf",
        "jti",
        "nonce",
        "at_hash",
        "c_hash",
        "s_hash",
        "auth_time",
        "sid",
        "sub",
        "updated_at",
        "rh",
        "uti",
        "aio",
    ] {
        claims.remove(name);
    }
    claims
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_767_268_800;

    fn good() -> Value {
        json!({"iss": "https://idp.example.com", "aud": "authd", "sub": "s-1", "exp": NOW + 300, "iat": NOW, "nonce": "n-1"})
    }

    fn checked(changed: &Value, authentication: &Authentication) -> Result<String, Error> {
        let mut claims = good();
        for (name, value) in changed.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
            .as_object_mut()
            .unwrap()
            .retain(|_, value| *value != json!("(absent)"));
        let expected = Expected {
            issuer: "https://idp.example.com",
            client_id: "authd",
            nonce: Some("n-1"),
            authentication: Some(authentication),
            since: None,
            acr: &[],
            access_token: "token",
            code: Some("code"),
            algorithm: IdTokenAlgorithm::RS256,
            now: Timestamp::from_second(NOW).unwrap(),
        };
        check(claims.as_object().unwrap(), &expected)
    }

    #[test]
    fn each_check_refuses_what_it_is_there_for() {
        let half = |text: &str| {
            let hash = digest::digest(&digest::SHA256, text.as_bytes());
            URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16])
        };
        let absent = "(absent)";
        for (row, changed, expected) in [
            ("control", json!({}), Ok(())),
            ("B07 absent", json!({"nonce": absent}), Err(Error::Nonce)),
            ("B07 wrong", json!({"nonce": "n-2"}), Err(Error::Nonce)),
            ("B07 type", json!({"nonce": ["n-1"]}), Err(Error::Nonce)),
            ("B10", json!({"iss": "https://other.example.com"}), Err(Error::Issuer)),
            (
                "B10 slash",
                json!({"iss": "https://idp.example.com/"}),
                Err(Error::Issuer),
            ),
            ("B11 iss", json!({"iss": absent}), Err(Error::Claim("iss"))),
            ("B11 sub", json!({"sub": absent}), Err(Error::Claim("sub"))),
            ("B11 sub empty", json!({"sub": ""}), Err(Error::Claim("sub"))),
            ("B11 sub number", json!({"sub": 7}), Err(Error::Claim("sub"))),
            ("B11 iat", json!({"iat": absent}), Err(Error::Claim("iat"))),
            ("B11 aud", json!({"aud": absent}), Err(Error::Claim("aud"))),
            ("B11 exp", json!({"exp": absent}), Err(Error::Claim("exp"))),
            ("B12 other", json!({"aud": "other"}), Err(Error::Audience)),
            ("B12 list of us", json!({"aud": ["authd"]}), Ok(())),
            (
                "B12 list without azp",
                json!({"aud": ["authd", "other"]}),
                Err(Error::Audience),
            ),
            (
                "B12 list with azp",
                json!({"aud": ["authd", "other"], "azp": "authd"}),
                Ok(()),
            ),
            ("B12 azp other", json!({"azp": "other"}), Err(Error::Audience)),
            (
                "B12 azp for other",
                json!({"aud": "other", "azp": "authd"}),
                Err(Error::Audience),
            ),
            ("B12 list of numbers", json!({"aud": [1]}), Err(Error::Claim("aud"))),
            ("expired", json!({"exp": NOW - 61}), Err(Error::Time)),
            ("expired within skew", json!({"exp": NOW - 59}), Ok(())),
            ("exp as text", json!({"exp": "9999999999"}), Err(Error::Claim("exp"))),
            ("issued later", json!({"iat": NOW + 61}), Err(Error::Time)),
            ("issued long ago", json!({"iat": NOW - 700}), Err(Error::Time)),
            ("not yet", json!({"nbf": NOW + 61}), Err(Error::Time)),
            ("B16 at_hash", json!({"at_hash": half("token")}), Ok(())),
            ("B16 at_hash wrong", json!({"at_hash": half("other")}), Err(Error::Hash)),
            ("B16 at_hash null", json!({"at_hash": null}), Err(Error::Hash)),
            ("B16 c_hash", json!({"c_hash": half("code")}), Ok(())),
            ("B16 c_hash wrong", json!({"c_hash": half("other")}), Err(Error::Hash)),
        ] {
            assert_eq!(
                checked(&changed, &Authentication::default()).map(|_| ()),
                expected,
                "{row}"
            );
        }
    }

    #[test]
    fn b25_what_a_token_does_not_say_of_signing_in_counts_as_not_done() {
        let wanted = Authentication {
            max_age: Some(600),
            acr: vec!["gold".to_owned(), "platinum".to_owned()],
            amr: vec!["hwk".to_owned()],
        };
        let good = json!({"auth_time": NOW - 600, "acr": "gold", "amr": ["pwd", "hwk"]});
        assert_eq!(checked(&good, &wanted), Ok("s-1".to_owned()));
        for (row, name, value) in [
            ("too old", "auth_time", json!(NOW - 700)),
            ("in the future", "auth_time", json!(NOW + 700)),
            ("absent", "auth_time", json!("(absent)")),
            ("other class", "acr", json!("silver")),
            ("no class", "acr", json!("(absent)")),
            ("other methods", "amr", json!(["pwd"])),
            ("no methods", "amr", json!("(absent)")),
            ("methods as text", "amr", json!("hwk")),
        ] {
            let mut changed = good.clone();
            changed[name] = value;
            assert_eq!(checked(&changed, &wanted), Err(Error::Authentication), "B25 {row}");
        }
    }
}
