//! What do the three parts of a session token say, read strictly?
//!
//! Strict means: base64url without padding and with canonical last bits, members that occur once, strings without escapes
//! (we write none, so no name or value has two spellings), numbers that are integers, nothing coerced.
//! Not here: whether the signature fits and whether the claims are good now.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserializer as _;
use serde::de::{Deserialize, IgnoredAny, MapAccess, SeqAccess, Visitor};
use uuid::Uuid;

use super::{Algorithm, Claims, Error, MAX_TOKEN_BYTES};

/// The longest header, in bytes of JSON.
pub(super) const MAX_HEADER_BYTES: usize = 1024;
/// The longest signature: Ed25519 has 64 bytes, HMAC-SHA-256 has 32.
pub(super) const MAX_SIGNATURE_BYTES: usize = 64;
/// How many members an object may have.
const MAX_MEMBERS: usize = 32;
/// Claims that make a token something else than a bearer session token: a proof of possession that we cannot check
/// (RFC 7800), a logout token (RFC 8417), an ID token.
const FORBIDDEN_CLAIMS: [&str; 3] = ["cnf", "events", "nonce"];

/// The parts of a token, and the text that was signed.
pub(super) struct Parts<'a> {
    pub(super) header: &'a str,
    pub(super) payload: &'a str,
    pub(super) signature: &'a str,
    pub(super) signed: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Splits a token into exactly three parts, none of them empty.
    pub(super) fn split(token: &'a str) -> Result<Self, Error> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Error::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Error::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Error::Malformed)?;
        if header.is_empty() || payload.is_empty() || signature.is_empty() || payload.contains('.') {
            return Err(Error::Malformed);
        }
        if header.len() > MAX_HEADER_BYTES * 4 / 3 {
            return Err(Error::TooLong);
        }
        Ok(Self {
            header,
            payload,
            signature,
            signed: signed.as_bytes(),
        })
    }
}

/// Decodes one part into `buffer`.
pub(super) fn decode<'b>(part: &str, buffer: &'b mut [u8]) -> Result<&'b [u8], Error> {
    let length = URL_SAFE_NO_PAD
        .decode_slice(part, buffer)
        .map_err(|_| Error::Malformed)?;
    buffer.get(..length).ok_or(Error::Malformed)
}

/// What the header says.
pub(super) struct Header<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<&'a str>,
    pub(super) kind: Option<&'a str>,
}

/// Reads a header that has `alg`, perhaps `typ` and `kid`, and nothing else.
pub(super) fn header<'b>(part: &str, buffer: &'b mut [u8]) -> Result<Header<'b>, Error> {
    let mut read = ReadHeader::default();
    members(decode(part, buffer)?, &mut read)?;
    let algorithm = match read.alg.ok_or(Error::Malformed)? {
        "EdDSA" => Algorithm::EdDsa,
        "HS256" => Algorithm::Hs256,
        _ => return Err(Error::UnknownAlgorithm),
    };
    Ok(Header {
        algorithm,
        kid: read.kid,
        kind: read.typ,
    })
}

/// What the claims say.
pub(super) struct Said<'a> {
    pub(super) claims: Claims,
    pub(super) issuer: &'a str,
    pub(super) audience: &'a str,
    pub(super) not_before: Option<i64>,
}

/// Reads the claims of a session token; other claims are ignored unless they make it another kind of token.
pub(super) fn claims(json: &[u8]) -> Result<Said<'_>, Error> {
    let mut read = ReadClaims::default();
    members(json, &mut read)?;
    let account = id(read.sub)?;
    if id(read.id)? != account {
        return Err(Error::BadId);
    }
    Ok(Said {
        claims: Claims {
            account,
            token: id(read.jti)?,
            session: id(read.sid)?,
            issued_at: read.iat.ok_or(Error::MissingClaim)?,
            expires_at: read.exp,
        },
        issuer: read.iss.ok_or(Error::MissingClaim)?,
        audience: read.aud.ok_or(Error::MissingClaim)?.0,
        not_before: read.nbf,
    })
}

