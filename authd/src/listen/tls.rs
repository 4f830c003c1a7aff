//! TLS on a listener whose clients show certificates.
//!
//! rustls speaks TLS 1.2 and 1.3 with suites that are sound, and never renegotiates (RFC 9325). Sessions are not resumed, so that every
//! connection shows a certificate that is good now.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use webpki::EndEntityCert;
use x509_cert::der::Decode as _;
use x509_cert::time::Time;

#[cfg(test)]
mod tests;

/// How long a client may take to begin.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A certificate that was shown and that one of ours issued.
#[derive(Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its subject alternative names that are DNS names or URIs.
    pub names: Vec<String>,
}

/// How long a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// From when.
    pub begins: Timestamp,
    /// Until when.
    pub ends: Timestamp,
}

impl Validity {
    /// When two thirds of it are over, by when whoever renews certificates has done so.
    #[must_use]
    pub fn renewal(&self) -> Timestamp {
        self.ends - self.ends.duration_since(self.begins) / 3
    }
}

/// Certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something is no PEM.
    #[error("{0} is no PEM: {1}")]
    Pem(&'static str, rustls::pki_types::pem::Error),
    /// Something has no certificate in it.
    #[error("there is no certificate in {0}")]
    Empty(&'static str),
    /// Clients cannot be verified.
    #[error("{0}")]
    Verifier(#[from] VerifierBuilderError),
    /// Certificate and key do not go together, or one of them is of no use.
    #[error("{0}")]
    Certificate(#[from] rustls::Error),
}

/// What a listener is secured with, out of PEM.
#[derive(Clone, Copy, Debug)]
pub struct Material<'a> {
    /// Our certificate and its chain.
    pub certificate: &'a [u8],
    /// Its key.
    pub key: &'a [u8],
    /// Who issues the certificates of clients.
    pub client_ca: &'a [u8],
}

impl Material<'_> {
    /// The configuration of a listener that speaks one protocol (RFC 7301).
    ///
    /// # Errors
    /// Something in it cannot be used.
    pub fn config(&self, protocol: &[u8]) -> Result<Arc<ServerConfig>, Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut issuers = RootCertStore::empty();
        for issuer in certificates("the CA of the proxies", self.client_ca)? {
            issuers.add(issuer)?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(issuers), Arc::clone(&provider)).build()?;
        let key = PrivateKeyDer::from_pem_slice(self.key).map_err(|error| Error::Pem("the key", error))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(certificates("the certificate", self.certificate)?, key)?;
        config.alpn_protocols = vec![protocol.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }

    /// How long our certificate is good, where that can be read.
    #[must_use]
    pub fn validity(&self) -> Option<Validity> {
        let ours = CertificateDer::from_pem_slice(self.certificate).ok()?;
        let ours = x509_cert::Certificate::from_der(&ours).ok()?;
        let validity = ours.tbs_certificate().validity();
        let moment = |time: Time| Timestamp::UNIX_EPOCH.checked_add(time.to_unix_duration()).ok();
        Some(Validity {
            begins: moment(validity.not_before)?,
            ends: moment(validity.not_after)?,
        })
    }
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| Error::Pem(what, error))?;
    if all.is_empty() {
        Err(Error::Empty(what))
    } else {
        Ok(all)
    }
}

/// Shakes hands with a client; `None` when it shows no good certificate, or nothing for too long.
pub async fn accept(stream: TcpStream, config: Arc<ServerConfig>) -> Option<(TlsStream<TcpStream>, Certificate)> {
    match tokio::time::timeout(HANDSHAKE, TlsAcceptor::from(config).accept(stream)).await {
        Ok(Ok(stream)) => {
            let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first)?;
            let names = names(shown);
            Some((stream, Certificate { names }))
        }
        Ok(Err(error)) => {
            tracing::info!(error = %error, "a proxy did not prove itself: its TLS handshake failed");
            None
        }
        Err(_) => None,
    }
}

fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else {
        return Vec::new();
    };
    let names = certificate.valid_dns_names().chain(certificate.valid_uri_names());
    names.map(str::to_owned).collect()
}
