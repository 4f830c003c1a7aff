//! What do others need to verify our session tokens? The JWKS (RFC 7517) and the discovery document.
//!
//! Only public keys: a shared HS256 secret is never in it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::keys::{Algorithm, Key, Ring};

/// The public keys of session tokens (RFC 7517).
#[derive(Debug, Serialize, JsonSchema)]
pub struct KeySet {
    /// The next, the current and the previous ones.
    pub keys: Vec<PublicKey>,
}

/// An Ed25519 key (RFC 8037).
#[derive(Debug, Serialize, JsonSchema)]
pub struct PublicKey {
    /// `OKP`.
    pub kty: &'static str,
    /// `Ed25519`.
    pub crv: &'static str,
    /// The key's 32 bytes in base64url.
    pub x: String,
    /// As in the header of tokens.
    pub kid: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub purpose: &'static str,
    /// `EdDSA`.
    pub alg: &'static str,
}

/// Where the keys are. authd is no OpenID provider, so this names keys and nothing more.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Discovery {
    /// The `iss` of tokens.
    pub issuer: String,
    /// Where the keys are.
    pub jwks_uri: String,
    /// What tokens are signed with.
    pub id_token_signing_alg_values_supported: [&'static str; 1],
    /// `public`.
    pub subject_types_supported: [&'static str; 1],
    /// None.
    pub response_types_supported: [&'static str; 0],
}

/// The key set as it is published at `now`: the next, the current and the previous keys.
pub fn key_set(ring: &Ring, now: Timestamp) -> KeySet {
    KeySet {
        keys: ring.published(now).filter_map(public).collect(),
    }
}

/// The document at `/.well-known/openid-configuration`.
pub fn discovery(issuer: &str, algorithm: Algorithm) -> Discovery {
    Discovery {
        issuer: issuer.to_owned(),
        jwks_uri: format!("{}/.well-known/jwks.json", issuer.trim_end_matches('/')),
        id_token_signing_alg_values_supported: [algorithm.name()],
        subject_types_supported: ["public"],
        response_types_supported: [],
    }
}

fn public(key: &Key) -> Option<PublicKey> {
    Some(PublicKey {
        kty: "OKP",
        crv: "Ed25519",
        x: URL_SAFE_NO_PAD.encode(key.public_bytes()?),
        kid: key.kid().to_owned(),
        purpose: "sig",
        alg: key.algorithm().name(),
    })
}
