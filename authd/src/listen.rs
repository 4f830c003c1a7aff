//! Connections in: accepted, bounded in number and time, and ended in order.

pub mod strict;
#[cfg(test)]
mod tests;
pub mod tls;

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::graceful::GracefulConnection;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often a connection is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// In how many looks in a row nothing may be asked: a client has 15 s, and at most 20 s, for its headers and between two requests.
const QUIET_LOOKS: u32 = 3;
/// How long a connection on which nothing is asked stays open after the shutdown began. Each answer is its last.
const LINGER: Duration = Duration::from_millis(300);
/// How long a connection may go on after the shutdown began.
const LAST_WORDS: Duration = Duration::from_secs(15);
/// The longest block of headers, in bytes.
const MAX_HEADERS_BYTES: usize = 128 * 1024;
/// The same over HTTP/2, where what is asked about is in the body.
const MAX_HTTP2_HEADERS_BYTES: u32 = 16 * 1024;
/// Requests at a time on one connection of HTTP/2.
const MAX_STREAMS: u32 = 256;

/// Connections at a time on one listener.
pub const MAX_CONNECTIONS: usize = 16_384;

/// Binds an address.
///
/// # Errors
/// The address is taken or not ours; the error names it.
pub fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    listening(address, false)
}

/// Binds an address for one of several threads that share it and its connections.
///
/// # Errors
/// The address is taken by another program or not ours; the error names it.
pub fn bind_shared(address: SocketAddr) -> std::io::Result<TcpListener> {
    listening(address, true)
}

fn listening(address: SocketAddr, is_shared: bool) -> std::io::Result<TcpListener> {
    let listener = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(is_shared)?;
        socket.bind(address)?;
        socket.listen(1024)
    };
    listener().map_err(|error: std::io::Error| {
        std::io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
    })
}

/// How a listener reads requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// As HTTP/1.1 servers do.
    Usual,
    /// Without the leniencies of parsers, for requests that have no body.
    Strict,
    /// HTTP/2 from the first byte, as gRPC is spoken.
    Http2,
}

/// What is spoken on a listener.
#[derive(Clone)]
pub struct Protocol {
    /// How requests are read.
    pub reading: Reading,
    /// Under which TLS, asked anew for each connection.
    pub tls: Tls,
}

/// The TLS of a listener as of now; `None`: plain.
pub type Tls = Arc<dyn Fn() -> Option<Arc<ServerConfig>> + Send + Sync>;

impl Protocol {
    /// Without TLS.
    #[must_use]
    pub fn plain(reading: Reading) -> Self {
        Self {
            reading,
            tls: Arc::new(|| None),
        }
    }
}

/// Who is connected.
#[derive(Clone, Debug)]
pub struct Connected {
    /// From where.
    pub address: IpAddr,
    /// The certificate that they showed, where TLS asks for one.
    pub certificate: Option<Arc<tls::Certificate>>,
}

/// Accepts connections until the stop, and hands each request to `answer`, with who is connected.
pub async fn serve<A, F, B>(listener: TcpListener, protocol: Protocol, stop: CancellationToken, answer: A)
where
    A: Fn(Connected, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    each(listener, stop.clone(), move |stream, peer| {
        secured(stream, peer, protocol.clone(), stop.clone(), answer.clone())
    })
    .await;
}

/// Accepts connections until the stop, and hands over each with its peer's address.
pub async fn each<C, F>(listener: TcpListener, stop: CancellationToken, connection: C)
where
    C: Fn(TcpStream, IpAddr) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let connections = TaskTracker::new();
    let begin = |connection: F, place| {
        connections.spawn(async move {
            let _place = place;
            connection.await;
        });
    };
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        if let Some((stream, peer, place)) = accepted {
            begin(connection(stream, peer), place);
        }
    }
    // Whoever connected before is let in: a connection that is closed under its first request loses it.
    for (stream, peer, place) in waiting(listener, &places) {
        begin(connection(stream, peer), place);
    }
    connections.close();
    let _ = tokio::time::timeout(LAST_WORDS, connections.wait()).await;
}

/// A connection, its peer's address, and its place among all of them.
type Accepted = (TcpStream, IpAddr, OwnedSemaphorePermit);

