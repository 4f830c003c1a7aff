//! What services need to verify session tokens themselves.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::{HeaderValue, header};

use super::{Answer, serving};
use crate::app::App;
use crate::token::Algorithm;
use crate::token::jwks::{self, Discovery, KeySet};

/// Shorter than the ten minutes for which a key is published before it signs.
const CACHE: (header::HeaderName, HeaderValue) =
    (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));

/// `GET /.well-known/jwks.json` (RFC 7517): the public keys.
///
/// # Errors
/// Nothing is served yet.
pub async fn key_set(State(app): State<Arc<App>>) -> Answer<([(header::HeaderName, HeaderValue); 1], Json<KeySet>)> {
    let serving = serving(&app)?;
    Ok(([CACHE], Json(jwks::key_set(&serving.key_ring.load(), app.now()))))
}

/// `GET /.well-known/openid-configuration`.
///
/// # Errors
/// Nothing is served yet.
pub async fn discovery(
    State(app): State<Arc<App>>,
) -> Answer<([(header::HeaderName, HeaderValue); 1], Json<Discovery>)> {
    let serving = serving(&app)?;
    let algorithm = match serving.settings().tokens.algorithm {
        crds::Algorithm::EdDSA => Algorithm::EdDsa,
        crds::Algorithm::HS256 => Algorithm::Hs256,
    };
    Ok((
        [CACHE],
        Json(jwks::discovery(&serving.settings().public_url, algorithm)),
    ))
}
