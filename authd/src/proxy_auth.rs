//! Is it a proxy that asks? Its address says so; or, where the Authd says how proxies prove it, that proof and nothing else.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use policy::snapshot::{ProxyAuth, ProxyTls, Settings};
use rustls::ServerConfig;
use subtle::ConstantTimeEq;

use crate::listen::Connected;
use crate::listen::tls::{Error, Material, Validity};

#[cfg(test)]
mod tests;

/// The header, or metadata, with the secret of proxies. It is never passed on.
pub static SECRET: HeaderName = HeaderName::from_static("x-authd-proxy");

/// The TLS of the listeners that proxies ask on.
#[derive(Debug)]
pub struct Secured {
    /// The verify listener.
    pub verify: Arc<ServerConfig>,
    /// The gRPC listener.
    pub grpc: Arc<ServerConfig>,
    /// How long the certificate is good that both show, where that can be read.
    pub validity: Option<Validity>,
}

/// The TLS that the settings call for; the one before, where they call for the same.
///
/// # Errors
/// A certificate or key cannot be used.
pub fn secured(settings: &Settings, before: Option<(&Settings, &Arc<Secured>)>) -> Result<Option<Arc<Secured>>, Error> {
    let Some(tls) = tls(settings) else {
        return Ok(None);
    };
    if let Some((settings, secured)) = before
        && self::tls(settings).is_some_and(|before| material(before) == material(tls))
    {
        return Ok(Some(Arc::clone(secured)));
    }
    let (certificate, key, client_ca) = material(tls);
    let material = Material {
        certificate,
        key,
        client_ca,
    };
    Ok(Some(Arc::new(Secured {
        verify: material.config(b"http/1.1")?,
        grpc: material.config(b"h2")?,
        validity: material.validity(),
    })))
}

fn tls(settings: &Settings) -> Option<&ProxyTls> {
    settings.proxy_auth.as_ref()?.tls.as_ref()
}

fn material(tls: &ProxyTls) -> (&[u8], &[u8], &[u8]) {
    (
        tls.certificate.as_bytes(),
        policy::secret::expose(&tls.key),
        tls.client_ca.as_bytes(),
    )
}

/// Whether whoever is connected is a proxy, by what came with the question.
#[must_use]
pub fn is_proxy(settings: &Settings, peer: &Connected, shown: &HeaderMap) -> bool {
    match &settings.proxy_auth {
        None => settings.trusts(peer.address),
        Some(proof) => has_name(proof, peer) && knows_secret(proof, shown),
    }
}

fn has_name(proof: &ProxyAuth, peer: &Connected) -> bool {
    let Some(tls) = &proof.tls else { return true };
    let certificate = peer.certificate.as_ref();
    certificate.is_some_and(|shown| shown.names.iter().any(|name| tls.client_names.contains(name)))
}

fn knows_secret(proof: &ProxyAuth, shown: &HeaderMap) -> bool {
    if proof.secrets.is_empty() {
        return true;
    }
    let mut values = shown.get_all(&SECRET).iter().map(HeaderValue::as_bytes);
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    // Each is compared to its end, so that time says nothing of how much of which was right.
    let known = proof
        .secrets
        .iter()
        .map(|secret| policy::secret::expose(secret).ct_eq(value));
    known.fold(subtle::Choice::from(0), |any, one| any | one).into()
}
