//! Whom are connections to a directory made with? A server whose certificate one of the authorities signed for its name; there is
//! no way to skip that.

use std::sync::Arc;

use policy::directory;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::failure::Failure;
use crate::authorities;

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
        let builder = authorities::client(settings.authorities.as_ref().map(policy::secret::expose))?;
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
