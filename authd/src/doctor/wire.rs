//! Requests as bytes on a connection, and what comes back. An HTTP client would mend what is to be tried.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::answer::{Answer, answers};

/// More of an answer is not read, in bytes.
const MOST: usize = 256 * 1024;

/// Where requests go, and how long an answer may take.
#[derive(Clone)]
pub struct Wire {
    address: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    patience: Duration,
}

/// What came back.
#[derive(Debug, Default)]
pub struct Heard {
    /// Every answer, in order.
    pub answers: Vec<Answer>,
    /// Why there are no more, where nobody answered.
    pub silence: Option<String>,
}

impl Wire {
    /// A way to `address`, a host and a port, which shows a certificate for `tls` if that is given.
    ///
    /// # Errors
    /// The certificates of the authorities cannot be read, or the name is none.
    pub fn new(
        address: String,
        tls: Option<&str>,
        authority: Option<&std::path::Path>,
        patience: Duration,
    ) -> anyhow::Result<Self> {
        let tls = match tls {
            None => None,
            Some(host) => {
                let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
                    .with_context(|| format!("`{host}` is no name that a certificate can have"))?;
                Some((TlsConnector::from(Arc::new(client(authority)?)), name))
            }
        };
        Ok(Self { address, tls, patience })
    }

    /// Sends a request on a connection of its own, and listens until it is answered, closed, or too late. `head` says that an
    /// answer has no body, whatever it says.
    pub async fn say(&self, request: &[u8], head: bool) -> Heard {
        let mut bytes = Vec::new();
        let said = tokio::time::timeout(self.patience, self.talk(request, head, &mut bytes)).await;
        let answers = answers(&bytes, head);
        let silence = match said {
            _ if !answers.is_empty() => None,
            Err(_) => Some(format!("no answer within {} s", self.patience.as_secs_f32())),
            Ok(Err(error)) => Some(error.to_string()),
            Ok(Ok(())) => Some("the connection was closed".to_owned()),
        };
        Heard { answers, silence }
    }

    async fn talk(&self, request: &[u8], head: bool, bytes: &mut Vec<u8>) -> std::io::Result<()> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => exchange(stream, request, head, bytes).await,
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await?;
                exchange(stream, request, head, bytes).await
            }
        }
    }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &[u8],
    head: bool,
    bytes: &mut Vec<u8>,
) -> std::io::Result<()> {
    // The other side may well answer and close in the middle of it.
    let written = stream.write_all(request).await;
    let flushed = stream.flush().await;
    let mut buffer = [0; 8192];
    loop {
        let read = match stream.read(&mut buffer).await {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if bytes.is_empty() => return Err(error),
            Err(_) => break,
        };
        bytes.extend(buffer.iter().take(read));
        // After an upgrade anything may follow, and nothing of it matters.
        let upgraded = answers(bytes, head).last().is_some_and(|answer| answer.status == 101);
        if upgraded || bytes.len() > MOST {
            break;
        }
    }
    if bytes.is_empty() { written.and(flushed) } else { Ok(()) }
}

/// A client that speaks HTTP/1.1 alone, and believes the system's authorities or those of a file.
fn client(authority: Option<&std::path::Path>) -> anyhow::Result<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    match authority {
        Some(file) => {
            for certificate in CertificateDer::pem_file_iter(file).with_context(|| format!("`{}`", file.display()))? {
                roots.add(certificate.with_context(|| format!("`{}`", file.display()))?)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let mut client = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(client)
}