/// The claims as JSON, in one order.
pub(super) fn payload(claims: &Claims, issuer: &str, audience: &str) -> String {
    let issuer = serde_json::Value::from(issuer);
    let audience = serde_json::Value::from(audience);
    let Claims {
        account,
        token,
        session,
        issued_at,
        expires_at,
    } = claims;
    let expiry = expires_at.map(|at| format!(r#","exp":{at}"#)).unwrap_or_default();
    format!(
        r#"{{"iss":{issuer},"aud":{audience},"sub":"{account}","id":"{account}","jti":"{token}","sid":"{session}","iat":{issued_at}{expiry}}}"#
    )
}

/// A UUID exactly as we write it: 36 characters, lower case.
fn id(text: Option<&str>) -> Result<Uuid, Error> {
    let text = text.ok_or(Error::MissingClaim)?;
    let id = Uuid::try_parse(text).map_err(|_| Error::BadId)?;
    let mut buffer = Uuid::encode_buffer();
    if id.hyphenated().encode_lower(&mut buffer) == text {
        Ok(id)
    } else {
        Err(Error::BadId)
    }
}

#[derive(Default)]
struct ReadHeader<'a> {
    alg: Option<&'a str>,
    typ: Option<&'a str>,
    kid: Option<&'a str>,
}

impl<'de> Members<'de> for ReadHeader<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &'de str, map: &mut A) -> Result<Option<Error>, A::Error> {
        match name {
            "alg" => once(&mut self.alg, map),
            "typ" => once(&mut self.typ, map),
            "kid" => once(&mut self.kid, map),
            _ => Ok(Some(Error::ForbiddenHeader)),
        }
    }
}

#[derive(Default)]
struct ReadClaims<'a> {
    iss: Option<&'a str>,
    aud: Option<Audience<'a>>,
    sub: Option<&'a str>,
    id: Option<&'a str>,
    jti: Option<&'a str>,
    sid: Option<&'a str>,
    iat: Option<i64>,
    exp: Option<i64>,
    nbf: Option<i64>,
    others: Vec<&'a str>,
}

impl<'de> Members<'de> for ReadClaims<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &'de str, map: &mut A) -> Result<Option<Error>, A::Error> {
        match name {
            "iss" => once(&mut self.iss, map),
            "aud" => once(&mut self.aud, map),
            "sub" => once(&mut self.sub, map),
            "id" => once(&mut self.id, map),
            "jti" => once(&mut self.jti, map),
            "sid" => once(&mut self.sid, map),
            "iat" => once(&mut self.iat, map),
            "exp" => once(&mut self.exp, map),
            "nbf" => once(&mut self.nbf, map),
            _ if FORBIDDEN_CLAIMS.contains(&name) => Ok(Some(Error::ForbiddenClaim)),
            _ if self.others.contains(&name) => Ok(Some(Error::DuplicateMember)),
            _ if self.others.len() >= MAX_MEMBERS => Ok(Some(Error::Malformed)),
            _ => {
                self.others.push(name);
                map.next_value::<IgnoredAny>().map(|_| None)
            }
        }
    }
}

/// Reads a value that may occur once; a second one is the problem that is told.
fn once<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    slot: &mut Option<T>,
    map: &mut A,
) -> Result<Option<Error>, A::Error> {
    if slot.is_some() {
        return Ok(Some(Error::DuplicateMember));
    }
    *slot = Some(map.next_value()?);
    Ok(None)
}

/// Takes the members of an object one by one.
trait Members<'de> {
    /// Takes one member; what it returns ends the reading.
    fn member<A: MapAccess<'de>>(&mut self, name: &'de str, map: &mut A) -> Result<Option<Error>, A::Error>;
}

/// Reads one JSON object and nothing after it into `into`.
fn members<'de, M: Members<'de>>(json: &'de [u8], into: &mut M) -> Result<(), Error> {
    struct Object<'m, M> {
        into: &'m mut M,
        problem: &'m mut Option<Error>,
    }
    impl<'de, M: Members<'de>> Visitor<'de> for Object<'_, M> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(name) = map.next_key::<&'de str>()? {
                *self.problem = self.into.member(name, &mut map)?;
                if self.problem.is_some() {
                    return Err(serde::de::Error::custom("told in `problem`"));
                }
            }
            Ok(())
        }
    }
    let mut problem = None;
    let mut reader = serde_json::Deserializer::from_slice(json);
    let object = Object {
        into,
        problem: &mut problem,
    };
    let read = reader.deserialize_map(object).and_then(|()| reader.end());
    match problem {
        Some(problem) => Err(problem),
        None => read.map_err(|_| Error::Malformed),
    }
}

/// `aud`: a string, or an array of exactly one.
struct Audience<'a>(&'a str);

impl<'de> Deserialize<'de> for Audience<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneString;
        impl<'de> Visitor<'de> for OneString {
            type Value = Audience<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, or an array of one string")
            }

            fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Audience(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
                match (array.next_element()?, array.next_element::<IgnoredAny>()?) {
                    (Some(text), None) => Ok(Audience(text)),
                    _ => Err(serde::de::Error::custom("not exactly one audience")),
                }
            }
        }
        from.deserialize_any(OneString)
    }
}
