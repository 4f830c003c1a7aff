//! Whom are connections to a directory made with? A server whose certificate one of the authorities signed for its name; there is
//! no way to skip that.

use std::sync::Arc;

use policy::directory;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::failure::Failure;

/// How TLS is done with a directory's servers.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    server_name: Option<String>,
}

impl Tls {
    /// Reads certificates and keys.
    ///
    /// # Errors
    /// They cannot be used: the text says which.
    pub(super) fn new(settings: &directory::Tls) -> Result<Self, String> {
        let roots = match &settings.authorities {
            Some(pem) => given(policy::secret::expose(pem))?,
            None => the_systems(),
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots);
        let config = match &settings.client {
            None => builder.with_no_client_auth(),
            Some(client) => {
                let chain: Result<Vec<_>, _> =
                    CertificateDer::pem_slice_iter(policy::secret::expose(&client.chain)).collect();
                let chain = chain.map_err(|error| format!("the client certificate cannot be read: {error}"))?;
                let key = PrivateKeyDer::from_pem_slice(policy::secret::expose(&client.key))
                    .map_err(|_| "the client certificate's key cannot be read: expected a PEM private key")?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| format!("the client certificate cannot be used: {error}"))?
            }
        };
        Ok(Self {
            config: Arc::new(config),
            server_name: settings.server_name.clone(),
        })
    }

    /// Shakes hands.
    pub(super) async fn connect(
        &self,
        stream: TcpStream,
        server: &directory::Server,
    ) -> Result<TlsStream<TcpStream>, Failure> {
        let name = self.server_name.as_deref().unwrap_or(&server.host);
        let name = ServerName::try_from(name.to_owned()).map_err(|error| Failure::CertificateInvalid {
            server: server.url.clone(),
            what: format!("`{name}` can be in no certificate: {error}"),
        })?;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        connector.connect(name, stream).await.map_err(|error| {
            let (server, what) = (server.url.clone(), error.to_string());
            match error.get_ref().and_then(|error| error.downcast_ref()) {
                Some(rustls::Error::InvalidCertificate(_)) => Failure::CertificateInvalid { server, what },
                // Also a server that hangs up: it wants another version, or a certificate of ours.
                _ => Failure::TlsRefused { server, what },
            }
        })
    }
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
