//! Whose certificates are believed of a server that authd connects to? Those of the authorities that are named, or the system's.
//!
//! Not here: HTTP, of which [`crate::outbound`] is the one client, and PostgreSQL, whose client brings its own.

use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

/// A client that believes these authorities, as PEM; `None`: the system's.
///
/// # Errors
/// They cannot be used: the text says why.
pub fn client(authorities: Option<&[u8]>) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, String> {
    let roots = match authorities {
        Some(pem) => given(pem)?,
        None => the_systems(),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots))
}

fn given(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let added = certificate
            .map_err(|error| error.to_string())
            .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()));
        added.map_err(|error| format!("a certificate of the authorities cannot be read: {error}"))?;
    }
    if roots.is_empty() {
        return Err("there is no certificate among the authorities".to_owned());
    }
    Ok(roots)
}

fn the_systems() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
