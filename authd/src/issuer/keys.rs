//! The keys of a provider (RFC 7517): which of them may have signed a token. A key has its own algorithms, whatever a token says.

mod sound;

use crds::IdTokenAlgorithm;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::outbound::{self, Outbound, Patience, Question};

/// The most keys that a provider may have.
const MAX_KEYS: usize = 100;

/// The keys of a provider.
#[derive(Debug, Default)]
pub struct Keys(Vec<Key>);

/// One key.
pub struct Key {
    jwk: Jwk,
    key: DecodingKey,
}

/// Why there are no keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// They cannot be fetched.
    #[error(transparent)]
    Outbound(#[from] outbound::Error),
    /// Whoever has them does not give them.
    #[error("`{host}` does not give its keys: it answers with status {status}")]
    Status {
        /// Whoever that is.
        host: String,
        /// What it answers.
        status: u16,
    },
    /// What is there is no set of keys, or one of more than anybody needs.
    #[error("the provider's keys cannot be used: there is no JWK set, or one of more than {MAX_KEYS} keys")]
    Malformed,
}

impl Error {
    /// The reason as conditions, audit lines and metrics name it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Outbound(error) => error.reason(),
            Self::Status { .. } | Self::Malformed => "BadKeys",
        }
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// Fetches the keys.
///
/// # Errors
/// There are none that can be read. A set of no keys is one.
pub async fn fetch(outbound: &Outbound, url: &Url) -> Result<Keys, Error> {
    let mut question = Question::get(url, Patience::Short);
    // What a set of keys is called (RFC 7517, section 8.5.2): a Kubernetes API server gives it to nobody who wants another type.
    let accepted = http::HeaderValue::from_static("application/jwk-set+json, application/json");
    question.headers.insert(http::header::ACCEPT, accepted);
    let answer = outbound.ask(question).await?;
    if answer.status != http::StatusCode::OK {
        return Err(Error::Status {
            host: url.host_str().unwrap_or_default().to_owned(),
            status: answer.status.as_u16(),
        });
    }
    // Many servers do not say that it is JSON; whether it is, reading it tells.
    Keys::read(&answer.body)
}

impl Keys {
    /// Reads a set. A key that is not understood is left out.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn read(set: &[u8]) -> Result<Self, Error> {
        let set: Set = serde_json::from_slice(set).map_err(|_| Error::Malformed)?;
        if set.keys.len() > MAX_KEYS {
            return Err(Error::Malformed);
        }
        let key = |value: Value| {
            if let Some(fault) = sound::fault(&value) {
                tracing::warn!(fault, "a key of a provider is left out");
                return None;
            }
            let jwk: Jwk = serde_json::from_value(value).ok()?;
            let key = DecodingKey::from_jwk(&jwk).ok()?;
            Some(Key { jwk, key })
        };
        Ok(Self(set.keys.into_iter().filter_map(key).collect()))
    }

    /// The keys that may have signed something with this algorithm, under this name if it has one.
    pub fn that_fit(&self, kid: Option<&str>, algorithm: IdTokenAlgorithm) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| {
            let named = kid.is_none_or(|kid| key.jwk.common.key_id.as_deref() == Some(kid));
            named && key.may_use(algorithm)
        })
    }
}

impl Key {
    fn may_use(&self, algorithm: IdTokenAlgorithm) -> bool {
        let own = self.jwk.common.key_algorithm.as_ref();
        if own.is_some_and(|own| own.to_string() != format!("{algorithm:?}")) {
            return false;
        }
        use IdTokenAlgorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        match (&self.jwk.algorithm, algorithm) {
            (AlgorithmParameters::RSA(_), RS256 | RS384 | RS512 | PS256 | PS384 | PS512) => true,
            (AlgorithmParameters::EllipticCurve(key), ES256) => key.curve == EllipticCurve::P256,
            (AlgorithmParameters::EllipticCurve(key), ES384) => key.curve == EllipticCurve::P384,
            (AlgorithmParameters::OctetKeyPair(key), EdDSA) => key.curve == EllipticCurve::Ed25519,
            _ => false,
        }
    }

    /// Whether this key signed that text so.
    #[must_use]
    pub fn signed(&self, signature: &str, text: &[u8], algorithm: IdTokenAlgorithm) -> bool {
        jsonwebtoken::crypto::verify(signature, text, &self.key, of(algorithm)).unwrap_or(false)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.jwk.common.key_id)
            .finish_non_exhaustive()
    }
}

fn of(algorithm: IdTokenAlgorithm) -> Algorithm {
    match algorithm {
        IdTokenAlgorithm::RS256 => Algorithm::RS256,
        IdTokenAlgorithm::RS384 => Algorithm::RS384,
        IdTokenAlgorithm::RS512 => Algorithm::RS512,
        IdTokenAlgorithm::PS256 => Algorithm::PS256,
        IdTokenAlgorithm::PS384 => Algorithm::PS384,
        IdTokenAlgorithm::PS512 => Algorithm::PS512,
        IdTokenAlgorithm::ES256 => Algorithm::ES256,
        IdTokenAlgorithm::ES384 => Algorithm::ES384,
        IdTokenAlgorithm::EdDSA => Algorithm::EdDSA,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn j07_what_is_no_set_of_keys_is_refused_and_an_empty_one_is_one() {
        for (text, expected) in [
            (r#"{"keys":[]}"#.to_owned(), true),
            (r#"{"keys":[{"kty":"unknown"}, 7]}"#.to_owned(), true),
            ("{}".to_owned(), false),
            ("[]".to_owned(), false),
            ("<html>".to_owned(), false),
            (String::new(), false),
            (format!(r#"{{"keys":[{}]}}"#, vec!["{}"; 10_000].join(",")), false),
        ] {
            let keys = Keys::read(text.as_bytes());
            assert_eq!(keys.is_ok(), expected, "J07 {}", &text[..text.len().min(60)]);
            assert!(keys.map_or(true, |keys| keys.0.is_empty()));
        }
    }
}
