//! How is one Redis server asked, one question after the other?
//!
//! Time limits are the caller's. A question that is given up leaves a connection that is to be dropped: its answer may still come.

use std::sync::Arc;

use policy::redis::{Login, Protection, Server};
use policy::secret::expose;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;
use zeroize::Zeroizing;

use super::failure::{Failure, answered};
use super::resp::{self, Reply};

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// To whom.
    pub(super) server: Server,
    stream: Either<TcpStream, Box<TlsStream<TcpStream>>>,
    received: Vec<u8>,
}

impl Connection {
    /// Connects, as nobody in particular.
    pub(super) async fn open(
        server: &Server,
        protection: Protection,
        tls: &Arc<ClientConfig>,
    ) -> Result<Self, Failure> {
        let unreachable = |what: String| Failure::Unreachable {
            server: server.to_string(),
            what,
        };
        let stream = TcpStream::connect((server.host.as_str(), server.port)).await;
        let stream = stream.map_err(|error| unreachable(error.to_string()))?;
        stream
            .set_nodelay(true)
            .map_err(|error| unreachable(error.to_string()))?;
        let stream = match protection {
            Protection::None => Either::Left(stream),
            Protection::Tls => {
                let name = ServerName::try_from(server.host.clone());
                let name = name.map_err(|error| unreachable(error.to_string()))?;
                let shaken = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
                Either::Right(Box::new(shaken.map_err(|error| unreachable(error.to_string()))?))
            }
        };
        Ok(Self {
            server: server.clone(),
            stream,
            received: Vec::new(),
        })
    }

    /// Says who asks from now on.
    pub(super) async fn log_in(&mut self, login: &Login) -> Result<(), Failure> {
        let password = expose(&login.password);
        let command = Zeroizing::new(match &login.user {
            Some(user) => resp::command([b"AUTH".as_slice(), user.as_bytes(), password]),
            None => resp::command([b"AUTH".as_slice(), password]),
        });
        self.say(&command).await?;
        answered(self.hear().await?, &self.server).map(|_| ())
    }

    /// Asks, and waits for the answer; an error that is answered is a failure.
    pub(super) async fn ask(&mut self, parts: &[&str]) -> Result<Reply, Failure> {
        self.say(&resp::command(parts.iter().map(|part| part.as_bytes())))
            .await?;
        answered(self.hear().await?, &self.server)
    }

    /// Sends a command.
    pub(super) async fn say(&mut self, command: &[u8]) -> Result<(), Failure> {
        let sent = async {
            self.stream.write_all(command).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|_| Failure::Lost)
    }

    /// The next answer. Nothing is lost where this is given up: it can be asked for again.
    pub(super) async fn hear(&mut self) -> Result<Reply, Failure> {
        loop {
            if let Some((reply, taken)) = resp::read(&self.received)? {
                self.received.drain(..taken);
                return Ok(reply);
            }
            let read = self.stream.read_buf(&mut self.received).await;
            if read.map_err(|_| Failure::Lost)? == 0 {
                return Err(Failure::Lost);
            }
        }
    }
}
