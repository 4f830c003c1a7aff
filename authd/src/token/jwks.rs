//! What do others need to verify our session tokens? The JWKS (RFC 7517) and the discovery document.
//!
//! Only public keys: a shared HS256 secret is never in it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::keys::{Algorithm, Key, Ring};

/// The key set as it is published at `now`: the next, the current and the previous keys.
pub fn key_set(ring: &Ring, now: Timestamp) -> Value {
    let keys: Vec<Value> = ring.published(now).filter_map(jwk).collect();
    json!({ "keys": keys })
}

/// The document at `/.well-known/openid-configuration`; authd is no OpenID provider, so it names keys and nothing more.
pub fn discovery(issuer: &str, algorithm: Algorithm) -> Value {
    json!({
        "issuer": issuer,
        "jwks_uri": format!("{}/.well-known/jwks.json", issuer.trim_end_matches('/')),
        "id_token_signing_alg_values_supported": [algorithm.name()],
        "subject_types_supported": ["public"],
        "response_types_supported": [],
    })
}

fn jwk(key: &Key) -> Option<Value> {
    Some(json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "x": URL_SAFE_NO_PAD.encode(key.public_bytes()?),
        "kid": key.kid(),
        "use": "sig",
        "alg": key.algorithm().name(),
    }))
}