/// Those who connected and were not accepted yet. Nobody else connects any more.
fn waiting(listener: TcpListener, places: &Arc<Semaphore>) -> Vec<Accepted> {
    let Ok(listener) = listener.into_std() else {
        return Vec::new();
    };
    let accept = || {
        let (stream, peer) = listener.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        let place = Arc::clone(places).try_acquire_owned().ok()?;
        Some((TcpStream::from_std(stream).ok()?, peer.ip(), place))
    };
    std::iter::from_fn(accept).collect()
}

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<Accepted> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            let _ = stream.set_nodelay(true);
            Some((stream, peer.ip(), place))
        }
        Err(error) => {
            // Out of file descriptors, most likely: the next moment may be better.
            tracing::warn!(error = %error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

/// Puts TLS between, where the listener has it.
async fn secured<A, F, B>(stream: TcpStream, address: IpAddr, protocol: Protocol, stop: CancellationToken, answer: A)
where
    A: Fn(Connected, Request<Incoming>) -> F,
    F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let config = (protocol.tls)();
    let mut connection = Connection {
        peer: Connected {
            address,
            certificate: None,
        },
        reading: protocol.reading,
        activity: Arc::new(Activity {
            begun: AtomicU32::new(0),
            answered: AtomicU32::new(0),
            config: config.clone(),
            tls: protocol.tls,
        }),
        stop,
    };
    let Some(config) = config else {
        return connection.speak(stream, answer).await;
    };
    if let Some((stream, certificate)) = tls::accept(stream, config).await {
        connection.peer.certificate = Some(Arc::new(certificate));
        connection.speak(stream, answer).await;
    }
}

/// A connection, whatever its bytes go through.
struct Connection {
    peer: Connected,
    reading: Reading,
    activity: Arc<Activity>,
    stop: CancellationToken,
}

impl Connection {
    async fn speak<S, A, F, B>(self, stream: S, answer: A)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
        A: Fn(Connected, Request<Incoming>) -> F,
        F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match self.reading {
            Reading::Usual => self.http1(stream, answer).await,
            Reading::Strict => self.http1(strict::Strict::new(stream), answer).await,
            Reading::Http2 => self.http2(stream, answer).await,
        }
    }

    async fn http1<S, A, F, B>(self, stream: S, answer: A)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
        A: Fn(Connected, Request<Incoming>) -> F,
        F: Future<Output = Result<Response<B>, Infallible>>,
        B: Body + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        // Up to 100 headers are read without an allocation, and more are refused with 431. hyper's own timeout would set a timer for
        // every request, where one for each connection is enough.
        let connection = http1::Builder::new()
            .header_read_timeout(None::<Duration>)
            .max_buf_size(MAX_HEADERS_BYTES)
            .serve_connection(
                TokioIo::new(stream),
                service_fn(|request| self.activity.during(answer(self.peer.clone(), request))),
            );
        self.until_its_end(connection, Duration::ZERO).await;
    }

    /// What a client may have going on at a time is bounded here; what it may begin and take back at once, and how many pieces its
    /// headers come in, by the implementation (CVE-2023-44487 and the CONTINUATION flood: `GOAWAY`).
    async fn http2<S, A, F, B>(self, stream: S, answer: A)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
        A: Fn(Connected, Request<Incoming>) -> F,
        F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let service = service_fn(|request| {
            let (activity, answered) = (Arc::clone(&self.activity), answer(self.peer.clone(), request));
            async move { activity.during(answered).await }
        });
        let connection = http2::Builder::new(TokioExecutor::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HTTP2_HEADERS_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        self.until_its_end(connection, LAST_WORDS).await;
    }

    /// Waits for a connection to end: by itself, with the stop, because its TLS is no longer that of the listener, or because
    /// nothing was asked for long and its grace is over too.
    async fn until_its_end<C>(&self, connection: C, grace: Duration)
    where
        C: GracefulConnection,
        C::Error: std::fmt::Display,
    {
        tokio::pin!(connection);
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = self.stop.cancelled() => {
                // A request may be on its way.
                match tokio::time::timeout(LINGER, connection.as_mut()).await {
                    Ok(ended) => ended,
                    Err(_) => {
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                }
            }
            over = self.activity.is_over() => {
                connection.as_mut().graceful_shutdown();
                let grace = if over == Over::Outdated { LAST_WORDS } else { grace };
                tokio::time::timeout(grace, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error = %error, "a connection ended early");
        }
    }
}

/// Why a connection that goes on is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    /// Nothing was asked for long, and nothing is being answered.
    Quiet,
    /// It was accepted under another TLS than the listener has now.
    Outdated,
}

/// What happens on a connection.
struct Activity {
    begun: AtomicU32,
    answered: AtomicU32,
    /// What it was accepted under.
    config: Option<Arc<ServerConfig>>,
    tls: Tls,
}

impl Activity {
    /// Notes that a request is being answered for as long as `answer` takes.
    async fn during<T>(&self, answer: impl Future<Output = T>) -> T {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let answered = answer.await;
        self.answered.fetch_add(1, Ordering::Relaxed);
        answered
    }

    /// Returns once the connection is to end.
    async fn is_over(&self) -> Over {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        // The first one is at once.
        looks.tick().await;
        let (mut seen, mut quiet) = (0, 0);
        while quiet < QUIET_LOOKS {
            looks.tick().await;
            if (self.tls)().map(|config| Arc::as_ptr(&config)) != self.config.as_ref().map(Arc::as_ptr) {
                return Over::Outdated;
            }
            let begun = self.begun.load(Ordering::Relaxed);
            let answering = begun != self.answered.load(Ordering::Relaxed);
            quiet = if answering || begun != seen { 0 } else { quiet + 1 };
            seen = begun;
        }
        Over::Quiet
    }
}
