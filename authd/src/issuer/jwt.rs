//! A token that a provider signed, read strictly: three parts, canonical base64url, no member twice, and an algorithm that we chose.
//!
//! Whether the claims are good is not here: each use of a token has its own checks.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crds::IdTokenAlgorithm;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::keys::Keys;

/// The longest token, in bytes: one with two hundred groups fits.
const MAX_TOKEN: usize = 64 * 1024;

/// Why a token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not three parts of base64url, or not JSON objects without members that occur twice.
    #[error("the token is malformed")]
    Malformed,
    /// It is signed in a way that was not agreed on, or needs something that is not understood.
    #[error("the token is signed in a way that was not agreed on")]
    Algorithm,
    /// None of the provider's keys fits.
    #[error("no key of the provider fits the token")]
    NoKey,
    /// The signature is not that of the key.
    #[error("the token's signature does not hold")]
    Signature,
}

/// A token, taken apart and not believed yet.
#[derive(Debug)]
pub struct Token<'a> {
    signed: &'a str,
    signature: &'a str,
    /// How it is signed.
    pub algorithm: IdTokenAlgorithm,
    kid: Option<String>,
    /// What the header says that it is.
    pub typ: Option<String>,
    claims: Map<String, Value>,
}

impl<'a> Token<'a> {
    /// Takes a token apart that is signed in one of these ways.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Algorithm`].
    pub fn read(text: &'a str, algorithms: &[IdTokenAlgorithm]) -> Result<Self, Error> {
        if text.len() > MAX_TOKEN {
            return Err(Error::Malformed);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Error::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Error::Malformed)?;
        let header = object(header)?;
        // What is critical would have to be understood (RFC 7515, section 4.1.11); we understand nothing of the kind.
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(Error::Algorithm);
        }
        let text_of = |name: &str| match header.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Error::Malformed),
        };
        let named = text_of("alg")?.ok_or(Error::Algorithm)?;
        let algorithm = algorithms
            .iter()
            .copied()
            .find(|algorithm| format!("{algorithm:?}") == named);
        Ok(Self {
            signed,
            signature,
            algorithm: algorithm.ok_or(Error::Algorithm)?,
            kid: text_of("kid")?,
            typ: text_of("typ")?,
            claims: object(payload)?,
        })
    }

    /// Whether the provider has a key that could have signed it.
    #[must_use]
    pub fn has_key(&self, keys: &Keys) -> bool {
        keys.that_fit(self.kid.as_deref(), self.algorithm).next().is_some()
    }

    /// The claims, if one of the keys signed them.
    ///
    /// # Errors
    /// [`Error::NoKey`], [`Error::Signature`].
    pub fn verified(self, keys: &Keys) -> Result<Map<String, Value>, Error> {
        if !self.has_key(keys) {
            return Err(Error::NoKey);
        }
        let holds = keys
            .that_fit(self.kid.as_deref(), self.algorithm)
            .any(|key| key.signed(self.signature, self.signed.as_bytes(), self.algorithm));
        if holds { Ok(self.claims) } else { Err(Error::Signature) }
    }
}

/// Who a token says to have issued it. Good for finding keys, and for nothing else.
#[must_use]
pub fn issuer(text: &str) -> Option<String> {
    let payload = text.split('.').nth(1).filter(|_| text.len() <= MAX_TOKEN)?;
    let claims = object(payload).ok()?;
    claims.get("iss")?.as_str().map(str::to_owned)
}

/// A claim that is text.
#[must_use]
pub fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

/// A claim that is a number, such as a time in epoch seconds.
#[must_use]
pub fn number(claims: &Map<String, Value>, name: &str) -> Option<i64> {
    let value = claims.get(name)?;
    // Some providers write times with a fraction.
    value.as_i64().or_else(|| {
        let number = value
            .as_f64()
            .filter(|number| number.is_finite() && number.abs() < 1e15)?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked to be within bounds; the fraction is cut"
        )]
        Some(number as i64)
    })
}

fn object(part: &str) -> Result<Map<String, Value>, Error> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| Error::Malformed)?;
    let Once(object) = serde_json::from_slice(&json).map_err(|_| Error::Malformed)?;
    Ok(object)
}

/// An object none of whose members occurs twice: two readers could take different ones.
struct Once(Map<String, Value>);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Once;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Once, A::Error> {
                let mut object = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if object.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member occurs twice"));
                    }
                }
                Ok(Once(object))
            }
        }
        from.deserialize_map(Members)
    }
}
