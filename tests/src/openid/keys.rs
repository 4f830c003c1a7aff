//! Keys that providers sign with, and what can be wrong with a signature.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::grants::put_all;

/// A key with its name.
pub struct Key {
    /// Its `kid`.
    pub id: String,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Shared(Vec<u8>),
    Nothing,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Base64url without padding.
#[must_use]
pub fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The claims of a token, unverified.
#[must_use]
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap_or_default();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap_or_default()).unwrap_or_default()
}

/// The left half of a SHA-256, as `at_hash` and `c_hash` hold it (OpenID Connect Core 3.1.3.6).
#[must_use]
pub fn half_hash(text: &str) -> String {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    encoded(hash.as_ref().get(..16).unwrap_or_default())
}

/// Whole seconds since 1970.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "tokens of a peer say what time it is for the peer"
)]
pub fn now() -> i64 {
    Timestamp::now().as_second()
}

/// A text that nobody guesses.
///
/// # Panics
/// There is no randomness.
#[must_use]
pub fn random() -> String {
    let mut bytes = [0_u8; 24];
    aws_lc_rs::rand::fill(&mut bytes).expect("there is randomness");
    encoded(bytes)
}

impl Key {
    /// RSA of 2048 bits, for `RS256`.
    ///
    /// # Panics
    /// No key can be made.
    #[must_use]
    pub fn rsa(id: &str) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("keys can be made");
        Self::new(id, Pair::Rsa(pair))
    }

    /// P-256, for `ES256`.
    ///
    /// # Panics
    /// No key can be made.
    #[must_use]
    pub fn p256(id: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("keys can be made");
        Self::new(id, Pair::P256(pair))
    }

    /// A secret that both sides know, for `HS256`.
    #[must_use]
    pub fn shared(id: &str, secret: &[u8]) -> Self {
        Self::new(id, Pair::Shared(secret.to_owned()))
    }

    /// None: what it signs has an empty signature.
    #[must_use]
    pub fn none() -> Self {
        Self::new("", Pair::Nothing)
    }

    fn new(id: &str, pair: Pair) -> Self {
        Self {
            id: id.to_owned(),
            pair,
        }
    }

    /// The algorithm that it is meant for.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::P256(_) => "ES256",
            Pair::Shared(_) => "HS256",
            Pair::Nothing => "none",
        }
    }

    /// Its public half, as key sets list it (RFC 7517). A shared secret has none: it is listed whole, as nobody should.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let (modulus, exponent) = numbers(pair.public_key().as_ref());
                json!({"kty": "RSA", "n": encoded(modulus), "e": encoded(exponent)})
            }
            Pair::P256(pair) => {
                let (x, y) = pair.public_key().as_ref().split_at(1).1.split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": encoded(x), "y": encoded(y)})
            }
            Pair::Shared(secret) => json!({"kty": "oct", "k": encoded(secret)}),
            Pair::Nothing => json!({}),
        };
        put_all(&mut jwk, json!({"kid": self.id, "alg": self.algorithm(), "use": "sig"}));
        jwk
    }

    /// Its private half in PKCS #8, as PEM.
    ///
    /// # Panics
    /// It has none.
    #[must_use]
    pub fn pem(&self) -> String {
        let bytes = match &self.pair {
            Pair::Rsa(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map(|der| der.as_ref().to_vec()),
            Pair::P256(pair) => pair.to_pkcs8v1().map(|document| document.as_ref().to_vec()),
            Pair::Shared(_) | Pair::Nothing => panic!("a {} key has no private half", self.algorithm()),
        };
        let text = BASE64_STANDARD.encode(bytes.expect("keys can be written"));
        format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
    }

    /// The header that fits.
    #[must_use]
    pub fn header(&self) -> Value {
        json!({"alg": self.algorithm(), "kid": self.id, "typ": "JWT"})
    }

    /// A token, with whatever header; RSA signs as `PS256` or `RS512` where the header says so.
    ///
    /// # Panics
    /// Nothing can be signed.
    #[must_use]
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let algorithm = header.get("alg").and_then(Value::as_str).unwrap_or_default();
        let signature = match &self.pair {
            Pair::Rsa(pair) => {
                let padding: &'static dyn RsaEncoding = match algorithm {
                    "PS256" => &RSA_PSS_SHA256,
                    "RS512" => &RSA_PKCS1_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &SystemRandom::new(), text.as_bytes(), &mut signature)
                    .expect("RSA signs");
                signature
            }
            Pair::P256(pair) => pair
                .sign(&SystemRandom::new(), text.as_bytes())
                .expect("ECDSA signs")
                .as_ref()
                .to_vec(),
            Pair::Shared(secret) => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes())
                .as_ref()
                .to_vec(),
            Pair::Nothing => Vec::new(),
        };
        format!("{text}.{}", encoded(signature))
    }
}

/// The two numbers of a `RSAPublicKey` (RFC 8017 appendix A.1.1), without leading zeros.
fn numbers(der: &[u8]) -> (&[u8], &[u8]) {
    let (sequence, _) = element(der);
    let (modulus, rest) = element(sequence);
    let (exponent, _) = element(rest);
    (modulus.strip_prefix(&[0]).unwrap_or(modulus), exponent)
}

/// The content of the first DER element, and what follows it.
fn element(der: &[u8]) -> (&[u8], &[u8]) {
    let rest = der.get(1..).unwrap_or_default();
    let (first, rest) = rest.split_first().expect("an element has a length");
    let count = if *first < 0x80 { 0 } else { usize::from(first & 0x7f) };
    let (long, rest) = rest.split_at(count);
    let length = match count {
        0 => usize::from(*first),
        _ => long.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)),
    };
    rest.split_at(length)
}
