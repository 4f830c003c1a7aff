//! How is one server asked, one question after the other?
//!
//! A connection knows as whom it is bound and whether a question was left without its answer. What is done with that is the
//! pool's. Time limits are the caller's too: a question that is given up leaves the connection [`Standing::Unclear`].

use policy::directory::{Protection, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::ber;
use super::failure::Failure;
use super::message::{self, Answer, Entry, Outcome, Search};
use super::tls::Tls;

/// The most bytes that the answer to one question may take.
const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// As whom a connection is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// As whoever looks people up.
    Ours,
    /// As somebody else.
    Theirs,
    /// A question is under way, or was given up.
    Unclear,
}

/// A connection to a server.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Either<TcpStream, Box<TlsStream<TcpStream>>>,
    server: String,
    received: Vec<u8>,
    questions: i32,
    standing: Standing,
}

/// What a search found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    pub(super) outcome: Outcome,
}

impl Connection {
    /// Connects, protected as is said of the server, bound as nobody.
    pub(super) async fn open(server: &Server, tls: &Tls) -> Result<Self, Failure> {
        let unreachable = |error: std::io::Error| Failure::ServerUnreachable {
            server: server.url.clone(),
            what: error.to_string(),
        };
        let stream = TcpStream::connect((server.host.as_str(), server.port))
            .await
            .map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let mut connection = Self {
            stream: Either::Left(stream),
            server: server.url.clone(),
            received: Vec::new(),
            questions: 0,
            standing: Standing::Theirs,
        };
        if server.protection == Protection::StartTls {
            connection.ask_for_tls().await?;
        }
        connection.stream = match (connection.stream, server.protection) {
            (Either::Left(stream), Protection::Tls | Protection::StartTls) => {
                Either::Right(Box::new(tls.connect(stream, server).await?))
            }
            (stream, _) => stream,
        };
        Ok(connection)
    }

    async fn ask_for_tls(&mut self) -> Result<(), Failure> {
        let (outcome, _) = self.extended(message::START_TLS).await?;
        let refused = |what: String| Failure::TlsRefused {
            server: self.server.clone(),
            what,
        };
        if outcome.code != 0 {
            return Err(refused(format!(
                "StartTLS is refused ({}): {}",
                outcome.code, outcome.diagnostic
            )));
        }
        // What came before TLS could be anybody's.
        if self.received.is_empty() {
            Ok(())
        } else {
            Err(refused("it goes on in the clear".to_owned()))
        }
    }

    /// As whom it is bound.
    pub(super) fn standing(&self) -> Standing {
        self.standing
    }

    /// Says as whom it was bound.
    pub(super) fn stands(&mut self, standing: Standing) {
        self.standing = standing;
    }

    /// Whether the server has said nothing since, not even that it is leaving.
    pub(super) fn is_quiet(&self) -> bool {
        let stream = match &self.stream {
            Either::Left(stream) => stream,
            Either::Right(stream) => stream.get_ref().0,
        };
        let read = stream.try_read(&mut [0; 1]);
        self.received.is_empty() && read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Binds with a password. As whom the connection is then bound is the caller's to say.
    pub(super) async fn bind(&mut self, name: &str, password: &[u8]) -> Result<Outcome, Failure> {
        self.questions += 1;
        let request = message::bind(self.questions, name, password);
        let done = self.ask(zeroize::Zeroizing::new(request).as_slice(), 0).await?;
        self.standing = Standing::Theirs;
        Ok(done.0.outcome)
    }

    /// Who the server takes us for (RFC 4532); `None` where it does not know the question.
    pub(super) async fn who_am_i(&mut self) -> Result<Option<String>, Failure> {
        let (outcome, value) = self.extended(message::WHO_AM_I).await?;
        let answer = value.unwrap_or_default();
        Ok((outcome.code == 0).then(|| String::from_utf8_lossy(&answer).into_owned()))
    }

    async fn extended(&mut self, name: &str) -> Result<(Outcome, Option<Vec<u8>>), Failure> {
        self.questions += 1;
        let (found, value) = self.ask(&message::extended(self.questions, name), 0).await?;
        Ok((found.outcome, value))
    }

    /// Searches, page by page, up to one entry more than `search.most`.
    pub(super) async fn search(&mut self, search: &Search<'_>) -> Result<Found, Failure> {
        let mut all = Found::default();
        let mut cookie = Vec::new();
        loop {
            self.questions += 1;
            let request = message::search(self.questions, search, &cookie);
            let (mut page, _) = self.ask(&request, search.most.saturating_add(1)).await?;
            all.entries.append(&mut page.entries);
            cookie = std::mem::take(&mut page.outcome.cookie);
            all.outcome = page.outcome;
            if cookie.is_empty() || all.entries.len() > search.most {
                return Ok(all);
            }
        }
    }

    /// Sends a question and reads its answer to the end.
    async fn ask(&mut self, request: &[u8], most: usize) -> Result<(Found, Option<Vec<u8>>), Failure> {
        let before = std::mem::replace(&mut self.standing, Standing::Unclear);
        let sent = async {
            self.stream.write_all(request).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| self.broken(&error.to_string()))?;
        let (mut found, mut bytes) = (Found::default(), 0);
        loop {
            let (id, answer, length) = self.next().await?;
            bytes += length;
            if id == 0 {
                return Err(self.broken("it ended the connection"));
            }
            if id != self.questions || bytes > MAX_ANSWER {
                return Err(self.nonsense());
            }
            match answer {
                // A server that does not stop at the limit is not listened to any longer.
                Answer::Entry(_) if found.entries.len() >= most => return Err(self.nonsense()),
                Answer::Entry(entry) => found.entries.push(entry),
                Answer::Reference => {}
                Answer::Done(outcome, value) => {
                    found.outcome = outcome;
                    self.standing = before;
                    return Ok((found, value));
                }
            }
        }
    }

    /// The next message: to which question it belongs, what it says, and how long it is.
    async fn next(&mut self) -> Result<(i32, Answer, usize), Failure> {
        loop {
            if let Some(length) = ber::frame(&self.received).map_err(|_| self.nonsense())?
                && let Some(bytes) = self.received.get(..length)
            {
                let (id, answer) = message::read(bytes).map_err(|_| self.nonsense())?;
                self.received.drain(..length);
                return Ok((id, answer, length));
            }
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) => return Err(self.broken("it closed the connection")),
                Ok(_) => {}
                Err(error) => return Err(self.broken(&error.to_string())),
            }
        }
    }

    fn broken(&self, what: &str) -> Failure {
        Failure::ServerUnreachable {
            server: self.server.clone(),
            what: what.to_owned(),
        }
    }

    fn nonsense(&self) -> Failure {
        Failure::Nonsense {
            server: self.server.clone(),
        }
    }
}
